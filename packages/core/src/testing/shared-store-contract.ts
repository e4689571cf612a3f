/** The contract of `SharedStore` as test cases, run for every implementation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SharedRecord } from '../replication/shared-record.ts';
import {
  type Announcement,
  type Exchanged,
  LAYOUT,
  MAX_COORDINATORS,
  type Point,
  type SharedStore,
} from '../replication/shared-store.ts';
import { MAX_AHEAD_MS, MAX_VERSION_MS, type Version } from '../replication/version.ts';

export interface SharedStoreContractOptions {
  /** Put before the name of each case. */
  readonly name: string;
  /** Opens a store on a fresh medium. */
  readonly open: () => Promise<SharedStore>;
  /** Opens another store on the medium of the last `open`. */
  readonly openAnother: () => Promise<SharedStore>;
  /** Deletes all that the medium of the last `open` keeps. */
  readonly wipe: () => Promise<void>;
}

const CLUSTER = 'c1';
const DAY_MS = 86_400_000;
const OTHER_CLUSTER = 'c2';
const NEVER: Point = { epoch: '', change: 0 };

/** Declares the cases. Call it at the top of a test file. */
export function sharedStoreContract({ name, open, openAnother, wipe }: SharedStoreContractOptions): void {
  const declare = (sentence: string, run: (one: SharedStore, other: SharedStore) => Promise<void>): void => {
    void test(`${name}: ${sentence}`, async () => {
      const one = await open();
      const other = await openAnother();
      try {
        await run(one, other);
      } finally {
        await one.close();
        await other.close();
      }
    });
  };

  declare('the first exchange prepares an empty store, and only the first', async (one, other) => {
    const first = await exchange(one);
    assert.deepEqual([first.clusterId, first.at.change, first.changed, first.isNew], [CLUSTER, 0, undefined, true]);
    assert.ok(first.at.epoch !== '' && Number.isSafeInteger(first.nowUnixMs) && first.nowUnixMs > 1e12);
    const second = await exchange(other, { coordinator: 'b', seen: first.at });
    assert.deepEqual([second.at, second.changed, second.isNew], [first.at, [], false]);
  });

  declare('coordinators see the last announcement of each other', async (one, other) => {
    await exchange(one, { coordinator: 'a', counter: 1 });
    const b = { coordinator: 'b', counter: 5, name: 'ä "b"', url: 'wss://[fd00::2]:8400/b' };
    const { at } = await exchange(other, b);
    const { coordinators } = await exchange(one, { coordinator: 'a', counter: 2, seen: at });
    assert.deepEqual(sortedById(coordinators), [
      announcement({ coordinator: 'a', counter: 2, seen: at }),
      announcement(b),
    ]);
  });

  declare(
    'a coordinator that withdraws is announced no longer, and withdrawing again is no error',
    async (one, other) => {
      await exchange(one, { coordinator: 'a' });
      await exchange(other, { coordinator: 'b' });
      await other.withdraw('b', CLUSTER);
      await other.withdraw('b', CLUSTER);
      const { coordinators } = await exchange(one, { coordinator: 'a' });
      assert.deepEqual(
        coordinators.map(({ coordinator }) => coordinator),
        ['a'],
      );
    },
  );

  declare('of many announcements the latest stay', async (one) => {
    for (let i = 0; i < MAX_COORDINATORS + 6; i++) await exchange(one, { coordinator: i.toString(16), counter: i });
    const { coordinators } = await exchange(one, { coordinator: 'abc' });
    assert.equal(coordinators.length, MAX_COORDINATORS);
    assert.ok(coordinators.some(({ coordinator }) => coordinator === 'abc'));
  });

  declare('a store of another cluster refuses, and nothing changes', async (one, other) => {
    await exchange(one);
    await one.write([record('node/a', [5, 'a'])], CLUSTER);
    const refused = await other.exchange(announcement({ coordinator: 'b' }), OTHER_CLUSTER);
    assert.deepEqual(refused, { type: 'refused', clusterId: CLUSTER, layout: LAYOUT });
    await assert.rejects(other.write([record('node/a', [9, 'b'])], OTHER_CLUSTER), Error);
    await assert.rejects(other.forget(new Map([['node/a', [9, 'b']]]), OTHER_CLUSTER), Error);
    await assert.rejects(other.withdraw('a', OTHER_CLUSTER), Error);
    assert.deepEqual((await one.read(['node/a'])).records, [record('node/a', [5, 'a'])]);
    assert.equal((await exchange(one)).coordinators.length, 1);
  });

  declare('a store of a later layout refuses, and nothing changes', async (one, other) => {
    await exchange(one, { layout: LAYOUT + 1 });
    const refused = await other.exchange(announcement({ coordinator: 'b' }), CLUSTER);
    assert.deepEqual(refused, { type: 'refused', clusterId: CLUSTER, layout: LAYOUT + 1 });
    await assert.rejects(other.write([record('node/a', [9, 'b'])], CLUSTER), Error);
    assert.equal((await other.versions()).size, 0);
    assert.equal((await exchange(one, { layout: LAYOUT + 1 })).coordinators.length, 1);
  });

  declare('written records are read whole, deletions as well', async (one, other) => {
    await exchange(one);
    const records = [
      record('node/a', [1, 'a'], { text: 'ä "quoted"\n', list: [1, { two: null }] }, { expires: 60_000 }),
      record('override/ä', [MAX_VERSION_MS, 'f'.repeat(32)], 'x', { deadline: -5, until: 0.5 }),
      record('token/t', [2, 'b'], null),
    ];
    assert.deepEqual((await one.write(records, CLUSTER)).outcomes, ['written', 'written', 'written']);
    const read = await other.read(['node/a', 'override/ä', 'token/t', 'node/nobody', 'node/a']);
    assert.deepEqual(sorted(read.records), sorted(records));
    assert.deepEqual(read.unreadable, []);
    assert.deepEqual(await other.versions(), new Map(records.map(({ key, version }) => [key, version])));
    assert.deepEqual(await other.read([]), { records: [], unreadable: [] });
  });

  declare('a higher version replaces, an equal or lower one is stale and changes nothing', async (one) => {
    await exchange(one);
    const { at } = await one.write([record('node/a', [5, 'b'], 'kept')], CLUSTER);
    for (const version of [
      [5, 'b'],
      [5, 'a'],
      [5, 'aff'],
      [4, 'c'],
    ] as const) {
      const written = await one.write([record('node/a', version, 'lost')], CLUSTER);
      assert.deepEqual(written, { outcomes: ['stale'], at }, String(version));
    }
    assert.deepEqual((await one.read(['node/a'])).records, [record('node/a', [5, 'b'], 'kept')]);
    for (const version of [
      [5, 'b0'],
      [5, 'c'],
      [6, '0'],
    ] as const) {
      assert.deepEqual((await one.write([record('node/a', version, 'new')], CLUSTER)).outcomes, ['written']);
      assert.deepEqual(await one.versions(), new Map([['node/a', version]]));
    }
  });

  declare('versions are compared as numbers', async (one) => {
    const { nowUnixMs } = await exchange(one);
    const far = nowUnixMs + MAX_AHEAD_MS - DAY_MS;
    const attempts: [Version, string][] = [
      [[9, 'a'], 'written'],
      [[10, 'a'], 'written'],
      [[far - 1, 'a'], 'written'],
      [[far, 'a'], 'written'],
      [[far - 1, 'b'], 'stale'],
      [[1_000_000_000_000, 'b'], 'stale'],
    ];
    for (const [version, outcome] of attempts)
      assert.deepEqual((await one.write([record('node/a', version)], CLUSTER)).outcomes, [outcome], String(version));
  });

  declare('a version of the far future counts as absent', async (one) => {
    const { nowUnixMs } = await exchange(one);
    for (const ms of [MAX_VERSION_MS, nowUnixMs + MAX_AHEAD_MS + DAY_MS]) {
      await one.write([record('node/a', [ms, 'b'])], CLUSTER);
      assert.deepEqual(await one.versions(), new Map([['node/a', [ms, 'b']]]));
      const own = record('node/a', [nowUnixMs, 'a'], 'own');
      assert.deepEqual((await one.write([own], CLUSTER)).outcomes, ['written']);
      assert.deepEqual((await one.read(['node/a'])).records, [own]);
      await one.write([record('node/b', [ms, 'b'])], CLUSTER);
      await one.forget(new Map([['node/b', [nowUnixMs, 'a']]]), CLUSTER);
      assert.deepEqual([...(await one.versions()).keys()], ['node/a']);
    }
  });

  declare('a refresh replaces a record of the same version, and is no change', async (one, other) => {
    await exchange(one);
    const { at } = await one.write([record('node/a', [5, 'a'], 1, { expires: 9_000 })], CLUSTER);
    const refreshed = record('node/a', [5, 'a'], 1, { expires: 3_000 });
    assert.deepEqual(await one.write([refreshed], CLUSTER, true), { outcomes: ['written'], at });
    assert.deepEqual((await other.read(['node/a'])).records, [refreshed]);
    assert.deepEqual((await exchange(other, { coordinator: 'b', seen: at })).changed, []);
    const lower = record('node/a', [4, 'a'], 0);
    assert.deepEqual((await one.write([lower], CLUSTER, true)).outcomes, ['stale']);
    const higher = await one.write([record('node/a', [6, 'a'], 2)], CLUSTER, true);
    assert.deepEqual([higher.outcomes, higher.at.change], [['written'], at.change + 1]);
  });

  declare('an exchange names the keys that have changed after the seen point, each once', async (one, other) => {
    await exchange(one);
    const start = await one.write([record('node/old', [1, 'a'])], CLUSTER);
    await one.write([record('node/a', [1, 'a']), record('node/b', [1, 'a'])], CLUSTER);
    const last = await one.write([record('node/a', [2, 'a'])], CLUSTER);
    const seen = await exchange(other, { coordinator: 'b', seen: start.at });
    assert.deepEqual([...seen.changed!].sort(), ['node/a', 'node/b']);
    assert.deepEqual(seen.at, last.at);
    assert.deepEqual((await exchange(other, { coordinator: 'b', seen: seen.at })).changed, []);
    assert.equal((await exchange(other, { coordinator: 'b', seen: { ...seen.at, epoch: 'x' } })).changed, undefined);
  });

  declare('a write that is sent twice has the effect of one', async (one) => {
    await exchange(one);
    const first = await one.write([record('node/a', [1, 'a'])], CLUSTER);
    assert.deepEqual(await one.write([record('node/a', [1, 'a'])], CLUSTER), { outcomes: ['stale'], at: first.at });
  });

  declare('outcomes come one per record, in order, also for many records', async (one) => {
    await exchange(one);
    await one.write([record('node/n7', [2, 'a'])], CLUSTER);
    const records = Array.from({ length: 250 }, (_, i) => record(`node/n${i}`, [1, 'a'], 'x'.repeat(1_000)));
    const { outcomes, at } = await one.write(records, CLUSTER);
    assert.deepEqual(
      outcomes,
      records.map((_, i) => (i === 7 ? 'stale' : 'written')),
    );
    assert.equal(at.change, 250);
    const read = await one.read(records.map(({ key }) => key));
    assert.equal(read.records.length, 250);
    assert.deepEqual(await one.write([], CLUSTER), { outcomes: [], at });
  });

  declare('of two versions of one record in one write the higher stays', async (one) => {
    await exchange(one);
    const written = await one.write([record('node/a', [2, 'a'], 'high'), record('node/a', [1, 'a'], 'low')], CLUSTER);
    assert.deepEqual(written.outcomes, ['written', 'stale']);
  });

  declare('many writes at once all end, and the highest version stays', async (one, other) => {
    await exchange(one);
    const versions = Array.from({ length: 50 }, (_, index) => 1 + ((index * 37) % 50));
    await Promise.all(
      versions.map((ms, i) => (i % 2 === 0 ? one : other).write([record('node/a', [ms, 'a'], ms)], CLUSTER)),
    );
    assert.deepEqual((await one.read(['node/a'])).records, [record('node/a', [50, 'a'], 50)]);
  });

  declare('forgotten records are gone where the store has no higher version, and are no change', async (one) => {
    await exchange(one);
    const keys = ['node/lower', 'node/same', 'node/higher'];
    const { at } = await one.write(
      keys.map((key) => record(key, [5, 'b'])),
      CLUSTER,
    );
    const versions = new Map<string, Version>([
      ['node/lower', [6, 'a']],
      ['node/same', [5, 'b']],
      ['node/higher', [5, 'a']],
      ['node/nobody', [9, 'a']],
    ]);
    await one.forget(versions, CLUSTER);
    await one.forget(versions, CLUSTER);
    assert.deepEqual([...(await one.versions()).keys()], ['node/higher']);
    assert.deepEqual((await one.read(keys)).records, [record('node/higher', [5, 'b'])]);
    await one.forget(new Map([['node/higher', [5, 'b']]]), CLUSTER);
    const exchanged = await exchange(one, { seen: at });
    assert.deepEqual([exchanged.at, exchanged.changed, exchanged.isNew], [at, [], false]);
    assert.deepEqual((await one.write([record('node/same', [1, 'a'])], CLUSTER)).outcomes, ['written']);
  });

  declare('an emptied store rejects writes until an exchange, which begins a new epoch', async (one, other) => {
    await exchange(one);
    const { at } = await one.write([record('node/a', [5, 'a'])], CLUSTER);
    await wipe();
    await assert.rejects(one.write([record('node/a', [5, 'a'])], CLUSTER), Error);
    await assert.rejects(one.forget(new Map([['node/a', [5, 'a']]]), CLUSTER), Error);
    await one.withdraw('a', CLUSTER);
    assert.equal((await one.versions()).size, 0);
    const exchanged = await exchange(one, { seen: at });
    assert.notEqual(exchanged.at.epoch, at.epoch);
    assert.deepEqual([exchanged.at.change, exchanged.changed, exchanged.isNew], [0, undefined, true]);
    assert.equal((await exchange(other, { coordinator: 'b', seen: at })).changed, undefined);
    assert.deepEqual((await one.write([record('node/a', [5, 'a'])], CLUSTER)).outcomes, ['written']);
  });

  declare('a store that was set back behind a seen change begins a new epoch', async (one) => {
    await exchange(one);
    const { at } = await one.write([record('node/a', [5, 'a'])], CLUSTER);
    const exchanged = await exchange(one, { seen: { ...at, change: at.change + 1 } });
    assert.notEqual(exchanged.at.epoch, at.epoch);
    assert.deepEqual([exchanged.changed, exchanged.isNew], [undefined, false]);
    assert.deepEqual(await one.versions(), new Map([['node/a', [5, 'a']]]));
    assert.deepEqual((await exchange(one, { seen: exchanged.at })).changed, []);
  });

  declare('records that exceed a bound are refused, with all others of the write', async (one) => {
    await exchange(one);
    for (const wrong of [
      record('x'.repeat(129), [1, 'a']),
      record('node/b', [1, 'a'], 'x'.repeat(17_000)),
      record('node/b', [0, 'a']),
      { ...record('node/b', [1, 'a']), value: undefined },
    ])
      await assert.rejects(one.write([record('node/a', [1, 'a']), wrong], CLUSTER), RangeError);
    assert.equal((await one.versions()).size, 0);
    for (const wrong of [
      { name: 'x'.repeat(129) },
      { url: 'http://a.test' },
      { url: `ws://a.test/${'x'.repeat(512)}` },
    ])
      await assert.rejects(one.exchange(announcement(wrong), CLUSTER), RangeError);
  });

  declare('changes of a value after a write or a read do not change the store', async (one) => {
    await exchange(one);
    const value = { status: 'enabled' };
    await one.write([record('node/a', [1, 'a'], value)], CLUSTER);
    value.status = 'changed';
    const read = await one.read(['node/a']);
    assert.deepEqual(read.records[0]?.value, { status: 'enabled' });
  });

  void test(`${name}: after close every method rejects, and closing again is no error`, async () => {
    const store = await open();
    await store.close();
    await store.close();
    await assert.rejects(store.exchange(announcement({}), CLUSTER), Error);
    await assert.rejects(store.versions(), Error);
    await assert.rejects(store.read(['node/a']), Error);
    await assert.rejects(store.write([record('node/a', [1, 'a'])], CLUSTER), Error);
    await assert.rejects(store.forget(new Map([['node/a', [1, 'a']]]), CLUSTER), Error);
    await assert.rejects(store.withdraw('a', CLUSTER), Error);
  });
}

type Answer = Extract<Exchanged, { type: 'exchanged' }>;

async function exchange(store: SharedStore, fields: Partial<Announcement> = {}): Promise<Answer> {
  const exchanged = await store.exchange(announcement(fields), CLUSTER);
  assert.ok(exchanged.type === 'exchanged', JSON.stringify(exchanged));
  return exchanged;
}

function announcement(fields: Partial<Announcement>): Announcement {
  return { coordinator: 'a', name: 'one', release: '0.2.0', layout: LAYOUT, counter: 1, seen: NEVER, ...fields };
}

function record(
  key: string,
  version: Version,
  value: unknown = 1,
  remaining: SharedRecord['remaining'] = {},
): SharedRecord {
  return { key, version, value, remaining };
}

function sorted(records: readonly SharedRecord[]): SharedRecord[] {
  return records.toSorted((one, other) => (one.key < other.key ? -1 : 1));
}

function sortedById(coordinators: readonly Announcement[]): Announcement[] {
  return coordinators.toSorted((one, other) => (one.coordinator < other.coordinator ? -1 : 1));
}
