/** The load on Redis of three coordinators with 10,000 records, and the time of a full sync. Printed as diagnostics. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SharedRecord } from '@rollcall/core';
import type { RedisSharedStore } from './redis-shared-store.ts';
import { findRedisServer, HOW_TO_INSTALL, startRedisServer } from './testing/redis-server.ts';
import { CLUSTER, exchange, freshPrefix, openClient, openStore } from './testing/store-on-redis.ts';

const binary = findRedisServer();
const skip = binary === undefined ? HOW_TO_INSTALL : false;
const RECORDS = 10_000;
const EXCHANGES = 50;

test('three coordinators with 10,000 records send few commands', { skip, timeout: 120_000 }, async (t) => {
  const redis = await startRedisServer(binary!);
  t.after(() => redis.close());
  const prefix = freshPrefix();
  const ids = ['a', 'b', 'c'];
  const stores = await Promise.all(ids.map(() => openStore(t, redis.url, { prefix })));
  const client = openClient(t, redis.url);
  const records: SharedRecord[] = Array.from({ length: RECORDS }, (_, i) => ({
    key: `node/n${i}`,
    version: [1_795_000_000_000 + i, 'a'],
    value: { registration: 'x'.repeat(500), number: i },
    remaining: { expires: 86_400_000 },
  }));
  const time = async (what: string, run: () => Promise<unknown>): Promise<void> => {
    const startedAt = performance.now();
    await run();
    t.diagnostic(`${what}: ${(performance.now() - startedAt).toFixed(0)} ms`);
  };
  const [first] = stores as [RedisSharedStore];
  await exchange(first);
  await time('write of 10,000 records', () => first.write(records, CLUSTER));
  await time('versions', () => first.versions());
  await time('read of 10,000 records', () => first.read(records.map(({ key }) => key)));

  await client.config('RESETSTAT');
  const seen = await Promise.all(stores.map((store, i) => exchange(store, { coordinator: ids[i]! })));
  const startedAt = performance.now();
  for (let round = 1; round <= EXCHANGES; round++) {
    // As many changes as 10,000 nodes make that start once in 15 minutes.
    await first.write(
      [
        { ...records[round]!, version: [1_796_000_000_000 + round, 'a'] },
        { ...records[round + 100]!, version: [1_796_000_000_000 + round, 'a'] },
      ],
      CLUSTER,
    );
    for (const [i, store] of stores.entries()) {
      seen[i] = await exchange(store, { coordinator: ids[i]!, seen: seen[i]!.at });
      assert.equal(seen[i]!.changed?.length, 2);
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, startedAt + round * 200 - performance.now())));
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  const stats = await client.info('commandstats');
  const [, calls, usec] = /cmdstat_eval:calls=(\d+),usec=(\d+)/.exec(stats) ?? [];
  t.diagnostic(
    `scripts: ${(Number(calls) / seconds).toFixed(1)} per second, ${(Number(usec) / Number(calls)).toFixed(0)} us each`,
  );
  t.diagnostic(`busy: ${((Number(usec) / seconds / 1e6) * 100).toFixed(2)} % of one core of redis`);
  assert.ok(Number(calls) / seconds < 30, 'more than one script per exchange and write');
});
