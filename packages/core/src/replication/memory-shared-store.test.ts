import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sharedStoreContract } from '../testing/shared-store-contract.ts';
import { memorySharedMedium } from './memory-shared-store.ts';
import { type Announcement, KEEP_ANNOUNCEMENT_MS, LAYOUT } from './shared-store.ts';

let medium = memorySharedMedium();

sharedStoreContract({
  name: 'shared store in memory',
  open: async () => {
    medium = memorySharedMedium();
    return medium.open();
  },
  openAnother: async () => medium.open(),
  wipe: async () => medium.wipe(),
});

function announcement(coordinator: string): Announcement {
  return { coordinator, name: 'c', release: '0', layout: LAYOUT, counter: 1, seen: { epoch: '', change: 0 } };
}

test('a store in memory that is unreachable rejects, and keeps its content', async () => {
  const unstable = memorySharedMedium();
  const store = unstable.open();
  await store.exchange(announcement('a'), 'c1');
  unstable.isReachable = false;
  await assert.rejects(store.exchange(announcement('a'), 'c1'), /unreachable/);
  await assert.rejects(store.versions(), /unreachable/);
  unstable.isReachable = true;
  const exchanged = await store.exchange(announcement('a'), 'c1');
  assert.ok(exchanged.type === 'exchanged' && !exchanged.isNew);
});

test('an announcement that is not repeated is dropped after its time', async () => {
  let nowUnixMs = 1_795_000_000_000;
  const store = memorySharedMedium({ nowUnixMs: () => nowUnixMs }).open();
  const idsAfter = async (ms: number): Promise<string[]> => {
    nowUnixMs += ms;
    const exchanged = await store.exchange(announcement('b'), 'c1');
    return exchanged.type === 'exchanged' ? exchanged.coordinators.map(({ coordinator }) => coordinator) : [];
  };
  await store.exchange(announcement('a'), 'c1');
  assert.deepEqual(await idsAfter(KEEP_ANNOUNCEMENT_MS), ['a', 'b']);
  assert.deepEqual(await idsAfter(1), ['b']);
});
