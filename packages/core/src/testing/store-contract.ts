/** The contract of `Store` as test cases, run for every implementation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Store, StoredRecord } from '../store/store.ts';

export interface StoreContractOptions {
  /** Put before the name of each case. */
  readonly name: string;
  /** Opens a store on a fresh medium. */
  readonly open: () => Promise<Store>;
  /** Opens another store on the medium of the last `open`; absent when nothing survives a close. */
  readonly reopen?: () => Promise<Store>;
}

/** Declares the cases. Call it at the top of a test file. */
export function storeContract(options: StoreContractOptions): void {
  const { name, open, reopen } = options;
  const declare = (sentence: string, run: (store: Store) => Promise<void>): void => {
    void test(`${name}: ${sentence}`, async () => {
      const store = await open();
      try {
        await run(store);
      } finally {
        await store.close();
      }
    });
  };

  declare('a fresh store is empty', async (store) => {
    assert.deepEqual(await store.load(), []);
  });

  declare('a written record is in the next load, whole', async (store) => {
    const written = [
      record('node/a', [1, 1], { text: 'ä "quoted"\n', list: [1, { two: null }] }),
      record('override/a', [1_795_216_422_546, 7], { status: 'draining' }, 1_895_216_422_546),
    ];
    assert.deepEqual(await store.write(written), ['written', 'written']);
    assert.deepEqual(sorted(await store.load()), sorted(written));
  });

  declare('a higher version replaces, an equal or lower one is stale and changes nothing', async (store) => {
    await store.write([record('node/a', [5, 5], 'kept')]);
    const attempts: [readonly [number, number], string][] = [
      [[5, 5], 'stale'],
      [[5, 4], 'stale'],
      [[4, 9], 'stale'],
    ];
    for (const [version, outcome] of attempts)
      assert.deepEqual(await store.write([record('node/a', version, 'lost')]), [outcome]);
    assert.deepEqual(await store.load(), [record('node/a', [5, 5], 'kept')]);
    assert.deepEqual(await store.write([record('node/a', [5, 6], 'newer')]), ['written']);
    assert.deepEqual(await store.write([record('node/a', [6, 0], 'newest')]), ['written']);
    assert.deepEqual(await store.load(), [record('node/a', [6, 0], 'newest')]);
  });

  declare('versions are compared as numbers', async (store) => {
    await store.write([record('node/a', [9, 9], 1)]);
    assert.deepEqual(await store.write([record('node/a', [10, 0], 2)]), ['written']);
    assert.deepEqual(await store.write([record('node/a', [10, 9_007_199_254_740_991], 3)]), ['written']);
    assert.deepEqual(await store.write([record('node/a', [10, 9_007_199_254_740_990], 4)]), ['stale']);
  });

  declare('outcomes come one per record, in order', async (store) => {
    await store.write([record('node/b', [2, 0], 0)]);
    const records = [record('node/a', [1, 0], 1), record('node/b', [1, 0], 2), record('node/c', [1, 0], 3)];
    assert.deepEqual(await store.write(records), ['written', 'stale', 'written']);
    assert.deepEqual(await store.write([]), []);
  });

  declare('of two versions of one record in one write the higher stays', async (store) => {
    const outcomes = await store.write([record('node/a', [2, 0], 'high'), record('node/a', [1, 0], 'low')]);
    assert.deepEqual(outcomes, ['written', 'stale']);
    assert.deepEqual(await store.load(), [record('node/a', [2, 0], 'high')]);
  });

  declare('removed records are gone, and removing unknown ones is no error', async (store) => {
    await store.write([record('node/a', [1, 0], 1), record('node/b', [1, 0], 2)]);
    await store.remove(['node/a', 'node/nobody']);
    await store.remove(['node/a']);
    await store.remove([]);
    assert.deepEqual(await store.load(), [record('node/b', [1, 0], 2)]);
  });

  declare('a removed record may come back with any version', async (store) => {
    await store.write([record('node/a', [9, 9], 1)]);
    await store.remove(['node/a']);
    assert.deepEqual(await store.write([record('node/a', [1, 0], 2)]), ['written']);
  });

  declare('changes of a value after a write or a load do not change the store', async (store) => {
    const value = { status: 'enabled' };
    await store.write([record('node/a', [1, 0], value)]);
    value.status = 'changed';
    const [loaded] = await store.load();
    assert.deepEqual(loaded?.value, { status: 'enabled' });
  });

  declare('many writes at once all end, and the highest version stays', async (store) => {
    const versions = Array.from({ length: 50 }, (_, index) => (index * 37) % 50);
    const outcomes = await Promise.all(
      versions.map((version) => store.write([record('node/a', [version, 0], version)])),
    );
    assert.equal(outcomes.length, 50);
    assert.deepEqual(await store.load(), [record('node/a', [49, 0], 49)]);
  });

  declare('a thousand records of a kilobyte are kept', async (store) => {
    const records = Array.from({ length: 1_000 }, (_, index) =>
      record(`node/n${index}`, [1, index], 'x'.repeat(1_024)),
    );
    const outcomes = await store.write(records);
    assert.ok(outcomes.every((outcome) => outcome === 'written'));
    assert.deepEqual(sorted(await store.load()), sorted(records));
  });

  void test(`${name}: after close every method rejects, and closing again is no error`, async () => {
    const store = await open();
    await store.close();
    await store.close();
    await assert.rejects(store.load(), Error);
    await assert.rejects(store.write([record('node/a', [1, 0], 1)]), Error);
    await assert.rejects(store.remove(['node/a']), Error);
  });

  if (reopen)
    void test(`${name}: written records are there after the store is opened again`, async () => {
      const first = await open();
      const kept = [record('node/a', [1, 0], { a: 1 }), record('balancer/shop', [2, 1], { b: [2] })];
      await first.write([...kept, record('node/b', [1, 0], 'removed')]);
      await first.remove(['node/b']);
      await first.close();
      const second = await reopen();
      try {
        assert.deepEqual(sorted(await second.load()), sorted(kept));
        assert.deepEqual(await second.write([record('node/a', [1, 0], 'again')]), ['stale']);
      } finally {
        await second.close();
      }
    });
}

function record(
  key: string,
  version: readonly [number, number],
  value: unknown,
  expiresAtUnixMs?: number,
): StoredRecord {
  return { key, version, value, ...(expiresAtUnixMs !== undefined && { expiresAtUnixMs }) };
}

function sorted(records: readonly StoredRecord[]): StoredRecord[] {
  return records.toSorted((one, other) => (one.key < other.key ? -1 : 1));
}
