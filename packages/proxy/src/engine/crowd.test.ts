/** More connections than allowed: which are admitted, which are closed, and what is counted. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { REFUSALS, type Refusal } from '@rollcall/feed';
import type { Engine } from './engine.ts';
import { type Lane, startLane } from './lane.fixture.ts';
import { RawClient } from './raw-client.fixture.ts';
import type { RawNodeConnection } from './raw-node.fixture.ts';
import { withLane } from './with-lane.fixture.ts';

async function greet(connection: RawNodeConnection): Promise<void> {
  for (let count = 1; ; count++) {
    await connection.heads(count);
    connection.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
  }
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

function refusals(engine: Engine): Partial<Record<Refusal, number>> {
  const counts = engine.counters(0).refusals;
  return Object.fromEntries(REFUSALS.map((refusal, i) => [refusal, counts[i]]).filter(([, count]) => count !== 0));
}

/** A client at another address of this machine. */
async function connectFrom(lane: Lane, localAddress: string): Promise<RawClient> {
  const socket = net.connect({ host: '127.0.0.1', port: lane.port, localAddress, allowHalfOpen: true });
  await new Promise((resolve) => socket.once('connect', resolve));
  return new RawClient(socket);
}

test('one address cannot use all connections', () =>
  withLane(startLane([greet], { limits: { maxConnections: 10, maxConnectionsPerAddress: 2 } }), async (lane) => {
    const greedy = [await connectFrom(lane, '127.0.0.2'), await connectFrom(lane, '127.0.0.2')];
    const third = await connectFrom(lane, '127.0.0.2');
    await third.ended();
    const other = await connectFrom(lane, '127.0.0.3');
    assert.match(await other.write(REQUEST).sees('hello'), /^HTTP\/1\.1 200 /);
    assert.deepEqual(refusals(lane.engine), { 'connections-per-address': 1 });
    // A released place is used again.
    greedy[0]!.close();
    while (lane.engine.admitted > 2) await new Promise((resolve) => setImmediate(resolve));
    const fourth = await connectFrom(lane, '127.0.0.2');
    assert.match(await fourth.write(REQUEST).sees('hello'), /200/);
    for (const client of [...greedy, third, other, fourth]) client.close();
  }));

test('trusted proxies may use all connections', () =>
  withLane(
    startLane([greet], { limits: { maxConnections: 10, maxConnectionsPerAddress: 1 }, trustedProxies: ['127.0.0.2'] }),
    async (lane) => {
      const clients = [];
      for (let i = 0; i < 5; i++) clients.push(await connectFrom(lane, '127.0.0.2'));
      for (const client of clients) assert.match(await client.write(REQUEST).sees('hello'), /200/);
      assert.deepEqual(refusals(lane.engine), {});
      for (const client of clients) client.close();
    },
  ));

test('without room, connections without a request are closed first, then idle ones', () =>
  withLane(startLane([greet], { limits: { maxConnections: 3 } }), async (lane) => {
    const user = await lane.connect();
    await user.write(REQUEST).sees('hello');
    const loris = [await lane.connect(), await lane.connect()];
    loris[0]!.write('GET / HT');
    while (lane.engine.admitted < 3) await new Promise((resolve) => setImmediate(resolve));

    const newcomer = await lane.connect();
    await newcomer.write(REQUEST).sees('hello');
    await loris[0]!.ended();
    const another = await lane.connect();
    await another.write(REQUEST).sees('hello');
    await loris[1]!.ended();
    assert.deepEqual(refusals(lane.engine), { connections: 2 });
    assert.equal(user.isClosed, false);

    const last = await lane.connect();
    await last.write(REQUEST).sees('hello');
    await user.ended();
    assert.equal(newcomer.isClosed || newcomer.hasEnded, false);
  }));

test('busy connections are not closed for a new one', () =>
  withLane(startLane([() => {}], { limits: { maxConnections: 2 } }), async (lane) => {
    const busy = [await lane.connect(), await lane.connect()];
    for (const client of busy) client.write(REQUEST);
    await lane.reported('send n1', 2);
    const newcomer = await lane.connect();
    await newcomer.ended();
    assert.deepEqual(refusals(lane.engine), { connections: 1 });
    assert.equal(
      busy.some(({ isClosed, hasEnded }) => isClosed || hasEnded),
      false,
    );
  }));

test('the answer to the last allowed request announces the close', () =>
  withLane(startLane([greet], { limits: { maxRequestsPerConnection: 2 } }), async (lane) => {
    const client = await lane.connect();
    const first = await client.write(REQUEST).sees('hello');
    assert.doesNotMatch(first, /connection: close/i);
    const both = await client.write(REQUEST).ended();
    assert.match(both.slice(first.length), /connection: close/i);
    assert.match(both, /hello$/);
  }));

test('each kind of refusal has its counter', () =>
  withLane(startLane([greet], { limits: { maxLineBytes: 1_024, headerTimeoutMs: 1 } }), async (lane) => {
    const cases: readonly (readonly [Refusal, string])[] = [
      ['bad-request', 'GET / HTTP/1.1\r\n\r\n'],
      ['too-large', `GET /${'a'.repeat(2_000)} HTTP/1.1\r\nHost: a\r\n\r\n`],
      ['header-timeout', 'GET / HT'],
      ['bad-body', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ];
    for (const [refusal, text] of cases) {
      const before = refusals(lane.engine)[refusal] ?? 0;
      const client = await lane.connect();
      await client.write(text).ended();
      assert.equal((refusals(lane.engine)[refusal] ?? 0) - before, 1, refusal);
    }
  }));
