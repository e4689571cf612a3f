import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { memoryStore, recordKey, type Store, type StoredRecord } from '@rollcall/core';
import { clusterIdPath, newClusterId, readClusterId } from './cluster-id.ts';
import { startTestCoordinator } from './testing/test-coordinator.ts';

const ID = '0123456789abcdef0123456789abcdef';

/** Starts and ends a coordinator; returns its cluster id. The store keeps its records over `close`. */
async function idOf(store: Store, stateDir?: string): Promise<string | undefined> {
  const kept: Store = {
    kind: store.kind,
    load: () => store.load(),
    write: (records) => store.write(records),
    remove: (keys) => store.remove(keys),
    close: async () => {},
  };
  const made = await startTestCoordinator({ store: kept, ...(stateDir !== undefined && { stateDir }) });
  const { clusterId } = made.coordinator.registry;
  await made.coordinator.close();
  if (stateDir === undefined) await rm(made.stateDir, { recursive: true });
  return clusterId;
}

async function inStore(store: Store): Promise<unknown> {
  return (await store.load()).find(({ key }: StoredRecord) => key === recordKey.cluster)?.value;
}

test('the id is made once, and kept in the store and in the state directory', async (t) => {
  const made = await startTestCoordinator();
  t.after(() => rm(made.stateDir, { recursive: true, force: true }));
  await made.coordinator.close();
  const id = await readClusterId(made.stateDir);
  assert.match(id ?? '', /^[0-9a-f]{32}$/);
  assert.equal((await readFile(clusterIdPath(made.stateDir), 'utf8')).trim(), id);
  const store = memoryStore();
  assert.equal(await idOf(store, made.stateDir), id, 'from the directory, with an empty store');
  assert.deepEqual(await inStore(store), { id });
  assert.equal(await idOf(store), id, 'from the store, with an empty directory');
});

test('two coordinators have two ids; the id of the store replaces that of the directory', async (t) => {
  const made = await startTestCoordinator();
  t.after(() => rm(made.stateDir, { recursive: true, force: true }));
  await made.coordinator.close();
  const store = memoryStore();
  const other = await idOf(store);
  assert.notEqual(other, await readClusterId(made.stateDir));
  assert.equal(await idOf(store, made.stateDir), other);
  assert.equal(await readClusterId(made.stateDir), other);
});

test('a file that has no id counts as absent', async (t) => {
  const made = await startTestCoordinator();
  t.after(() => rm(made.stateDir, { recursive: true, force: true }));
  await made.coordinator.close();
  for (const [text, id] of [
    [`${ID}\n`, ID],
    [ID.toUpperCase(), undefined],
    ['', undefined],
    [ID.slice(1), undefined],
  ] as const) {
    await writeFile(clusterIdPath(made.stateDir), text);
    assert.equal(await readClusterId(made.stateDir), id, text);
  }
  await rm(clusterIdPath(made.stateDir));
  assert.equal(await readClusterId(made.stateDir), undefined);
});

test('an id that nothing can keep is that of the address', () => {
  const address = { host: '127.0.0.1', port: 8400 };
  assert.equal(newClusterId(address, false), newClusterId({ ...address }, false));
  assert.notEqual(newClusterId(address, false), newClusterId({ ...address, port: 8401 }, false));
  assert.notEqual(newClusterId(address, true), newClusterId(address, true));
  assert.match(newClusterId(address, false), /^[0-9a-f]{32}$/);
});

test('of two coordinators that write an id at the same time, both follow the first one', async () => {
  const store = memoryStore();
  // Both read the empty store before the other one writes.
  const blind = (): Store => {
    let reads = 0;
    return {
      kind: 'memory',
      load: async () => (reads++ === 0 ? [] : store.load()),
      write: (records) => store.write(records),
      remove: (keys) => store.remove(keys),
      close: async () => {},
    };
  };
  const one = await startTestCoordinator({ store: blind() });
  const two = await startTestCoordinator({ store: blind() });
  await one.close();
  await two.close();
  assert.equal(one.coordinator.registry.clusterId, two.coordinator.registry.clusterId);
});
