import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import {
  LAYOUT,
  MAX_VERSION_MS,
  type MemoryMedium,
  memorySharedMedium,
  memoryStore,
  Registry,
  type SharedRecord,
  type SharedStore,
  type Store,
  type Version,
} from '@rollcall/core';
import { type BalancerName, parseBalancerName } from '@rollcall/protocol';
import { pino } from 'pino';
import { type Clocks, systemClocks } from '../clocks.ts';
import { Cluster } from '../cluster.ts';
import { SharedSync, type SharedSyncOptions } from './shared-sync.ts';

const logger = pino({ level: 'silent' });
const SHOP = parseBalancerName('shop')!;

/** A file that is kept when its coordinator ends. */
function keptFile(): Store {
  return { ...memoryStore(), close: async () => undefined };
}

interface Place {
  readonly cluster: Cluster;
  readonly sync: SharedSync;
  close(): Promise<void>;
}

interface PlaceOptions extends Partial<SharedSyncOptions> {
  readonly clocks?: Clocks;
}

let places = 0;
async function start(t: TestContext, store: SharedStore, options: PlaceOptions = {}): Promise<Place> {
  const { clocks = systemClocks, ...rest } = options;
  places += 1;
  const cluster = new Cluster(new Registry({ startedAtMs: clocks.nowMs(), isShared: true }), clocks);
  const sync = new SharedSync({
    store,
    file: memoryStore(),
    cluster,
    coordinator: places.toString(16).padStart(32, '0'),
    name: `c${places}`,
    release: '1.0.0',
    logger,
    onClusterId: async () => undefined,
    ...rest,
  });
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= sync.close();
    return closing;
  };
  t.after(close);
  await sync.introduce();
  await sync.start();
  return { cluster, sync, close };
}

function setRetries({ cluster }: Pick<Place, 'cluster'>, retries: number): void {
  cluster.apply({ type: 'balancer-settings', name: SHOP, source: 'operator', patch: { retries }, by: 'op' });
}

const retriesOf = ({ cluster }: Pick<Place, 'cluster'>, name: BalancerName = SHOP): number | undefined =>
  cluster.balancer(name)?.retries;

/** Resolves when the condition is true after a command. */
async function until({ cluster }: Place, isTrue: () => boolean): Promise<void> {
  if (isTrue()) return;
  const signal = new AbortController();
  const stop = cluster.onEvent(() => isTrue() && signal.abort());
  if (!isTrue()) await once(signal.signal, 'abort');
  stop();
}

/** Polls a value that no event announces. */
async function eventually(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 10));
}

async function pair(t: TestContext): Promise<{ medium: MemoryMedium; a: Place; b: Place }> {
  const medium = memorySharedMedium();
  const a = await start(t, medium.open());
  const b = await start(t, medium.open());
  await eventually(() => a.sync.status.coordinators.length === 2 && b.sync.status.coordinators.length === 2);
  return { medium, a, b };
}

test('a request is in force at the other coordinator, and the answer names both', async (t) => {
  const { a, b } = await pair(t);
  setRetries(a, 7);
  const applied = await a.sync.applied(['balancer/shop'], 10_000);
  assert.deepEqual(applied, {
    applied: [a, b].map(({ sync }) => sync.status.coordinators[0]!.name),
    pending: [],
    absent: [],
  });
  assert.equal(retriesOf(b), 7);
});

test('all changes until now are applied when the other coordinator has them', async (t) => {
  const { a, b } = await pair(t);
  setRetries(a, 7);
  const { applied, pending } = await a.sync.allApplied(10_000);
  assert.deepEqual([applied.length, pending, retriesOf(b)], [2, [], 7]);
  assert.deepEqual((await a.sync.allApplied(10_000)).pending, [], 'without a change since');
});

test('both coordinators have one cluster id, which the first has chosen', async (t) => {
  const ids: string[] = [];
  const onClusterId = async (id: string): Promise<void> => void ids.push(id);
  const medium = memorySharedMedium();
  const a = await start(t, medium.open(), { onClusterId });
  const b = await start(t, medium.open(), { onClusterId });
  assert.equal(ids.length, 2);
  assert.match(ids[0]!, /^[0-9a-f]{32}$/);
  assert.equal(ids[0], ids[1]);
  assert.deepEqual([a.cluster.registry.clusterId, b.cluster.registry.clusterId], ids);
});

test('a wiped store is filled again by the coordinators, which hold the records', async (t) => {
  const { medium, a } = await pair(t);
  setRetries(a, 7);
  await a.sync.applied(['balancer/shop'], 10_000);
  medium.wipe();
  const reader = medium.open();
  await eventually(() => a.sync.status.waiting === 0);
  for (;;) {
    const { records } = await reader.read(['balancer/shop']);
    if (records.length === 1) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const late = await start(t, medium.open());
  assert.equal(retriesOf(late), 7);
});

test('a wiped store does not hide a coordinator that has not announced itself again', async (t) => {
  const medium = memorySharedMedium();
  let isHeld = false;
  const store = medium.open();
  const exchange: SharedStore['exchange'] = (announcement, clusterId) =>
    isHeld ? Promise.reject(new Error('held')) : store.exchange(announcement, clusterId);
  const a = await start(t, medium.open());
  const b = await start(t, { ...store, exchange });
  const name = b.sync.status.coordinators[0]!.name;
  await eventually(() => a.sync.status.coordinators.length === 2);
  setRetries(a, 7);
  await a.sync.applied(['balancer/shop'], 10_000);
  isHeld = true;
  await eventually(() => !b.sync.status.isReachable);
  medium.wipe();
  const reader = medium.open();
  while ((await reader.read(['balancer/shop'])).records.length === 0)
    await new Promise((resolve) => setTimeout(resolve, 10));
  setRetries(a, 8);
  assert.deepEqual((await a.sync.applied(['balancer/shop'], 100)).pending, [name]);
  isHeld = false;
  setRetries(a, 9);
  assert.deepEqual((await a.sync.applied(['balancer/shop'], 10_000)).pending, []);
  assert.equal(retriesOf(b), 9);
});

test('what is requested while the store is unreachable goes there later, and waits in the file over a restart', async (t) => {
  const medium = memorySharedMedium();
  const file = keptFile();
  const coordinator = 'f'.repeat(32);
  const first = await start(t, medium.open(), { file, coordinator });
  const b = await start(t, medium.open());
  await eventually(() => first.sync.status.coordinators.length === 2);
  medium.isReachable = false;
  await eventually(() => !first.sync.status.isReachable);
  setRetries(first, 5);
  const applied = await first.sync.applied(['balancer/shop'], 10_000);
  assert.deepEqual([applied.pending.length, applied.absent.length], [1, 0]);
  assert.equal(first.sync.status.waiting, 1);
  await first.close();
  const again = await start(t, medium.open(), { file, coordinator });
  assert.equal(retriesOf(again), 5, 'from its own file');
  medium.isReachable = true;
  await until(b, () => retriesOf(b) === 5);
});

test('a coordinator that ends is no longer known; one that stops to count is down, and is absent from answers', async (t) => {
  const { medium, a, b } = await pair(t);
  const c = medium.open();
  const announcement = {
    coordinator: 'c'.repeat(32),
    name: 'frozen',
    release: '1.0.0',
    layout: 2,
    counter: 1,
    seen: { epoch: '', change: 0 },
  };
  await c.exchange(announcement, a.cluster.registry.clusterId!);
  await b.close();
  const names = (): string[] => a.sync.status.coordinators.map(({ name, liveness }) => `${name} ${liveness}`).slice(1);
  await eventually(() => names().join() === 'frozen down');
  setRetries(a, 3);
  assert.deepEqual((await a.sync.applied(['balancer/shop'], 10_000)).absent, ['frozen']);
  await c.exchange({ ...announcement, counter: 2 }, a.cluster.registry.clusterId!);
  await eventually(() => names().join() === 'frozen running');
  await a.sync.forget(announcement.coordinator);
  assert.deepEqual(names(), []);
});

test('records that are not taken are counted and named, and a version of the far future stops no request', async (t) => {
  const lines: string[] = [];
  const named = pino({ level: 'warn' }, { write: (line) => void lines.push(String(JSON.parse(line).msg)) });
  const medium = memorySharedMedium({ nowUnixMs: Date.now });
  const a = await start(t, medium.open(), { logger: named });
  const b = await start(t, medium.open());
  await eventually(() => a.sync.status.coordinators.length === 2);
  const forger = medium.open();
  const ms = MAX_VERSION_MS;
  const junk = Array.from({ length: 1_200 }, (_, i) => `word/${i}`);
  const forged = ['balancer/shop', 'balancer/other', ...junk].map((key) => ({
    key,
    version: [key.startsWith('word/') ? 1 : ms, 'f'] as const,
    value: { operator: { retries: 9 } },
    remaining: {},
  }));
  await forger.write(forged, a.cluster.registry.clusterId!);
  await eventually(() => a.sync.status.unreadable === 2 && a.sync.status.leftOut === 200);
  assert.match(lines.join('\n'), /^2 shared records cannot be read and are skipped: balancer\/shop, balancer\/other$/m);
  assert.match(lines.join('\n'), /^200 shared records are left out, .*: word\/1000, .*, and 195 more$/m);
  setRetries(a, 7);
  assert.deepEqual((await a.sync.applied(['balancer/shop'], 10_000)).pending, []);
  assert.equal(retriesOf(b), 7);
  await eventually(() => a.sync.status.unreadable === 1);
  assert.equal(lines.length, 2, 'each is named once');
});

test('a store without a layout is named as that', async (t) => {
  const store = memorySharedMedium().open();
  const exchange: SharedStore['exchange'] = async () => ({ type: 'refused', clusterId: 'other', layout: undefined });
  const foreign = { ...store, exchange };
  await assert.rejects(start(t, foreign, { refusesStart: true }), /has the cluster id other and no layout/);
  const served = await start(t, foreign);
  assert.match(
    served.sync.status.refusal ?? '',
    /no layout, which no coordinator has written: give another --cluster name/,
  );
});

test('a store of another cluster is refused by name at a start, and only ends the sharing at a restart', async (t) => {
  const medium = memorySharedMedium();
  await start(t, medium.open());
  const foreign = { clusterId: 'a'.repeat(32) };
  await assert.rejects(start(t, medium.open(), { ...foreign, refusesStart: true }), /belongs to cluster [0-9a-f]{32}/);
  const served = await start(t, medium.open(), foreign);
  assert.match(served.sync.status.refusal ?? '', /belongs to cluster/);
  setRetries(served, 9);
  const { pending } = await served.sync.applied(['balancer/shop'], 10_000);
  assert.deepEqual([retriesOf(served), pending], [9, []]);
});

test('a layout that is one higher never ends a coordinator that knows the cluster, and its own layout is shared again', async (t) => {
  const medium = memorySharedMedium();
  const file = keptFile();
  const coordinator = 'd'.repeat(32);
  const first = await start(t, medium.open(), { file, coordinator });
  const b = await start(t, medium.open());
  const clusterId = first.cluster.registry.clusterId!;
  setRetries(first, 5);
  await first.sync.applied(['balancer/shop'], 10_000);
  await first.close();
  const later = {
    coordinator: 'c'.repeat(32),
    name: 'later',
    release: '9',
    counter: 1,
    seen: { epoch: '', change: 0 },
  };
  await medium.open().exchange({ ...later, layout: LAYOUT + 1 }, clusterId);
  const refusal = new RegExp(`layout ${LAYOUT + 1}, and this release writes layout ${LAYOUT}`);
  await eventually(() => refusal.test(b.sync.status.refusal ?? ''));
  await assert.rejects(start(t, medium.open(), { refusesStart: true }), refusal, 'it has nothing to serve');
  await assert.rejects(start(t, medium.open(), { clusterId: 'a'.repeat(32), refusesStart: true }), refusal);
  const again = await start(t, medium.open(), { file, coordinator, clusterId, refusesStart: true });
  assert.match(again.sync.status.refusal ?? '', refusal);
  assert.equal(retriesOf(again), 5, 'from its own file');
  setRetries(again, 6);
  await again.sync.applied(['balancer/shop'], 10_000);
  assert.equal(retriesOf(b), 5);
  medium.wipe();
  await until(b, () => retriesOf(b) === 6);
  assert.deepEqual([again.sync.status.refusal, b.sync.status.refusal], [undefined, undefined]);
});

const CUT_OFF = 'cut off';

/** Reads the value `CUT_OFF` as a real store reads a text that is no record. */
function damaged(store: SharedStore): SharedStore {
  const read: SharedStore['read'] = async (keys) => {
    const { records } = await store.read(keys);
    const [unreadable, readable] = [true, false].map((isCutOff) =>
      records.filter(({ value }) => (value === CUT_OFF) === isCutOff),
    ) as [SharedRecord[], SharedRecord[]];
    return { records: readable, unreadable: unreadable.map(({ key }) => key) };
  };
  return { ...store, read };
}

test('a record that cannot be read is skipped and named once; a held one is replaced, also below a version of a fast clock', async (t) => {
  const medium = memorySharedMedium();
  const lines: string[] = [];
  const recording = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
  const a = await start(t, damaged(medium.open()), { logger: recording });
  setRetries(a, 7);
  await a.sync.applied(['balancer/shop'], 10_000);
  const other = medium.open();
  const version: Version = [Date.now() + 3_600_000, 'c'.repeat(32)];
  const odd = ['balancer/shop', 'node/odd'].map((key) => ({ key, version, value: CUT_OFF, remaining: {} }));
  await other.write(odd, a.cluster.registry.clusterId!);
  await eventually(() => a.sync.status.unreadable === 1);
  // A whole comparison follows.
  medium.isReachable = false;
  await eventually(() => !a.sync.status.isReachable);
  medium.isReachable = true;
  const inStore = async (): Promise<unknown> => (await other.read(['balancer/shop'])).records[0]?.value;
  while ((await inStore()) === CUT_OFF) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(await inStore(), { operator: { retries: 7 } });
  assert.equal(a.sync.status.unreadable, 1);
  assert.equal(lines.filter((line) => line.includes('node/odd')).length, 1);
});

test('a name in use is refused at a start', async (t) => {
  const medium = memorySharedMedium();
  const a = await start(t, medium.open(), { name: 'one' });
  await assert.rejects(start(t, medium.open(), { name: 'one', refusesStart: true }), /under the name one/);
  await a.close();
  await start(t, medium.open(), { name: 'one', refusesStart: true });
});

test('a coordinator without the store for more than a day takes requests from the store, and drops its own', async (t) => {
  let nowUnixMs = 1_795_000_000_000;
  const medium = memorySharedMedium({ nowUnixMs: () => nowUnixMs });
  const file = keptFile();
  const coordinator = 'e'.repeat(32);
  const first = await start(t, medium.open(), { file, coordinator });
  setRetries(first, 5);
  await first.close();
  const b = await start(t, medium.open());
  assert.equal(retriesOf(b), 5);
  cleared(b);
  await b.sync.applied(['balancer/shop'], 10_000);
  nowUnixMs += 86_400_000 + 60_000;
  const again = await start(t, medium.open(), { file, coordinator });
  assert.notEqual(retriesOf(again), 5);
});

/** Removes the operator's settings. */
function cleared({ cluster }: Place): void {
  cluster.apply({
    type: 'balancer-settings',
    name: SHOP,
    source: 'operator',
    patch: { retries: null },
    by: 'op',
  } as never);
}
