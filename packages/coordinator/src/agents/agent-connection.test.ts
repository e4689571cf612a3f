import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { mock, test } from 'node:test';
import { Registry } from '@rollcall/core';
import type { WebSocket } from 'ws';
import { Cluster } from '../cluster.ts';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { AgentConnection } from './agent-connection.ts';
import { NodeAddressPolicy } from './node-address-policy.ts';

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

function connect() {
  const socket = new FakeSocket();
  const cluster = new Cluster(new Registry(), new ManualClocks());
  const connection = new AgentConnection(
    socket as unknown as WebSocket,
    1,
    { owner: 'join', address: undefined },
    {
      cluster,
      policy: new NodeAddressPolicy({ nodeAllow: [], ownListeners: () => [] }),
      pace: cluster.registry.pace(),
      epoch: 'e',
      coordinators: [],
      onRegistered: () => undefined,
      onRefused: () => undefined,
      onClosed: () => undefined,
    },
  );
  return { socket, connection };
}

test('who does not register within five seconds is told and closed with 4408, then cut off', (t) => {
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

test('an agent that does not read is cut off instead of being buffered for', () => {
  const { socket, connection } = connect();
  connection.send({ type: 'drained' });
  assert.equal(socket.sent.length, 1);
  socket.bufferedAmount = 10_000_000;
  connection.send({ type: 'drained' });
  assert.equal(socket.sent.length, 1);
  assert.ok(socket.isTerminated);
});
