/** Upgraded connections that end get a close frame in each direction, between two frames, and in time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '@rollcall/core/testing';
import { closeFrame, maskedCloseFrame } from './close-frame.ts';
import { CLOSE_MS } from './close-time.ts';
import { type Lane, startLane } from './lane.fixture.ts';
import type { RawClient } from './raw-client.fixture.ts';
import type { RawNodeConnection } from './raw-node.fixture.ts';
import type { UpstreamNode } from './router.ts';
import { withLane } from './with-lane.fixture.ts';

const ASK =
  'GET /ws HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const AGREED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const TEXT = '\x81\x05hello';
const MASKED_TEXT = '\x81\x85\0\0\0\0hello';
const FRAGMENT = '\x01\x05hello';
const CLOSE_BYTES = 8;
const MASK = Buffer.from([1, 2, 3, 4]);

interface Open {
  readonly lane: Lane;
  readonly clock: ManualClock;
  readonly client: RawClient;
  readonly node: RawNodeConnection;
  readonly upstream: UpstreamNode;
  /** Time passes, and deadlines with it. */
  pass(ms: number): void;
}

const latin1 = (octets: Buffer): string => octets.toString('latin1');

/** Runs `run` with an upgraded connection; the random number of its closes is 0. */
async function withTunnel(run: (open: Open) => Promise<void>): Promise<void> {
  const clock = new ManualClock();
  const agreeing = (connection: RawNodeConnection): void => {
    void connection.heads().then(() => connection.write(AGREED));
  };
  await withLane(startLane([agreeing], { now: () => clock.nowMs(), rng: () => 0 }), async (lane) => {
    const client = await lane.connect();
    await client.write(ASK).sees('\r\n\r\n');
    const node = await lane.nodes[0]!.connection();
    client.received = '';
    node.received = '';
    const pass = (ms: number): void => {
      clock.advance(ms);
      lane.engine.checkDeadlines();
    };
    await run({ lane, clock, client, node, upstream: lane.router.nodes[0]!, pass });
  });
}

/** The code of the masked close frame at the end of what the node has received, after `before`. */
async function codeAtNode(node: RawNodeConnection, before = ''): Promise<number> {
  await node.until(() => node.received.length >= before.length + CLOSE_BYTES);
  assert.equal(node.received.slice(0, before.length), before);
  const frame = Buffer.from(node.received.slice(before.length), 'latin1');
  assert.deepEqual([frame.length, frame[0], frame[1]], [CLOSE_BYTES, 0x88, 0x82]);
  return frame.readUInt16BE(6) ^ frame.readUInt16BE(2);
}

async function codeAtClient(client: RawClient, before = ''): Promise<number> {
  await client.until(() => client.received.length >= before.length + 4);
  assert.equal(client.received.slice(0, -2), `${before}\x88\x02`);
  return Buffer.from(client.received.slice(-2), 'latin1').readUInt16BE();
}

async function answerBoth({ client, node, upstream }: Open, code: 1001 | 1012 = 1001): Promise<void> {
  client.write(latin1(maskedCloseFrame(code, MASK)));
  node.write(latin1(closeFrame(code)));
  await client.ended();
  await node.closed();
  assert.equal(upstream.counters.tunnels, 0);
}

/** What ends an upgraded connection, the code, and whether it waits for its turn. */
const REASONS: readonly {
  readonly name: string;
  readonly code: 1001 | 1012;
  readonly begin: (open: Open) => void;
}[] = [
  { name: 'a silence', code: 1001, begin: ({ pass }) => pass(3_600_001) },
  {
    name: 'a stopped node',
    code: 1001,
    begin: ({ lane, upstream, pass }) => {
      lane.engine.endTunnels(upstream, 5_000);
      pass(0);
    },
  },
  {
    name: 'the deadline of a drain',
    code: 1001,
    begin: ({ lane, clock, upstream, pass }) => {
      Object.assign(upstream, { drainsUntilMs: clock.nowMs() + 60_000 });
      lane.engine.onDrainTime(upstream);
      pass(47_001);
    },
  },
  {
    name: 'the end of the worker',
    code: 1001,
    begin: ({ lane, pass }) => {
      void lane.engine.close(10_000);
      pass(1);
    },
  },
  {
    name: 'a reload',
    code: 1012,
    begin: ({ lane, pass }) => {
      void lane.engine.close(60_000, true);
      pass(47_001);
    },
  },
];

for (const { name, code, begin } of REASONS) {
  test(`${name}: both sides get ${code} and may answer`, () =>
    withTunnel(async (open) => {
      begin(open);
      assert.equal(await codeAtClient(open.client), code);
      assert.equal(await codeAtNode(open.node), code);
      await answerBoth(open, code);
    }));

  test(`${name}, within a frame of the node: the close follows the frame, and nothing the close`, () =>
    withTunnel(async (open) => {
      open.node.write(TEXT.slice(0, 4));
      await open.client.sees(TEXT.slice(0, 4));
      begin(open);
      assert.equal(await codeAtNode(open.node), code);
      assert.equal(open.client.received, TEXT.slice(0, 4));
      open.node.write(`${TEXT.slice(4)}${TEXT}`);
      assert.equal(await codeAtClient(open.client, TEXT), code);
      await answerBoth(open, code);
      assert.equal(open.client.received.length, TEXT.length + 4);
    }));

  test(`${name}, within a frame of the client: the same towards the node`, () =>
    withTunnel(async (open) => {
      open.client.write(MASKED_TEXT.slice(0, 5));
      await open.node.until(() => open.node.received.length === 5);
      begin(open);
      assert.equal(await codeAtClient(open.client), code);
      open.client.write(`${MASKED_TEXT.slice(5)}${MASKED_TEXT}`);
      assert.equal(await codeAtNode(open.node, MASKED_TEXT), code);
      await answerBoth(open, code);
    }));
}

test('a close may come between the fragments of a message', () =>
  withTunnel(async (open) => {
    open.node.write(FRAGMENT);
    await open.client.sees(FRAGMENT);
    open.lane.router.onNodeLost(open.upstream);
    assert.equal(await codeAtClient(open.client, FRAGMENT), 1001);
    await codeAtNode(open.node);
    await answerBoth(open);
  }));

for (const [name, silent] of [
  ['client', 'client'],
  ['node', 'node'],
] as const)
  test(`without an answer of the ${name} it ends after the time for a close`, () =>
    withTunnel(async (open) => {
      open.lane.engine.endTunnels(open.upstream, 60_000);
      open.pass(47_001);
      await codeAtClient(open.client);
      await codeAtNode(open.node);
      if (silent === 'client') open.node.write(latin1(closeFrame(1001)));
      else {
        open.client.write(latin1(maskedCloseFrame(1001, MASK)));
        await open.client.ended();
      }
      open.pass(CLOSE_MS + 1);
      await open.client.ended();
      await open.node.closed();
      assert.equal(open.upstream.counters.tunnels, 0);
    }));

test('a frame that does not end in time is cut', () =>
  withTunnel(async (open) => {
    open.node.write(TEXT.slice(0, 4));
    await open.client.sees(TEXT.slice(0, 4));
    open.lane.engine.endTunnels(open.upstream, 60_000);
    open.pass(47_001);
    await codeAtNode(open.node);
    open.pass(CLOSE_MS + 1);
    assert.equal(await open.client.ended(), TEXT.slice(0, 4));
    await open.node.closed();
  }));

test('a node that ends before its turn: the client gets the close of the drain', () =>
  withTunnel(async (open) => {
    Object.assign(open.upstream, { drainsUntilMs: open.clock.nowMs() + 60_000 });
    open.lane.engine.onDrainTime(open.upstream);
    open.node.socket.destroy();
    assert.equal(await codeAtClient(open.client), 1001);
    open.client.write(latin1(maskedCloseFrame(1001, MASK)));
    await open.client.ended();
    assert.equal(open.upstream.counters.tunnels, 0);
  }));

test('after a withdrawn drain the connection stays', () =>
  withTunnel(async (open) => {
    Object.assign(open.upstream, { drainsUntilMs: open.clock.nowMs() + 60_000 });
    open.lane.engine.onDrainTime(open.upstream);
    Object.assign(open.upstream, { drainsUntilMs: Number.POSITIVE_INFINITY });
    open.lane.engine.onDrainTime(open.upstream);
    open.pass(120_000);
    open.node.write(TEXT);
    assert.equal(await open.client.sees(TEXT), TEXT);
  }));

test('a close of the node itself is forwarded, and no second one follows', () =>
  withTunnel(async (open) => {
    const own = '\x88\x02\x03\xe8';
    open.node.write(own);
    await open.client.sees(own);
    open.lane.engine.endTunnels(open.upstream, 60_000);
    open.pass(47_001);
    await codeAtNode(open.node);
    open.client.write(latin1(maskedCloseFrame(1001, MASK)));
    assert.equal(await open.client.ended(), own);
  }));
