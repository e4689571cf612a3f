/** The store on a real Redis that works: the contract, and what hands have changed in Redis. Failures are in redis-failures.test.ts. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type Announcement, KEEP_ANNOUNCEMENT_MS, LAYOUT, MAX_VERSION_MS, type SharedRecord } from '@rollcall/core';
import { sharedStoreContract } from '@rollcall/core/testing';
import { Redis } from 'ioredis';
import { type Keys, keysOf } from './keys.ts';
import { EXCHANGE } from './lua.ts';
import { openRedisSharedStore, type RedisSharedStore } from './redis-shared-store.ts';
import { findRedisServer, HOW_TO_INSTALL, startRedisServer } from './testing/redis-server.ts';
import {
  announcement,
  CLUSTER,
  exchange,
  freshPrefix,
  openClient,
  openStore,
  RECORD,
  rejectedAs,
  unexpected,
} from './testing/store-on-redis.ts';

const binary = findRedisServer();

void test('an invalid prefix or address is refused', async () => {
  const open = (url: string, prefix: string): Promise<RedisSharedStore> =>
    openRedisSharedStore({ url, prefix, onProblem: () => {} });
  for (const prefix of ['', 'a b', 'a{b}', 'x'.repeat(65)])
    await assert.rejects(open('redis://127.0.0.1:1', prefix), RangeError);
  await assert.rejects(open('redis://', 'p'), RangeError);
});

if (binary === undefined) {
  void test('the shared store on a real Redis', { skip: HOW_TO_INSTALL }, () => {});
} else {
  const redis = await startRedisServer(binary);
  const node = await startRedisServer(binary, {
    settings: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
  });
  after(async () => {
    await redis.close();
    await node.close();
  });
  const admin = new Redis(node.url);
  after(() => admin.disconnect());
  await admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  while (!String(await admin.call('CLUSTER', 'INFO')).includes('cluster_state:ok'));

  for (const [name, url, flushUrl] of [
    ['redis', redis.url, redis.url],
    ['redis cluster', `redis-cluster://127.0.0.1:${node.port}`, node.url],
  ] as const) {
    let prefix = '';
    const open = (): Promise<RedisSharedStore> =>
      openRedisSharedStore({
        url,
        prefix,
        onProblem: (problem) => unexpected.push(problem.message),
        commandTimeoutMs: 30_000,
        openWithinMs: 5_000,
      });
    sharedStoreContract({
      name: `shared store on ${name}`,
      open: () => {
        prefix = freshPrefix();
        return open();
      },
      openAnother: open,
      wipe: async () => {
        const client = new Redis(flushUrl);
        await client.flushall();
        client.disconnect();
      },
    });
  }

  /** Opens a store with some records, and a client. */
  const prepare = async (
    t: Parameters<typeof openStore>[0],
    records: readonly SharedRecord[] = [RECORD],
  ): Promise<{ store: RedisSharedStore; client: Redis; keys: Keys; problems: string[] }> => {
    const prefix = freshPrefix();
    const problems: string[] = [];
    const store = await openStore(t, redis.url, { prefix, onProblem: ({ message }) => problems.push(message) });
    await exchange(store);
    await store.write(records, CLUSTER);
    return { store, client: openClient(t, redis.url), keys: keysOf(prefix), problems };
  };

  void test('clusters with different prefixes do not share records', async (t) => {
    const [one, other] = [await openStore(t, redis.url), await openStore(t, redis.url)];
    await exchange(one);
    await one.write([RECORD], CLUSTER);
    assert.equal((await other.versions()).size, 0);
  });

  void test('the store has five keys, and no other', async (t) => {
    const { client, keys } = await prepare(t);
    const found = await client.keys(`${keys.cluster.slice(0, keys.cluster.indexOf('}'))}*`);
    const { cluster, records, versions, changes, coordinators } = keys;
    assert.deepEqual(found.sort(), [cluster, records, versions, changes, coordinators].sort());
    assert.equal(await client.hget(versions, 'node/a'), '1 a');
    assert.equal(await client.hget(records, 'node/a'), '{"version":[1,"a"],"value":{"a":1},"remaining":{}}');
    assert.equal(await client.zscore(changes, 'node/a'), '1');
    const { epoch, origin, ...others } = await client.hgetall(cluster);
    assert.deepEqual({ ...others }, { id: CLUSTER, layout: String(LAYOUT), change: '1', count: '1' });
    assert.equal(origin, epoch);
  });

  void test('a coordinator that announces a later layout and does not write it is one of the others', async (t) => {
    const { store, client, keys } = await prepare(t);
    const later = announcement({ coordinator: 'b', release: '9', layout: LAYOUT + 1 });
    const [seconds] = await client.time();
    await client.hset(keys.coordinators, 'b', `${seconds} ${JSON.stringify(later)}`);
    const { coordinators } = await exchange(store);
    assert.deepEqual(
      coordinators.filter(({ coordinator }) => coordinator === 'b'),
      [later],
    );
    await store.write([{ ...RECORD, version: [2, 'a'] }], CLUSTER);
    assert.equal(await client.hget(keys.cluster, 'layout'), String(LAYOUT));
  });

  void test('an exchange whose answer was lost gives the same answer again', async (t) => {
    const client = openClient(t, redis.url);
    const { cluster, records, versions, changes, coordinators } = keysOf(freshPrefix());
    const text = JSON.stringify(announcement());
    const send = (proposal: string): Promise<unknown> => {
      const names = [cluster, records, versions, changes, coordinators];
      return client.eval(EXCHANGE, 5, ...names, CLUSTER, '2', proposal, 'a', text, '', '0', '') as Promise<unknown>;
    };
    const first = (await send('p1')) as unknown[];
    const again = (await send('p1')) as unknown[];
    assert.deepEqual(again.slice(0, 4), first.slice(0, 4));
    assert.deepEqual(first.slice(0, 4), [1, 'p1', '0', 1]);
    assert.deepEqual(((await send('p2')) as unknown[]).slice(0, 4), [1, 'p1', '0', 0]);
  });

  void test('records that hands have changed are named as unreadable, and the next version replaces them', async (t) => {
    const { store, client, keys } = await prepare(t);
    const texts: Record<string, string> = {
      json: '{"version":[1,"a"],"value":',
      version: '{"version":[0,"a"],"value":1,"remaining":{}}',
      huge: JSON.stringify({ version: [1, 'a'], value: 'x'.repeat(60_000), remaining: {} }),
      giant: 'x'.repeat(5_000_000),
      empty: '',
      __proto__: 'null',
    };
    for (const [key, text] of Object.entries(texts)) await client.hset(keys.records, key, text);
    const { records, unreadable } = await store.read([...Object.keys(texts), 'node/a', 'x'.repeat(200)]);
    assert.deepEqual([records, unreadable], [[RECORD], Object.keys(texts)]);
    await store.write(
      Object.keys(texts).map((key) => ({ ...RECORD, key, version: [2, 'a'] })),
      CLUSTER,
    );
    assert.deepEqual((await store.read(Object.keys(texts))).unreadable, []);
    assert.equal(Object.hasOwn({}, 'polluted'), false);
  });

  void test('versions that hands have changed count as absent', async (t) => {
    for (const text of [
      'nan a',
      'inf a',
      '1e308 a',
      `${MAX_VERSION_MS + 1} a`,
      '9007199254740993 a',
      '-1 a',
      '5',
      '5 Z',
      '',
    ]) {
      const { store, client, keys } = await prepare(t);
      await client.hset(keys.versions, 'node/a', text);
      assert.deepEqual(await store.versions(), new Map([['node/a', undefined]]), text);
      assert.deepEqual((await store.write([RECORD], CLUSTER)).outcomes, ['written'], text);
      assert.deepEqual(await store.versions(), new Map([['node/a', RECORD.version]]));
      await client.hset(keys.versions, 'node/a', text);
      await store.forget(new Map([['node/a', [1, 'a']]]), CLUSTER);
      assert.deepEqual((await store.read(['node/a'])).records, [], text);
    }
  });

  void test('lost entries of any key begin a new epoch, once, and the records are consistent again', async (t) => {
    const losses: readonly [string, (client: Redis, keys: Keys) => Promise<unknown>, left: number][] = [
      ['all records', (client, { records }) => client.del(records), 0],
      ['all versions', (client, { versions }) => client.del(versions), 0],
      ['all changes', (client, { changes }) => client.del(changes), 3],
      [
        'everything but the cluster',
        (client, { records, versions, changes }) => client.del(records, versions, changes),
        0,
      ],
      ['one record', (client, { records }) => client.hdel(records, 'node/b'), 2],
      ['one version', (client, { versions }) => client.hdel(versions, 'node/b'), 2],
      ['the epoch', (client, { cluster }) => client.hdel(cluster, 'epoch'), 3],
      ['the number of the change', (client, { cluster }) => client.hset(cluster, 'change', 'nan'), 3],
    ];
    for (const [what, lose, left] of losses) {
      const { store, client, keys } = await prepare(
        t,
        ['node/a', 'node/b', 'node/c'].map((key) => ({ ...RECORD, key })),
      );
      const { at } = await exchange(store);
      await lose(client, keys);
      const after = await exchange(store, { seen: at });
      assert.notEqual(after.at.epoch, at.epoch, what);
      assert.deepEqual([after.changed, after.isNew, after.at.change], [undefined, false, left], what);
      assert.equal((await store.versions()).size, left, what);
      const again = await exchange(store, { seen: after.at });
      assert.deepEqual([again.at, again.changed], [after.at, []], what);
      const { outcomes } = await store.write([{ ...RECORD, key: 'node/b' }], CLUSTER);
      assert.equal(outcomes[0], left === 3 ? 'stale' : 'written', what);
      assert.deepEqual((await exchange(store, { seen: after.at })).changed, left === 3 ? [] : ['node/b'], what);
      assert.equal((await store.read(['node/b'])).records.length, 1, what);
    }
  });

  void test('keys of another type are replaced and reported, and the store works', async (t) => {
    for (const name of ['cluster', 'records', 'versions', 'changes', 'coordinators'] as const) {
      const { store, client, keys, problems } = await prepare(t);
      const { at } = await exchange(store);
      await client.del(keys[name]);
      await client.rpush(keys[name], 'a list');
      if (name === 'records' || name === 'versions') {
        const reads = name === 'records' ? store.read(['node/a']) : store.versions();
        assert.match(await rejectedAs('wrong-type', reads), /another type .*the next exchange replaces it/);
      }
      const after = await exchange(store, { seen: at });
      const isRefilled = name === 'coordinators';
      assert.deepEqual([after.changed, after.isNew], [isRefilled ? [] : undefined, name === 'cluster'], name);
      assert.deepEqual(problems, [
        `replaced 1 keys of ${keys.cluster.slice(0, -':cluster'.length)} in redis that held another type`,
      ]);
      await store.write([RECORD], CLUSTER);
      assert.deepEqual((await store.read(['node/a'])).records, [RECORD]);
      await exchange(store, { seen: after.at });
      assert.equal(problems.length, 1);
    }
  });

  void test('a write also replaces keys of another type, and the next exchange reports the loss', async (t) => {
    const { store, client, keys, problems } = await prepare(t, [RECORD, { ...RECORD, key: 'node/b' }]);
    const { at } = await exchange(store);
    await client.set(keys.versions, 'a text');
    await client.set(keys.changes, 'a text');
    assert.deepEqual((await store.write([RECORD], CLUSTER)).outcomes, ['written']);
    assert.match(problems[0] ?? '', /replaced 2 keys/);
    assert.equal((await exchange(store, { seen: at })).changed, undefined);
    assert.deepEqual([...(await store.versions()).keys()], ['node/a']);
    await client.set(keys.cluster, 'a text');
    await rejectedAs('emptied', store.write([RECORD], CLUSTER));
  });

  void test('invalid, old and too many announcements are removed', async (t) => {
    const { store, client, keys } = await prepare(t);
    const [seconds] = await client.time();
    const old = Number(seconds) - KEEP_ANNOUNCEMENT_MS / 1_000;
    const text = (coordinator: string): string => JSON.stringify(announcement({ coordinator }));
    await client.hset(keys.coordinators, {
      b: `${old - 5} ${text('b')}`,
      c: `${old + 600} ${text('c')}`,
      d: `${Number(seconds) + KEEP_ANNOUNCEMENT_MS} ${text('d')}`,
      e: text('e'),
      f: 'nan {}',
      a1: `${seconds} not json`,
      b1: `${seconds} ${text('b2')}`,
      c1: `${seconds} ${'x'.repeat(100_000)}`,
    });
    const { coordinators } = await exchange(store);
    const idsOf = (all: readonly Announcement[]): string[] => all.map(({ coordinator }) => coordinator).sort();
    assert.deepEqual(idsOf(coordinators), ['a', 'c']);
    assert.deepEqual((await client.hkeys(keys.coordinators)).sort(), ['a', 'a1', 'b1', 'c']);
  });

  void test('a cluster id or layout that hands have changed refuses, and the message names it', async (t) => {
    const { store, client, keys } = await prepare(t);
    await client.hset(keys.cluster, 'layout', '3');
    assert.match(await rejectedAs('foreign', store.write([RECORD], CLUSTER)), /has layout 3 .*writes layout 2/);
    await client.hset(keys.cluster, { layout: 'nan', id: 'other' });
    assert.match(await rejectedAs('foreign', store.write([RECORD], CLUSTER)), /another cluster \(other\)/);
    const refused = await store.exchange(announcement(), CLUSTER);
    assert.deepEqual(refused, { type: 'refused', clusterId: 'other', layout: undefined });
    await client.hdel(keys.cluster, 'layout');
    assert.deepEqual(await store.exchange(announcement(), CLUSTER), refused);
  });

  void test('records of release 0.1.0 are read until they are marked as imported', async (t) => {
    const { store, client, keys } = await prepare(t);
    const oldRecord = (key: string, fields: Record<string, string>): Promise<unknown> =>
      Promise.all([client.hset(keys.oldRecord(key), fields), client.sadd(keys.oldRecords, key)]);
    assert.deepEqual(await store.readEarlier(), []);
    await oldRecord('node/a', { v0: '1', v1: '2', value: '{"a":1}', expires: '', by: 'x', op: 'y' });
    await oldRecord('override/a', { v0: '3', v1: '4', value: '{}', expires: '1895216422546' });
    await oldRecord('node/bad', { v0: 'nan', v1: '2', value: '{}' });
    await oldRecord('node/json', { v0: '1', v1: '2', value: '{' });
    await oldRecord('node/huge', { v0: '1', v1: '2', value: 'x'.repeat(100_000) });
    await client.set(keys.oldRecord('node/text'), 'a text');
    await client.sadd(keys.oldRecords, 'node/text', 'node/gone', 'x'.repeat(500));
    const read = await store.readEarlier();
    assert.deepEqual(
      read?.toSorted((one, other) => (one.key < other.key ? -1 : 1)),
      [
        { key: 'node/a', version: [1, 2], value: { a: 1 } },
        { key: 'override/a', version: [3, 4], value: {}, expiresAtUnixMs: 1_895_216_422_546 },
      ],
    );
    await assert.rejects(store.markImported('other'), /another cluster/);
    await store.markImported(CLUSTER);
    assert.equal(await store.readEarlier(), undefined);
    assert.equal(await client.scard(keys.oldRecords), 8);
    await exchange(store);
    assert.equal(await store.readEarlier(), undefined);
  });

  void test('an index of release 0.1.0 of another type has no records', async (t) => {
    const { store, client, keys } = await prepare(t);
    await client.set(keys.oldRecords, 'a text');
    assert.deepEqual(await store.readEarlier(), []);
  });

  void test('no store of these tests reported another problem, except that a busy machine answered too late', () => {
    const isLate = (message: string): boolean => message.endsWith('(connection lost); reconnecting');
    assert.deepEqual(
      unexpected.filter((message) => !isLate(message)),
      [],
    );
  });
}
