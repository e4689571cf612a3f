import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { memoryStore, Registry, type Store } from '@rollcall/core';
import { parseBalancerName } from '@rollcall/protocol';
import { pino } from 'pino';
import { Cluster } from '../cluster.ts';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { StoreSync } from './store-sync.ts';

const logger = pino({ level: 'silent' });
const shop = parseBalancerName('shop')!;
const SHOP = ['balancer/shop'];

function newCluster(): Cluster {
  const clocks = new ManualClocks();
  return new Cluster(new Registry({ startedAtMs: clocks.nowMs() }), clocks);
}

function setRetries(cluster: Cluster, retries: number): void {
  cluster.apply({ type: 'balancer-settings', name: shop, source: 'operator', patch: { retries }, by: 'admin' });
}

/** A store that can become unreachable; it keeps its records after close. */
function fragile(store: Store) {
  const state = { isAway: false, isSilent: false };
  const reach = async (): Promise<Store> => {
    if (state.isSilent) await new Promise(() => undefined);
    if (state.isAway) throw new Error('connection refused');
    return store;
  };
  const wrapped: Store = {
    kind: 'fragile',
    load: async () => (await reach()).load(),
    write: async (records) => (await reach()).write(records),
    remove: async (keys) => (await reach()).remove(keys),
    close: async () => undefined,
  };
  return { state, wrapped };
}

async function turn(ms: number): Promise<void> {
  mock.timers.tick(ms);
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

test('settings of operators survive a restart', async () => {
  const { wrapped } = fragile(memoryStore());
  const first = newCluster();
  const sync = new StoreSync({ store: wrapped, cluster: first, logger });
  await sync.start();
  setRetries(first, 7);
  await sync.close();
  const second = newCluster();
  const again = new StoreSync({ store: wrapped, cluster: second, logger });
  await again.start();
  assert.equal(second.balancer(shop)?.retries, 7);
  assert.equal(second.balancer(shop)?.origins['retries'], 'operator');
  await again.close();
});

test('without the store the start continues, reports it, and synchronises later', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const memory = memoryStore();
  const seed = newCluster();
  const seeding = new StoreSync({ store: fragile(memory).wrapped, cluster: seed, logger });
  await seeding.start();
  setRetries(seed, 7);
  await seeding.close();

  const { state, wrapped } = fragile(memory);
  state.isAway = true;
  const cluster = newCluster();
  const sync = new StoreSync({ store: wrapped, cluster, logger });
  await sync.start();
  const { isReachable, lastError, isForgetful } = sync.status;
  assert.deepEqual([isReachable, lastError, isForgetful], [false, 'connection refused', true]);
  const other = parseBalancerName('other')!;
  cluster.apply({ type: 'balancer-settings', name: other, source: 'operator', patch: { retries: 1 }, by: 'admin' });
  await turn(250);
  assert.equal(sync.status.waiting, 1);
  state.isAway = false;
  await turn(5_000);
  const after = sync.status;
  assert.deepEqual([after.isReachable, after.isForgetful, after.waiting], [true, false, 0]);
  assert.equal(cluster.balancer(shop)?.retries, 7);
  const keys = (await memory.load()).map(({ key }) => key).sort();
  assert.deepEqual(keys, ['balancer/other', 'balancer/shop']);
  await sync.close();
});

test('a store that does not answer delays neither start nor shutdown', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const { state, wrapped } = fragile(memoryStore());
  state.isSilent = true;
  const cluster = newCluster();
  const sync = new StoreSync({ store: wrapped, cluster, logger, loadWithinMs: 100 });
  const started = sync.start();
  await turn(100);
  await started;
  assert.match(sync.status.lastError ?? '', /no answer within 100 ms/);
  const closed = sync.close();
  await turn(0);
  await turn(10_000);
  await closed;
});

test('settings made while the store was unreachable are written later, only the last value of each', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const memory = memoryStore();
  const { state, wrapped } = fragile(memory);
  const cluster = newCluster();
  const sync = new StoreSync({ store: wrapped, cluster, logger });
  await sync.start();
  state.isAway = true;
  for (const retries of [1, 2, 3]) {
    setRetries(cluster, retries);
    await turn(10_000);
  }
  assert.equal(sync.status.waiting, 1);
  state.isAway = false;
  await turn(10_000);
  const [record] = await memory.load();
  assert.deepEqual(record?.value, { operator: { retries: 3 } });
  await sync.close();
});

test('an answer waits until the store has the change', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const memory = memoryStore();
  const cluster = newCluster();
  const sync = new StoreSync({ store: fragile(memory).wrapped, cluster, logger });
  await sync.start();
  assert.equal(await sync.stored(SHOP), true);
  setRetries(cluster, 3);
  let isStored: boolean | undefined;
  void sync.stored(SHOP).then((value) => {
    isStored = value;
  });
  assert.equal(sync.status.waiting, 1);
  await turn(20);
  assert.equal(isStored, true);
  const [record] = await memory.load();
  assert.deepEqual(record?.value, { operator: { retries: 3 } });
  await sync.close();
});

/** States of the store that make an answer pending, with the time that the answer waits. */
const PENDING = {
  'rejects writes': { state: { isAway: true }, waitMs: 20 },
  'does not answer': { state: { isSilent: true }, waitMs: 1_000 },
} as const;
for (const [what, { state: fault, waitMs }] of Object.entries(PENDING))
  test(`an answer is pending while the store ${what}, at once if that is known`, async (t) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    t.after(() => mock.timers.reset());
    const memory = memoryStore();
    const { state, wrapped } = fragile(memory);
    const cluster = newCluster();
    const sync = new StoreSync({ store: wrapped, cluster, logger });
    await sync.start();
    Object.assign(state, fault);
    setRetries(cluster, 3);
    const first = sync.stored(SHOP);
    await turn(20);
    await turn(waitMs);
    assert.equal(await first, false);
    await turn(10_000);
    setRetries(cluster, 4);
    assert.deepEqual([await sync.stored(SHOP), await sync.stored(['balancer/other'])], [false, true]);
    Object.assign(state, { isAway: false, isSilent: false });
    await turn(10_000);
    await turn(10_000);
    assert.equal(await sync.stored(SHOP), true);
    await sync.close();
    const [record] = await memory.load();
    assert.deepEqual(record?.value, { operator: { retries: 4 } });
  });

test('a write that succeeded although its answer was lost does not count as a newer record of another writer', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const memory = memoryStore();
  const { wrapped } = fragile(memory);
  const warnings: string[] = [];
  const warned = pino({ level: 'warn' }, { write: (line: string) => warnings.push(line) });
  const cluster = newCluster();
  let isLosing = true;
  const losing: Store = {
    ...wrapped,
    write: async (records) => {
      const outcomes = await wrapped.write(records);
      if (isLosing) throw new Error('the answer is lost');
      return outcomes;
    },
  };
  const sync = new StoreSync({ store: losing, cluster, logger: warned });
  await sync.start();
  setRetries(cluster, 3);
  await turn(20);
  isLosing = false;
  await turn(500);
  assert.equal(sync.status.waiting, 0);
  assert.ok(!warnings.some((line) => line.includes('newer record')), warnings.join(''));
  await sync.close();
});
