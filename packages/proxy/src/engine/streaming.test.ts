/** Messages are forwarded piece by piece: each test writes the next piece after the last one has arrived. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startLane } from './lane.fixture.ts';
import type { RawNodeConnection } from './raw-node.fixture.ts';
import { answering, ok } from './raw-node.fixture.ts';
import { withLane } from './with-lane.fixture.ts';

const HOST = 'Host: shop.example\r\n';
const EVENTS = ['data: one\n\n', 'data: two\n\n', 'data: three\n\n'];

const FRAMINGS = [
  {
    name: 'in chunks',
    head: 'Transfer-Encoding: chunked\r\n',
    frame: (event: string) => `${event.length.toString(16)}\r\n${event}\r\n`,
    end: '0\r\n\r\n',
  },
  {
    name: 'by length',
    head: `Content-Length: ${EVENTS.join('').length}\r\n`,
    frame: (event: string) => event,
    end: '',
  },
  { name: 'until the connection closes', head: '', frame: (event: string) => event, end: '' },
];

for (const { name, head, frame, end } of FRAMINGS)
  for (const version of ['1.1', '1.0'])
    test(`events ${name} reach an HTTP/${version} client one by one`, () =>
      withLane(startLane([() => {}]), async (lane) => {
        const client = await lane.connect();
        client.write(`GET /events HTTP/${version}\r\n${HOST}Accept: text/event-stream\r\n\r\n`);
        const node = await lane.nodes[0]!.connection();
        await node.heads();
        node.write(`HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n${head}\r\n`);
        // The head is forwarded before the first event.
        assert.match(await client.sees('\r\n\r\n'), /^HTTP\/1\.1 200 OK\r\nContent-Type: text\/event-stream\r\n/);
        for (const event of EVENTS) {
          node.write(frame(event));
          assert.ok((await client.sees(event)).includes(event));
        }
        if (end !== '') node.write(end);
        if (head === '') node.socket.end();
        await lane.reported('end n1 ok');
      }));

test('an upload reaches its node piece by piece, and the answer to a long poll is forwarded when it arrives', () =>
  withLane(startLane([() => {}]), async (lane) => {
    const client = await lane.connect();
    client.write(`POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`);
    const node = await lane.nodes[0]!.connection();
    await node.heads();
    for (const piece of ['first', 'second']) {
      client.write(`${piece.length.toString(16)}\r\n${piece}\r\n`);
      await node.until(() => node.received.includes(piece));
    }
    client.write('0\r\n\r\n');
    await node.until(() => node.received.endsWith('0\r\n\r\n'));
    assert.equal(lane.router.nodes[0]!.live.inFlight, 1);
    node.write(ok('at last'));
    assert.match(await client.sees('at last'), /^HTTP\/1\.1 200 OK/);
  }));

test('a node that keeps sending behind its answer is closed, and the answer stays valid', () => {
  let written = 0;
  const endless = (connection: RawNodeConnection): void => {
    connection.socket.once('data', () => {
      connection.write(ok('whole'));
      const more = (): void => {
        while (!connection.socket.destroyed && connection.socket.write('POISON'.repeat(1_000))) written++;
      };
      connection.socket.on('drain', more);
      setImmediate(more);
    });
  };
  return withLane(startLane([endless], { keepAliveMs: 60_000 }), async (lane) => {
    const client = await lane.connect();
    const answer = await client.write(`GET /a HTTP/1.1\r\n${HOST}\r\n`).sees('whole');
    assert.match(answer, /^HTTP\/1\.1 200 [\s\S]*whole$/);
    const node = await lane.nodes[0]!.connection();
    await node.until(() => node.isClosed);
    assert.ok(
      lane.router.nodes[0]!.counters.bytesFromNode < 1_000_000,
      `${lane.router.nodes[0]!.counters.bytesFromNode} read`,
    );
    assert.ok(written < 10_000, `${written} times`);
    assert.equal(client.received, answer, 'nothing of it reached the client');
    assert.equal(client.isClosed, false, 'its connection stays open');
  });
});

test('unexpected octets of a node do not answer a request of the same turn', () =>
  withLane(startLane([answering((target) => ok(`at ${target}`))], { keepAliveMs: 60_000 }), async (lane) => {
    const client = await lane.connect();
    for (let round = 0; round < 50; round++) {
      await client.write(`GET /first HTTP/1.1\r\n${HOST}\r\n`).sees('at /first');
      client.received = '';
      const node = lane.nodes[0]!.connections.at(-1)!;
      // The octets are in the engine's socket before the request, so they answer no request.
      await new Promise<void>((resolve) => node.socket.write(ok('POISON'), () => resolve()));
      client.write(`GET /second HTTP/1.1\r\n${HOST}\r\n`);
      await client.until(() => /at \/second|POISON/.test(client.received) || client.isClosed);
      assert.ok(!client.received.includes('POISON'), client.received);
      client.received = '';
    }
  }));
