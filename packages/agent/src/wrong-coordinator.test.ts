/** A coordinator that sends messages with wrong parts (C66): the application serves, and the agent continues. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { NodeRegistration } from '@rollcall/protocol';
import { type Mutation, mutated } from '@rollcall/protocol/testing';
import fc from 'fast-check';
import { RollcallNode } from './node.ts';
import { type ScriptedPeer, startScriptedCoordinator } from './testing/scripted-coordinator.ts';
import { systemTimers } from './timers.ts';

/** Fixed seeds; each run adds a random one, which is printed if it finds a failure. */
const SEEDS: readonly number[] = [66, 20_261_201, 8_400];
const PACE = { heartbeatMs: 1_000, suspectMs: 3_000, leaseMs: 20_000 };

const mutations = fc.array(
  fc.record<Mutation>({
    place: fc.nat(1_000),
    how: fc.constantFrom<Mutation['how'][]>('replace', 'delete', 'add', 'repeat'),
    what: fc.nat(10_000),
  }),
  { maxLength: 3 },
);

function messages(node: NodeRegistration): readonly object[] {
  const warnings = [{ code: 'superseded', message: 'a sentence' }];
  return [
    { type: 'registered', node, ...PACE, epoch: 'x', coordinators: ['ws://evil.test:8400'], warnings },
    { type: 'status', status: 'draining', reason: 'deploy', deadlineMs: 60_000 },
    { type: 'drained' },
    { type: 'pace', ...PACE },
    { type: 'scale', count: 4 },
    { type: 'disconnected', message: 'lost the coordinator' },
    { type: 'error', code: 'unreachable', message: 'a sentence', holderConnected: true },
  ];
}

test('whatever a coordinator sends, the agent keeps its connection and the application serves (C66)', {
  timeout: 120_000,
}, async (t) => {
  const coordinator = await startScriptedCoordinator();
  t.after(() => coordinator.close());
  const server = createServer((_, response) => void response.end('hello'));
  const options = { balancer: 'shop', id: 'n1', coordinator: coordinator.url, signals: [], log: () => undefined };
  const node = new RollcallNode(options, {}, systemTimers());
  t.after(async () => {
    await node.close();
    server.close();
    server.closeAllConnections();
  });
  node.attach(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const peer = await coordinator.peer();
  const registration = await peer.accept();
  const message = fc
    .tuple(fc.constantFrom(...messages(registration)), mutations)
    .map(([base, some]) => JSON.stringify(mutated(base, some)));
  const texts = fc.array(fc.oneof({ weight: 6, arbitrary: message }, fc.string(), fc.json()), { maxLength: 20 });
  for (const seed of [...SEEDS, Math.floor(Math.random() * 2 ** 31)]) {
    await fc.assert(
      fc.asyncProperty(texts, async (all) => {
        for (const text of all) peer.sendText(text);
        await heeds(peer, node, registration);
      }),
      { seed, numRuns: 20, endOnFailure: true },
    );
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'hello');
  }
  assert.equal(coordinator.connections, 1);
});

/** The agent handles the next valid message, independent of the messages before it. */
async function heeds(peer: ScriptedPeer, node: RollcallNode, registration: NodeRegistration): Promise<void> {
  const registered = new Promise<void>((resolve) => {
    const listener = ({ epoch }: { readonly epoch: string }) => {
      if (epoch !== 'good') return;
      node.off('registered', listener);
      resolve();
    };
    node.on('registered', listener);
  });
  peer.send({ type: 'registered', node: registration, ...PACE, epoch: 'good', coordinators: [], warnings: [] });
  await registered;
  assert.equal(node.isRegistered, true);
  assert.equal(node.status, 'enabled');
}
