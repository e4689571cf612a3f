import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { AGENT_SUBPROTOCOL, COORDINATOR_ID_HEADER, decodeCoordinatorMessage } from '@rollcall/protocol';
import { WebSocket } from 'ws';
import { coordinatorIdPath } from './coordinator-id.ts';
import { startTestCoordinator } from './testing/test-coordinator.ts';

/** The id in the answer to an upgrade, and that in `registered`. */
async function idsOf(stateDir?: string) {
  const made = await startTestCoordinator(stateDir === undefined ? {} : { stateDir });
  const socket = new WebSocket(`${made.coordinator.url.replace('http', 'ws')}/v1/agent`, AGENT_SUBPROTOCOL);
  const upgraded = new Promise<unknown>((resolve) =>
    socket.on('upgrade', ({ headers }) => resolve(headers[COORDINATOR_ID_HEADER])),
  );
  const registered = new Promise<unknown>((resolve) =>
    socket.on('message', (data) => {
      const message = decodeCoordinatorMessage(String(data));
      if (message.type === 'registered') resolve(message.coordinatorId);
    }),
  );
  const register = { type: 'register', node: { id: 'n1', balancer: 'shop', url: 'http://127.0.0.1:1' } };
  socket.on('open', () => socket.send(JSON.stringify(register)));
  const ids = await Promise.all([upgraded, registered]);
  socket.terminate();
  await made.coordinator.close();
  return { ids, stateDir: made.stateDir };
}

test('the id is random, in the answer to an upgrade and in registered, and kept over a restart', async (t) => {
  const first = await idsOf();
  t.after(() => rm(first.stateDir, { recursive: true, force: true }));
  const [id] = first.ids;
  assert.match(String(id), /^[0-9a-f]{32}$/);
  assert.deepEqual(first.ids, [id, id]);
  assert.equal((await readFile(coordinatorIdPath(first.stateDir), 'utf8')).trim(), id);
  assert.deepEqual((await idsOf(first.stateDir)).ids, [id, id]);
  const second = await idsOf();
  t.after(() => rm(second.stateDir, { recursive: true, force: true }));
  assert.notEqual(second.ids[0], id);
});

test('a file without a valid id is replaced', async (t) => {
  const { stateDir } = await idsOf();
  t.after(() => rm(stateDir, { recursive: true, force: true }));
  await writeFile(coordinatorIdPath(stateDir), 'not an id\n');
  const { ids } = await idsOf(stateDir);
  assert.match(String(ids[0]), /^[0-9a-f]{32}$/);
  assert.equal((await readFile(coordinatorIdPath(stateDir), 'utf8')).trim(), ids[0]);
});
