import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  AGENT_SUBPROTOCOL,
  type AgentMessage,
  encode,
  type NodeRegistration,
  type RegisteredMessage,
} from '@rollcall/protocol';
import { WebSocket } from 'ws';
import { toRegistration } from '../registration.ts';
import { ManualTimers } from '../testing/manual-timers.ts';
import { NodeSocket, type NodeSocketListener } from './node-socket.ts';
import { instanceOf, newSecret, nodeSocketText, nodeSocketUrl, parseNodeSocket } from './node-socket-name.ts';

const NODE = toRegistration(
  {},
  { id: 'n1', route: 'n1', url: 'http://127.0.0.1:3000', instance: '0'.repeat(32), incarnation: 1 },
);
assert.ok(!('code' in NODE));
const REGISTERED: RegisteredMessage = {
  type: 'registered',
  node: NODE,
  heartbeatMs: 1_000,
  suspectMs: 3_000,
  leaseMs: 20_000,
  epoch: 'e',
  coordinators: ['ws://elsewhere:8400'],
  warnings: [{ code: 'unreachable', message: 'for the leader' }],
};

async function setUp(t: TestContext, listener: Partial<NodeSocketListener> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'node-socket-'));
  const name = { path: join(directory, 'node.sock'), secret: newSecret() };
  const timers = new ManualTimers();
  const quiet = { judge: () => undefined, onRegistered() {}, onEnd() {}, onNews() {}, onRequestedStatus() {} };
  const socket = await NodeSocket.listen({ name, timers, listener: { ...quiet, ...listener } });
  t.after(() => {
    socket.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const connect = (secret = name.secret) => {
    const ws = new WebSocket(nodeSocketUrl(name), AGENT_SUBPROTOCOL, {
      headers: { authorization: `Bearer ${secret}` },
    });
    const messages: { type: string; [field: string]: unknown }[] = [];
    const waiting = new Set<() => void>();
    ws.on('message', (data) => {
      messages.push(JSON.parse(String(data)));
      for (const wake of waiting) wake();
    });
    ws.on('error', () => undefined);
    t.after(() => ws.terminate());
    return {
      ws,
      messages,
      send: (message: AgentMessage) => ws.send(encode(message)),
      async next(type: string) {
        for (;;) {
          const at = messages.findIndex((message) => message.type === type);
          if (at >= 0) return messages.splice(at, 1)[0]!;
          await new Promise<void>((resolve) => waiting.add(resolve));
        }
      },
    };
  };
  const joined = async (node: NodeRegistration = NODE as NodeRegistration) => {
    const peer = connect();
    await once(peer.ws, 'open');
    const before = socket.nodes.length;
    peer.send({ type: 'register', node });
    while (socket.nodes.length === before) await new Promise((resolve) => setImmediate(resolve));
    return peer;
  };
  return { socket, name, timers, connect, joined };
}

test('the name of a socket survives formatting and parsing, and an invalid name is undefined', () => {
  const name = { path: '/tmp/x/node.sock', secret: newSecret() };
  assert.deepEqual(parseNodeSocket(nodeSocketText(name)), name);
  assert.match(instanceOf(name), /^[0-9a-f]{32}$/);
  assert.notEqual(instanceOf(name), instanceOf({ ...name, secret: newSecret() }));
  for (const text of ['', '{}', 'unix:relative#0123456789abcdef', 'unix:/x#short', `unix:/a:b#${name.secret}`, '/x'])
    assert.equal(parseNodeSocket(text), undefined, text);
});

test('only this user may connect, and only with the secret', async (t) => {
  const { name, connect } = await setUp(t);
  assert.equal(statSync(name.path).mode & 0o777, 0o600);
  const intruder = connect('wrong');
  const [error] = (await once(intruder.ws, 'error')) as [Error];
  assert.match(error.message, /401/);
});

test('messages of the coordinator reach all reporting processes, also later ones', async (t) => {
  const { socket, joined } = await setUp(t);
  const first = await joined();
  socket.registered(REGISTERED);
  const heard = await first.next('registered');
  assert.deepEqual([heard['coordinators'], heard['warnings']], [[], []]);
  const second = await joined();
  await second.next('registered');
  socket.disconnected('lost the coordinator');
  assert.equal((await first.next('disconnected'))['message'], 'lost the coordinator');
  socket.send({ type: 'status', status: 'draining' });
  await second.next('status');
});

test('numbers are combined while they are fresh, with their scales once after each registration', async (t) => {
  let news = 0;
  const { socket, timers, joined } = await setUp(t, { onNews: () => (news += 1) });
  const peers = [await joined(), await joined()];
  socket.registered(REGISTERED);
  assert.equal(socket.report(), undefined);
  const scales = { cpu: { capacity: 1, weight: 1 } };
  for (const peer of peers) peer.send({ type: 'heartbeat', load: 0.5, sessions: 3, metrics: { cpu: 0.5 }, scales });
  while (news < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(socket.report(), {
    load: 0.5,
    sessions: 6,
    metrics: { cpu: 0.5 },
    scales: { cpu: { capacity: 2, weight: 1 } },
  });
  assert.equal(socket.report()?.scales, undefined);
  timers.advance(3_001);
  assert.equal(socket.report(), undefined);
});

test('the drain of one of several processes is complete at once, that of the last when the cluster confirms it', async (t) => {
  let requested = 0;
  const { socket, joined } = await setUp(t, { onRequestedStatus: () => (requested += 1) });
  const [first, second] = [await joined(), await joined()];
  const stop = { type: 'status', status: 'stopped', reason: 'SIGTERM', deadlineMs: 8_000 } as const;
  first.send(stop);
  await first.next('drained');
  assert.equal(socket.requestedStatus.status, 'enabled');
  first.send({ type: 'leave' });
  await once(first.ws, 'close');
  second.send(stop);
  while (requested < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(socket.requestedStatus, { status: 'stopped', reason: 'SIGTERM', deadlineMs: 8_000 });
  assert.equal(second.messages.length, 0);
  socket.drained();
  await second.next('drained');
});

test('a process that does not belong to the node is refused with the reason', async (t) => {
  const fault = { code: 'not-this-node', message: 'serves port 4001' } as const;
  const { socket, connect } = await setUp(t, { judge: () => fault });
  const peer = connect();
  await once(peer.ws, 'open');
  peer.send({ type: 'register', node: NODE as NodeRegistration });
  const [code] = (await once(peer.ws, 'close')) as [number];
  assert.equal(code, 4403);
  assert.equal((await peer.next('error'))['message'], 'serves port 4001');
  assert.deepEqual(socket.nodes, []);
});

test('the connection of a silent process, or after an invalid message, is closed', async (t) => {
  const { timers, connect } = await setUp(t);
  const silent = connect();
  await once(silent.ws, 'open');
  const garbled = connect();
  await once(garbled.ws, 'open');
  garbled.ws.send('{"type":');
  await once(garbled.ws, 'close');
  timers.advance(5_000);
  await once(silent.ws, 'close');
});
