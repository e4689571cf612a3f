/** Time limits of a single request, as the router sets them: each applies to that request and to no other one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RequestLimits, requestLimits } from '@rollcall/core';
import { ManualClock } from '@rollcall/core/testing';
import { type Lane, startLane } from './lane.fixture.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import type { RawClient } from './raw-client.fixture.ts';
import { answering, type RawNodeConnection } from './raw-node.fixture.ts';
import { withLane } from './with-lane.fixture.ts';

const HOST = 'Host: shop.example\r\n';
const NONE = Number.POSITIVE_INFINITY;
/** Longer than each default limit. */
const HOURS_MS = 10 * 3_600_000;

function limits(changes: Partial<RequestLimits>): RequestLimits {
  return requestLimits((key) => changes[key] ?? DEFAULT_LIMITS[key]);
}

interface TimedLane extends Lane {
  /** Advances the clock of the engine. */
  pass(ms: number): void;
}

/** A lane whose router gives requests the limits of their target. */
function withLimits(
  serve: (connection: RawNodeConnection) => void,
  byTarget: Readonly<Record<string, RequestLimits>>,
  run: (lane: TimedLane) => Promise<void>,
): Promise<void> {
  const clock = new ManualClock();
  const options = { now: () => clock.nowMs(), limits: { minBodyBytesPerSecond: 0 }, healthPath: '/settled' };
  return withLane(startLane([serve], options), async (lane) => {
    lane.router.limitsOf = (target) => byTarget[target];
    const pass = (ms: number): void => {
      clock.advance(ms);
      lane.engine.checkDeadlines();
    };
    await run({ ...lane, pass });
  });
}

/** Resolves when the engine has read everything that was written before. */
async function settled(lane: Lane): Promise<void> {
  const other = await lane.connect();
  await other.write(`GET /settled HTTP/1.1\r\n${HOST}\r\n`).sees('\r\n\r\n');
  other.close();
}

/** Sends a request on a connection of its own, and waits until a node has it. */
async function sent(lane: Lane, target: string, number: number, lines = ''): Promise<RawClient> {
  const client = await lane.connect();
  client.write(`GET ${target} HTTP/1.1\r\n${HOST}${lines}\r\n`);
  await (await lane.nodes[0]!.connection(number)).heads();
  return client;
}

test('upstream-timeout: 504 after the time of the path, while other paths wait longer or without end', () =>
  withLimits(
    () => {},
    { '/fast': limits({ upstreamTimeoutMs: 1_000 }), '/none': limits({ upstreamTimeoutMs: NONE }) },
    async (lane) => {
      const fast = await sent(lane, '/fast', 1);
      const other = await sent(lane, '/other', 2);
      const none = await sent(lane, '/none', 3);
      lane.pass(1_001);
      assert.match(await fast.sees('request '), /^HTTP\/1\.1 504/);
      assert.equal(other.received, '');
      lane.pass(29_000);
      assert.match(await other.sees('request '), /^HTTP\/1\.1 504/);
      lane.pass(HOURS_MS);
      assert.equal(none.received, '');
      (await lane.nodes[0]!.connection(3)).write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      assert.match(await none.sees('\r\n\r\nok'), /^HTTP\/1\.1 200/);
    },
  ));

test('a limit ends with its request: the next one on both connections has its own', () =>
  withLimits(
    (connection) => void connection.heads().then(() => connection.write('HTTP/1.1 204 No Content\r\n\r\n')),
    { '/none': limits({ upstreamTimeoutMs: NONE }) },
    async (lane) => {
      const client = await sent(lane, '/none', 1);
      await client.sees('\r\n\r\n');
      client.received = '';
      client.write(`GET /other HTTP/1.1\r\n${HOST}\r\n`);
      await (await lane.nodes[0]!.connection()).heads(2);
      lane.pass(30_001);
      assert.match(await client.sees('request '), /^HTTP\/1\.1 504/);
    },
  ));

test('upstream-timeout none: a request that cannot be repeated is 504 when its node is lost', () =>
  withLimits(
    () => {},
    { '/none': limits({ upstreamTimeoutMs: NONE }) },
    async (lane) => {
      const client = await lane.connect();
      client.write(`POST /none HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nok`);
      await (await lane.nodes[0]!.connection()).heads();
      await settled(lane);
      const [lost] = lane.router.nodes.splice(0);
      lane.router.onNodeLost(lost!);
      assert.match(await client.sees('request '), /^HTTP\/1\.1 504/);
    },
  ));

test('upstream-idle and event-stream-idle: silence within an answer is bounded by path', () => {
  const head = (type: string): string => `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: 9\r\n\r\nhalf`;
  const type = (target: string): string => (target.startsWith('/events') ? 'text/event-stream' : 'text/plain');
  return withLimits(
    answering((target) => head(type(target))),
    {
      '/short': limits({ upstreamIdleMs: 1_000 }),
      '/none': limits({ upstreamIdleMs: NONE }),
      '/events': limits({ upstreamIdleMs: 1_000, eventStreamIdleMs: 5_000 }),
      '/events/none': limits({ eventStreamIdleMs: NONE }),
    },
    async (lane) => {
      const begin = async (target: string): Promise<RawClient> => {
        const client = await lane.connect();
        await client.write(`GET ${target} HTTP/1.1\r\n${HOST}\r\n`).sees('half');
        return client;
      };
      const [short, none, events, endless] = [
        await begin('/short'),
        await begin('/none'),
        await begin('/events'),
        await begin('/events/none'),
      ];
      lane.pass(1_001);
      await short.ended();
      assert.equal(events.hasEnded, false);
      lane.pass(4_000);
      await events.ended();
      // The first deadline of an event stream is the one of other answers.
      lane.pass(60_001);
      lane.pass(HOURS_MS);
      await settled(lane);
      assert.deepEqual([none.hasEnded, endless.hasEnded], [false, false]);
    },
  );
});

test('tunnel-idle: silence of a tunnel is bounded by path', () =>
  withLimits(
    (connection) =>
      void connection
        .heads()
        .then(() =>
          connection.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
        ),
    { '/short': limits({ tunnelIdleMs: 1_000 }), '/none': limits({ tunnelIdleMs: NONE }) },
    async (lane) => {
      const ask =
        'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
      const short = await sent(lane, '/short', 1, ask);
      await short.sees('\r\n\r\n');
      const none = await sent(lane, '/none', 2, ask);
      await none.sees('\r\n\r\n');
      lane.pass(600);
      const node = await lane.nodes[0]!.connection();
      short.write('no frames');
      await node.until(() => node.received.endsWith('no frames'));
      lane.pass(600);
      assert.equal(short.hasEnded, false, 'each octet starts the time again');
      // Behind octets that are no frame there is no close frame.
      node.write('no frames');
      await short.sees('no frames');
      lane.pass(1_001);
      await short.ended();
      lane.pass(HOURS_MS);
      none.received = '';
      (await lane.nodes[0]!.connection(2)).write('still open');
      assert.equal(await none.sees('still open'), 'still open');
    },
  ));

test('body-timeout: a silent client is 408 after the time of the path', () =>
  withLimits(
    () => {},
    { '/short': limits({ bodyTimeoutMs: 1_000 }), '/long': limits({ bodyTimeoutMs: 90_000 }) },
    async (lane) => {
      const clients: RawClient[] = [];
      for (const target of ['/short', '/long']) {
        const client = await lane.connect();
        client.write(`POST ${target} HTTP/1.1\r\n${HOST}Content-Length: 100\r\n\r\n`);
        await (await lane.nodes[0]!.connection(clients.length + 1)).heads();
        clients.push(client);
      }
      const [short, long] = clients;
      lane.pass(900);
      short!.write('x');
      await settled(lane);
      lane.pass(900);
      assert.equal(short!.received, '', 'each octet starts the time again');
      lane.pass(101);
      assert.match(await short!.ended(), /^HTTP\/1\.1 408/);
      lane.pass(60_000);
      assert.equal(long!.received, '');
      lane.pass(30_000);
      assert.match(await long!.ended(), /^HTTP\/1\.1 408/);
    },
  ));
