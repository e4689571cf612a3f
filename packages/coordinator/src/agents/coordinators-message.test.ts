/** What agents and operators learn of the other coordinators of a cluster. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { memorySharedMedium, memoryStore, type SharedStore } from '@rollcall/core';
import { AGENT_PATH, AGENT_SUBPROTOCOL, type CoordinatorsResource } from '@rollcall/protocol';
import { startTestCoordinator, type TestCoordinator } from '../testing/test-coordinator.ts';
import { startTestNode } from '../testing/test-node.ts';
import { TestSocket } from '../testing/test-socket.ts';

const [A, B, C] = ['ws://10.0.0.1:8400', 'ws://10.0.0.2:8400', 'ws://10.0.0.3:8400'];

async function start(t: TestContext, store: SharedStore, name: string, advertise?: string): Promise<TestCoordinator> {
  const started = await startTestCoordinator({
    name,
    ...(advertise !== undefined && { advertise }),
    sharing: { store, file: memoryStore(), refusesStart: true },
  });
  t.after(() => started.close());
  return started;
}

/** A registered agent, and the addresses in its `registered`. */
async function agent(t: TestContext, { coordinator }: TestCoordinator, id = 'n1'): Promise<[TestSocket, unknown]> {
  const node = await startTestNode();
  t.after(() => node.close());
  const socket = await TestSocket.open(`${coordinator.agentsUrl}${AGENT_PATH}`, AGENT_SUBPROTOCOL);
  t.after(() => socket.terminate());
  socket.send({ type: 'register', node: { id, balancer: 'shop', url: node.url } });
  const { coordinators } = await socket.next('registered');
  return [socket, coordinators];
}

const addressesAt = async ({ api }: TestCoordinator): Promise<unknown> =>
  (await api('/v1/coordinators'))
    .json<CoordinatorsResource>()
    .coordinators.map(({ name, liveness, url = '-' }) => `${name} ${liveness} ${url}`);

test('a connected agent learns of coordinators that come and end, and of one that is forgotten', async (t) => {
  const medium = memorySharedMedium();
  const a = await start(t, medium.open(), 'a', A);
  const [socket, first] = await agent(t, a);
  assert.deepEqual(first, [A]);
  const b = await start(t, medium.open(), 'b', B);
  assert.deepEqual((await socket.next('coordinators'))['coordinators'], [A, B]);
  assert.deepEqual((await agent(t, b, 'n2'))[1], [A, B]);

  // It announces itself once: it is down after 5 s, and stays on the list until it is forgotten.
  const lost = medium.open();
  await lost.exchange(
    {
      coordinator: 'c'.repeat(32),
      name: 'lost',
      release: '0',
      url: C!,
      layout: 2,
      counter: 1,
      seen: { epoch: '', change: 0 },
    },
    a.coordinator.registry.clusterId!,
  );
  assert.deepEqual((await socket.next('coordinators'))['coordinators'], [A, B, C]);
  assert.deepEqual(await addressesAt(a), [`a running ${A}`, `b running ${B}`, `lost running ${C}`]);
  while ((await a.api('/v1/coordinators/lost', { method: 'DELETE', body: {} })).status !== 204)
    await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual((await socket.next('coordinators'))['coordinators'], [A, B]);
  await b.coordinator.close();
  assert.deepEqual((await socket.next('coordinators'))['coordinators'], [A]);
});

test('a coordinator without an address announces the others, and is not announced', async (t) => {
  const medium = memorySharedMedium();
  const a = await start(t, medium.open(), 'a');
  const [socket, first] = await agent(t, a);
  assert.deepEqual(first, []);
  await start(t, medium.open(), 'b', B);
  assert.deepEqual((await socket.next('coordinators'))['coordinators'], [B]);
  assert.deepEqual(await addressesAt(a), ['a running -', `b running ${B}`]);
});
