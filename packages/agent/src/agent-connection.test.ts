import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import {
  AgentConnection,
  CONNECT_TIMEOUT_MS,
  type ConnectionEnd,
  type ConnectionListener,
} from './agent-connection.ts';
import { ManualTimers } from './testing/manual-timers.ts';
import { startScriptedCoordinator } from './testing/scripted-coordinator.ts';
import { systemTimers } from './timers.ts';

function listening(): {
  listener: ConnectionListener;
  ended: Promise<ConnectionEnd>;
  opened: Promise<string>;
  faults: string[];
} {
  const faults: string[] = [];
  let onOpen: (address: string) => void = () => {};
  let onEnd: (end: ConnectionEnd) => void = () => {};
  const opened = new Promise<string>((resolve) => (onOpen = resolve));
  const ended = new Promise<ConnectionEnd>((resolve) => (onEnd = resolve));
  const listener = {
    onOpen,
    onEnd,
    onMessage: () => {},
    onMalformed: (fault: { code: string }) => void faults.push(fault.code),
  };
  return { listener, ended, opened, faults };
}

test('a connect without an answer is aborted after 1 s', async () => {
  const timers = new ManualTimers();
  const { listener, ended } = listening();
  // The timeout expires before the event loop can connect, as with an address that drops packets.
  new AgentConnection('ws://127.0.0.1:9/v1/agent', undefined, timers, listener);
  timers.advance(CONNECT_TIMEOUT_MS);
  const end = await ended;
  assert.deepEqual([end.wasOpen, end.code, end.detail], [false, 1006, 'no answer in 1 s']);
  assert.equal(timers.size, 0);
});

test('an accepted connection without an upgrade is aborted', async (t) => {
  const server = createServer((socket) => socket.on('error', () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const timers = new ManualTimers();
  const { listener, ended } = listening();
  new AgentConnection(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/agent`, undefined, timers, listener);
  const [socket] = await once(server, 'connection');
  await once(socket, 'data');
  timers.advance(4_999);
  timers.advance(1);
  const end = await ended;
  assert.deepEqual(
    [end.wasOpen, end.detail],
    [false, 'connected, but no answer to the upgrade in 5 s: not a Rollcall port?'],
  );
});

test('a refused upgrade ends with its HTTP status', async (t) => {
  const coordinator = await startScriptedCoordinator();
  t.after(() => coordinator.close());
  coordinator.refuseWith(401);
  const { listener, ended } = listening();
  new AgentConnection(coordinator.url, 'secret', systemTimers(), listener);
  const end = await ended;
  assert.deepEqual(
    [end.wasOpen, end.httpStatus, end.detail],
    [false, 401, 'join token refused (HTTP 401): set ROLLCALL_JOIN_TOKEN to a token of this cluster'],
  );
});

test('the token is sent in the upgrade, and the local address of the connection is reported', async (t) => {
  const coordinator = await startScriptedCoordinator();
  t.after(() => coordinator.close());
  const { listener, opened } = listening();
  const connection = new AgentConnection(coordinator.url, 'secret', systemTimers(), listener);
  assert.equal(await opened, '127.0.0.1');
  assert.equal((await coordinator.peer()).authorization, 'Bearer secret');
  await connection.close();
});

test('an invalid message is reported and dropped; an oversized frame ends the connection', async (t) => {
  const coordinator = await startScriptedCoordinator();
  t.after(() => coordinator.close());
  const { listener, opened, ended, faults } = listening();
  new AgentConnection(coordinator.url, undefined, systemTimers(), listener);
  await opened;
  const peer = await coordinator.peer();
  for (const text of ['not json', '[]', '{"type":"registered"}', '{"__proto__":{},"type":"drained"}'])
    peer.sendText(text);
  peer.sendBinary(Buffer.from('{}'));
  peer.sendText('x'.repeat(65_537));
  const end = await ended;
  assert.ok(end.wasOpen);
  assert.deepEqual(faults, ['bad-message', 'bad-message', 'missing-field', 'bad-field', 'binary-frame']);
});

test('a silent connection is aborted after a lease, and a connection with pongs is not', async (t) => {
  const coordinator = await startScriptedCoordinator();
  t.after(() => coordinator.close());
  const timers = new ManualTimers();
  const { listener, opened, ended } = listening();
  const connection = new AgentConnection(coordinator.url, undefined, timers, listener);
  await opened;
  connection.watchSilence(15_000);
  // No turn of the event loop between the checks: no pong can arrive.
  timers.advance(15_000);
  const end = await ended;
  assert.deepEqual([end.wasOpen, end.detail], [true, 'silent for 15000 ms']);
});

test('close sends a close frame, and ends a pending attempt', async (t) => {
  const coordinator = await startScriptedCoordinator();
  t.after(() => coordinator.close());
  const open = listening();
  const connection = new AgentConnection(coordinator.url, undefined, systemTimers(), open.listener);
  await open.opened;
  const peer = await coordinator.peer();
  await connection.close();
  await connection.close();
  await peer.closed();
  assert.equal(peer.closeCode, 1000);

  const early = listening();
  await new AgentConnection(coordinator.url, undefined, systemTimers(), early.listener).close();
  assert.equal((await early.ended).wasOpen, false);
});
