import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { NodeSessions } from '@rollcall/core';
import { ManualClock } from '@rollcall/core/testing';
import { type Lane, startLane } from './lane.fixture.ts';
import type { RawClient } from './raw-client.fixture.ts';
import type { RawNodeConnection } from './raw-node.fixture.ts';
import { still } from './still.fixture.ts';
import { withLane } from './with-lane.fixture.ts';

const ASK =
  'GET /ws HTTP/1.1\r\nHost: shop.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const AGREED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

/** Accepts an upgrade, and then leaves the connection to the test. */
const agreeing = (connection: RawNodeConnection): void => {
  void connection.heads().then(() => connection.write(AGREED));
};

async function upgrade(lane: Lane): Promise<{ client: RawClient; node: RawNodeConnection }> {
  const client = await lane.connect();
  await client.write(ASK).sees('\r\n\r\n');
  const node = await lane.nodes[0]!.connection();
  node.received = '';
  client.received = '';
  return { client, node };
}

test('an accepted upgrade is a tunnel, counted separately from requests in flight', () =>
  withLane(startLane([agreeing]), async (lane) => {
    const client = await lane.connect();
    const head = await client.write(ASK).sees('\r\n\r\n');
    assert.equal(head, AGREED);
    const node = await lane.nodes[0]!.connection();
    assert.match(node.received, /\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n$/);
    client.write('to node');
    await node.until(() => node.received.endsWith('to node'));
    node.write('to client');
    await client.sees('to client');
    assert.equal(lane.router.nodes[0]!.counters.tunnels, 1);
    assert.equal(lane.router.nodes[0]!.live.inFlight, 0);
    assert.equal(lane.engine.scoreboard().connections[0]!.state, 'tunnel');
    client.close();
    await node.closed();
    node.socket.end();
    await still(() => lane.router.nodes[0]!.counters.tunnels);
    assert.equal(lane.router.nodes[0]!.counters.tunnels, 0);
  }));

test('octets directly behind the 101, and octets of the client before it, are not lost', () =>
  withLane(
    startLane([(connection) => void connection.heads().then(() => connection.write(`${AGREED}early`))]),
    async (lane) => {
      const client = await lane.connect();
      client.write(`${ASK}also early`);
      assert.ok((await client.sees('early')).endsWith('early'));
      const node = await lane.nodes[0]!.connection();
      await node.until(() => node.received.endsWith('also early'));
    },
  ));

test('octets that a node sent before it reset the tunnel reach the client', () =>
  withLane(startLane([agreeing]), async (lane) => {
    const { client, node } = await upgrade(lane);
    // In one turn: the engine finds the octets of the client before the last octets of the node and the reset.
    client.write('more');
    node.write('last words');
    node.socket.resetAndDestroy();
    assert.equal(await client.ended(), 'last words');
  }));

test('one side may end while the other still sends', () =>
  withLane(startLane([agreeing]), async (lane) => {
    const { client, node } = await upgrade(lane);
    client.socket.end('last words');
    await node.until(() => node.received === 'last words' && node.socket.readableEnded);
    const long = 'x'.repeat(3_000_000);
    node.socket.end(long);
    assert.equal((await client.ended()).length, long.length);
    await lane.nodes[0]!.connections[0]!.closed();
  }));

test('the node may end while the client still sends', () =>
  withLane(startLane([agreeing]), async (lane) => {
    const { client, node } = await upgrade(lane);
    node.socket.end('last words');
    assert.equal(await client.ended(), 'last words');
    const long = 'x'.repeat(3_000_000);
    client.socket.end(long);
    await node.until(() => node.received.length === long.length && node.socket.readableEnded);
    await client.closed();
    assert.equal(lane.router.nodes[0]!.counters.tunnels, 0);
  }));

test('a tunnel continues after its node has left the cluster, until it is ended with a grace', () =>
  withLane(startLane([agreeing]), async (lane) => {
    const { client, node } = await upgrade(lane);
    const [upstream] = lane.router.nodes;
    lane.router.nodes.length = 0;
    lane.router.onNodeGone(upstream!);
    lane.router.onChange();
    client.write('still here');
    await node.until(() => node.received === 'still here');
    node.write('so am I');
    assert.equal(await client.sees('so am I'), 'so am I');
    assert.equal(upstream!.counters.tunnels, 1);
    lane.engine.endTunnels(upstream!, 0);
    lane.engine.checkDeadlines();
    await client.ended();
    await node.closed();
    assert.equal(upstream!.counters.tunnels, 0);
  }));

test('a refused upgrade is an ordinary answer', () =>
  withLane(
    startLane([
      (connection) =>
        void connection.heads().then(() => connection.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')),
    ]),
    async (lane) => {
      const client = await lane.connect();
      assert.match(await client.write(ASK).sees('\r\n\r\nno'), /^HTTP\/1\.1 403/);
      assert.equal(lane.router.nodes[0]!.counters.tunnels, 0);
    },
  ));

test('an unexpected 101, or a 101 for another protocol, is 502', () =>
  withLane(
    startLane([
      (connection) =>
        void connection
          .heads()
          .then(() =>
            connection.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nRAW'),
          ),
    ]),
    async (lane) => {
      for (const text of [ASK, 'GET /a HTTP/1.1\r\nHost: shop.example\r\n\r\n']) {
        const client = await lane.connect();
        const answer = await client.write(text).sees('request ');
        assert.match(answer, /^HTTP\/1\.1 502/);
        assert.ok(!answer.includes('RAW'));
      }
    },
  ));

test('other protocols than WebSocket are not forwarded to the node', () =>
  withLane(startLane([(connection) => void connection.heads()]), async (lane) => {
    const client = await lane.connect();
    client.write(
      'GET /a HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n',
    );
    const node = await lane.nodes[0]!.connection();
    await node.heads();
    assert.doesNotMatch(node.received, /upgrade|http2-settings|connection:/i);
  }));

test('without frames a silent tunnel ends after its idle time, and a tunnel to a stopped node after the grace, even if busy', () => {
  const clock = new ManualClock();
  return withLane(startLane([agreeing], { now: () => clock.nowMs() }), async (lane) => {
    const silent = await upgrade(lane);
    silent.client.write('no frames');
    await silent.node.until(() => silent.node.received === 'no frames');
    silent.node.write('no frames');
    await silent.client.sees('no frames');
    clock.advance(3_600_001);
    lane.engine.checkDeadlines();
    await silent.client.ended();
    await silent.node.closed();

    const client = await lane.connect();
    await client.write(ASK).sees('\r\n\r\n');
    const node = await lane.nodes[0]!.connection(2);
    node.write('no frames');
    await client.sees('no frames');
    client.write('no frames');
    await node.until(() => node.received.endsWith('no frames'));
    lane.engine.endTunnels(lane.router.nodes[0]!, 5_000);
    clock.advance(4_000);
    lane.engine.checkDeadlines();
    client.write('still here');
    await node.until(() => node.received.endsWith('still here'));
    clock.advance(1_001);
    lane.engine.checkDeadlines();
    await node.closed();
    await client.ended();
  });
});

test('a tunnel without frames keeps its session active, whichever side ends first; then the idle time of the session begins', async () => {
  const idleMs = 60_000;
  const ends: Readonly<Record<string, (client: RawClient, node: RawNodeConnection) => void>> = {
    client: (client) => client.close(),
    node: (_client, node) => node.socket.destroy(),
  };
  for (const [side, end] of Object.entries(ends)) {
    const clock = new ManualClock();
    const sessions = new NodeSessions(idleMs, 1);
    await withLane(startLane([agreeing], { now: () => clock.nowMs() }), async (lane) => {
      lane.router.holdSession = ({ node }, nowMs) => {
        assert.equal(node, lane.router.nodes[0]);
        return sessions.hold('a', nowMs);
      };
      const { client, node } = await upgrade(lane);
      clock.advance(10 * idleMs);
      assert.equal(sessions.count(clock.nowMs()), 1, side);
      end(client, node);
      await node.closed();
      node.socket.end();
      client.close();
      await still(() => lane.router.nodes[0]!.counters.tunnels);
      assert.equal(lane.router.nodes[0]!.counters.tunnels, 0, side);
      clock.advance(idleMs);
      assert.equal(sessions.count(clock.nowMs()), 1, side);
      clock.advance(idleMs / 8);
      assert.equal(sessions.count(clock.nowMs()), 0, side);
    });
  }
});

test('megabytes in both directions through several tunnels with stalls arrive unchanged', () =>
  withLane(startLane([agreeing]), async (lane) => {
    const tunnels: { client: RawClient; node: RawNodeConnection; payload: string }[] = [];
    for (let i = 1; i <= 3; i++) {
      const client = await lane.connect();
      await client.write(ASK).sees('\r\n\r\n');
      const node = await lane.nodes[0]!.connection(i);
      client.received = '';
      node.received = '';
      client.socket.pause();
      node.socket.pause();
      const payload = randomBytes(6_000_000).toString('latin1');
      client.write(payload);
      node.write(payload);
      await still(() => lane.router.nodes[0]!.counters.bytesFromNode + lane.router.nodes[0]!.counters.bytesToNode);
      tunnels.push({ client, node, payload });
    }
    const digest = (text: string): string => createHash('sha256').update(text, 'latin1').digest('hex');
    for (const { client, node, payload } of tunnels) {
      client.socket.resume();
      node.socket.resume();
      await client.until(() => client.received.length === payload.length);
      await node.until(() => node.received.length === payload.length);
      assert.equal(digest(client.received), digest(payload));
      assert.equal(digest(node.received), digest(payload));
    }
  }));
