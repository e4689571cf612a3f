import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '@rollcall/core/testing';
import { type Lane, startLane } from './lane.fixture.ts';
import { answering, ok } from './raw-node.fixture.ts';
import { still } from './still.fixture.ts';
import { withLane } from './with-lane.fixture.ts';

const HOST = 'Host: shop.example\r\n';
const GET = `GET /a HTTP/1.1\r\n${HOST}\r\n`;

/** An engine's clock under the test's control. */
function manualNow(): { readonly now: () => number; readonly pass: (lane: Lane, ms: number) => void } {
  const clock = new ManualClock();
  return {
    now: () => clock.nowMs(),
    pass: ({ engine }, ms) => {
      clock.advance(ms);
      engine.checkDeadlines();
    },
  };
}

/** Resolves when the engine has read everything written before: a later exchange has finished. */
async function settled(lane: Lane): Promise<void> {
  const other = await lane.connect();
  await other.write(`GET /settled HTTP/1.1\r\n${HOST}\r\n`).sees('\r\n\r\n');
  other.close();
}

test('an incomplete head is 408 after its time, also if octets keep arriving', () => {
  const { now, pass } = manualNow();
  return withLane(startLane([answering(() => ok())], { now, healthPath: '/settled' }), async (lane) => {
    const client = await lane.connect();
    client.write('GET /a HTTP/1.1\r\n');
    await settled(lane);
    pass(lane, 9_000);
    client.write('X-Slow: 1\r\n');
    await settled(lane);
    assert.equal(client.received, '');
    pass(lane, 1_001);
    assert.match(await client.ended(), /^HTTP\/1\.1 408/);
    assert.equal(lane.router.heads.length, 0);
  });
});

test('a silent client is closed after the header timeout', () => {
  const { now, pass } = manualNow();
  return withLane(startLane([], { now }), async (lane) => {
    const client = await lane.connect();
    while (lane.engine.counters(0).connections === 0) await new Promise((resolve) => setImmediate(resolve));
    pass(lane, 10_001);
    assert.equal(await client.ended(), '');
  });
});

test('a slow body is 408, and does not count against the node', () => {
  const { now, pass } = manualNow();
  return withLane(startLane([() => {}], { now, healthPath: '/settled' }), async (lane) => {
    const client = await lane.connect();
    client.write(`POST /a HTTP/1.1\r\n${HOST}Content-Length: 1000\r\n\r\n`);
    await (await lane.nodes[0]!.connection()).heads();
    pass(lane, 4_000);
    client.write('x'.repeat(240));
    await settled(lane);
    pass(lane, 1_500);
    client.write('x');
    await settled(lane);
    assert.equal(client.received, '', '240 octets extend the time by one second');
    pass(lane, 1_000);
    assert.match(await client.ended(), /^HTTP\/1\.1 408/);
    await lane.reported('end n1 client');
  });
});

test('a silent node is 504, and the failure counts against it', () => {
  const { now, pass } = manualNow();
  return withLane(startLane([() => {}], { now }), async (lane) => {
    const client = await lane.connect();
    client.write(GET);
    await lane.reported('send n1');
    await (await lane.nodes[0]!.connection()).heads();
    pass(lane, 30_001);
    assert.match(await client.sees('request '), /^HTTP\/1\.1 504/);
    assert.ok(lane.router.reports.includes('end n1 failed: no answer in time'));
  });
});

test('a node that falls silent within its answer is cut', () => {
  const { now, pass } = manualNow();
  const half = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf';
  return withLane(startLane([answering(() => half)], { now }), async (lane) => {
    const client = await lane.connect();
    await client.write(GET).sees('half');
    pass(lane, 59_000);
    assert.equal(client.hasEnded, false);
    pass(lane, 1_001);
    assert.ok((await client.ended()).endsWith('half'));
  });
});

test('an idle client connection is closed after its time, one in use is not', () => {
  const { now, pass } = manualNow();
  return withLane(startLane([answering(() => ok())], { now, keepAliveMs: 600_000 }), async (lane) => {
    const client = await lane.connect();
    await client.write(GET).sees('\r\n\r\nok');
    pass(lane, 59_000);
    client.received = '';
    await client.write(GET).sees('\r\n\r\nok');
    pass(lane, 59_000);
    client.received = '';
    await client.write(GET).sees('\r\n\r\nok');
    pass(lane, 60_001);
    await client.ended();
  });
});

test('a slow client does not make its node look slow', () => {
  const { now, pass } = manualNow();
  const MEGABYTES = 16 * 1_048_576;
  return withLane(
    startLane([answering(() => `HTTP/1.1 200 OK\r\nContent-Length: ${MEGABYTES}\r\n\r\n${'x'.repeat(MEGABYTES)}`)], {
      now,
      limits: { clientStallMs: 600_000 },
    }),
    async (lane) => {
      const client = await lane.connect();
      client.socket.pause();
      client.write(GET);
      await lane.reported('head n1 200');
      await still(() => lane.router.nodes[0]!.counters.bytesFromNode);
      pass(lane, 300_000);
      assert.ok(!lane.router.reports.includes('end n1 failed'));
      client.socket.resume();
      await lane.reported('end n1 ok');
    },
  );
});

test('a client that does not read its answer for too long is cut', () => {
  const { now, pass } = manualNow();
  const MEGABYTES = 16 * 1_048_576;
  return withLane(
    startLane([answering(() => `HTTP/1.1 200 OK\r\nContent-Length: ${MEGABYTES}\r\n\r\n${'x'.repeat(MEGABYTES)}`)], {
      now,
    }),
    async (lane) => {
      const client = await lane.connect();
      client.socket.pause();
      client.write(GET);
      await lane.reported('head n1 200');
      await still(() => lane.router.nodes[0]!.counters.bytesFromNode);
      pass(lane, 60_001);
      assert.ok(lane.router.reports.includes('end n1 client'));
    },
  );
});
