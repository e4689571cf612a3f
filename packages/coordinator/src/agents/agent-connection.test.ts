import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { mock, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Registry } from '@rollcall/core';
import type { WebSocket } from 'ws';
import { Cluster } from '../cluster.ts';
import { parseIp } from '../network/addresses.ts';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { AgentConnection } from './agent-connection.ts';
import { NodeAddressPolicy } from './node-address-policy.ts';
import { RegistrationPace } from './registration-pace.ts';

class FakeSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  readonly sent: string[] = [];
  closedWith: number | undefined;
  isTerminated = false;

  send(text: string): void {
    this.sent.push(text);
  }

  close(code: number): void {
    this.closedWith = code;
  }

  terminate(): void {
    this.isTerminated = true;
    this.emit('close');
  }
}

function connect(heartbeatMs?: number) {
  const socket = new FakeSocket();
  const clocks = new ManualClocks();
  const cluster = new Cluster(new Registry(heartbeatMs === undefined ? {} : { heartbeatMs }), clocks);
  const connection = new AgentConnection(
    socket as unknown as WebSocket,
    1,
    {
      owner: 'join',
      standing: 'token',
      address: parseIp('127.0.0.1'),
      identity: { name: 'join', role: 'join', by: 'loopback' },
    },
    {
      cluster,
      policy: new NodeAddressPolicy({ nodeAllow: [], ownListeners: () => [] }),
      registrations: new RegistrationPace(10, cluster.clocks),
      pace: cluster.registry.pace(),
      epoch: 'e',
      coordinatorId: 'c0',
      coordinatorUrl: undefined,
      announced: { urls: [] },
      rights: () => ({ mayShadow: false }),
      onRegistered: () => undefined,
      onRefused: () => undefined,
      onClosed: () => undefined,
    },
  );
  return { socket, connection, clocks };
}

test('a connection without a registration after five seconds gets an error and is closed with 4408, then destroyed', (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const { socket } = connect();
  mock.timers.tick(4_999);
  assert.equal(socket.closedWith, undefined);
  mock.timers.tick(1);
  assert.equal(socket.closedWith, 4408);
  assert.match(socket.sent[0] ?? '', /register-timeout/);
  mock.timers.tick(1_000);
  assert.ok(socket.isTerminated);
});

test('the connection of an agent that does not read is destroyed instead of buffering', () => {
  const { socket, connection } = connect();
  connection.send({ type: 'drained' });
  assert.equal(socket.sent.length, 1);
  socket.bufferedAmount = 10_000_000;
  connection.send({ type: 'drained' });
  assert.equal(socket.sent.length, 1);
  assert.ok(socket.isTerminated);
});

/** Sends `count` heartbeats evenly over `ms`. Returns the number sent until the connection was closed with 1008. */
function flood(
  { socket, clocks }: ReturnType<typeof connect>,
  { perSecond, count, type = 'message' }: { perSecond: number; count: number; type?: string },
): number | undefined {
  for (let i = 1; i <= count; i++) {
    clocks.advance(1_000 / perSecond);
    socket.emit(type, Buffer.from('{"type":"heartbeat"}'), false);
    if (socket.closedWith !== undefined) return i;
  }
  return undefined;
}

async function registered(t: TestContext, heartbeatMs?: number): Promise<ReturnType<typeof connect>> {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const rig = connect(heartbeatMs);
  const node = { id: 'n1', balancer: 'shop', url: 'http://127.0.0.1:5000' };
  rig.socket.emit('message', Buffer.from(JSON.stringify({ type: 'register', node })), false);
  while (rig.socket.sent.length === 0) await turn();
  assert.match(rig.socket.sent[0]!, /"registered"/);
  return rig;
}

for (const perSecond of [11, 20, 100, 1_000, 4_000])
  test(`${perSecond} messages a second are closed with 1008`, async (t) => {
    const rig = await registered(t);
    const closedAfter = flood(rig, { perSecond, count: 4_000 });
    assert.ok(closedAfter !== undefined);
    // The burst, the 200 tolerated messages, and the messages that the rate allows in this time.
    const allowed = 20 + 200 + (closedAfter / perSecond) * 10;
    assert.equal(rig.socket.closedWith, 1008);
    assert.ok(Math.abs(closedAfter - allowed) <= 3, `${closedAfter}, allowed ${allowed}`);
  });

test('1,000 pings a second are closed with 1008', async (t) => {
  assert.ok(flood(await registered(t), { perSecond: 1_000, count: 500, type: 'ping' }) !== undefined);
});

test('ten messages a second never close the connection, nor do 200 at once followed by silence', async (t) => {
  const rig = await registered(t);
  assert.equal(flood(rig, { perSecond: 10, count: 20_000 }), undefined);
  for (let i = 0; i < 10; i++) {
    assert.equal(flood(rig, { perSecond: 100_000, count: 200 }), undefined);
    rig.clocks.advance(2_000);
  }
});

test('an agent may send the 50 heartbeats a second that were announced to it', async (t) => {
  assert.equal(flood(await registered(t, 20), { perSecond: 100, count: 20_000 }), undefined);
});
