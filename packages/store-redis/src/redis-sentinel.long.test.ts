/** A failover by a real Sentinel: the store follows the new master, and changes that it lost are written again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findRedisServer, HOW_TO_INSTALL, startRedisServer } from './testing/redis-server.ts';
import { CLUSTER, eventually, exchange, openClient, openStore, RECORD } from './testing/store-on-redis.ts';

const binary = findRedisServer();
const skip = binary === undefined ? HOW_TO_INSTALL : false;

test('after a failover the store uses the master that Sentinel names', { skip, timeout: 120_000 }, async (t) => {
  const master = await startRedisServer(binary!);
  t.after(() => master.close());
  const settings = ['--replicaof', '127.0.0.1', String(master.port), '--repl-diskless-sync-delay', '0'];
  const replica = await startRedisServer(binary!, { settings });
  t.after(() => replica.close());
  const sentinel = await startRedisServer(binary!, {
    sentinel: [
      `sentinel monitor main 127.0.0.1 ${master.port} 1`,
      'sentinel down-after-milliseconds main 1000',
      'sentinel failover-timeout main 10000',
    ].join('\n'),
  });
  t.after(() => sentinel.close());
  const url = `redis-sentinel://127.0.0.1:${sentinel.port}#main`;
  const store = await openStore(t, url, { onProblem: ({ message }) => t.diagnostic(message), commandTimeoutMs: 2_000 });
  await eventually(() => exchange(store));
  const { at } = await store.write([RECORD], CLUSTER);
  const client = openClient(t, replica.url);
  await eventually(async () => assert.match(await client.info('replication'), /master_link_status:up/));
  await eventually(async () => assert.equal(await client.dbsize(), 5));
  const watch = openClient(t, sentinel.url);
  await eventually(async () =>
    assert.match(String(await watch.call('SENTINEL', 'replicas', 'main')), new RegExp(String(replica.port))),
  );
  const startedAt = performance.now();
  await master.kill();
  const after = await eventually(() => exchange(store, { seen: at }));
  t.diagnostic(`first exchange ${Math.round(performance.now() - startedAt)} ms after the end of the master`);
  assert.deepEqual([after.changed, after.isNew], [undefined, false]);
  assert.deepEqual((await store.read(['node/a'])).records, [RECORD]);
  assert.match(await client.info('replication'), /role:master/);

  // The former master becomes a replica. A forced failover then leads back to it, while the other one is alive.
  await master.restart();
  const former = openClient(t, master.url);
  const isReplica = async (): Promise<void> => {
    const info = await former.info('replication');
    assert.ok(info.includes('role:slave') && info.includes('master_link_status:up'), info);
  };
  await eventually(isReplica, 1_000);
  await eventually(() => watch.call('SENTINEL', 'failover', 'main'), 600);
  await eventually(async () => assert.match(await client.info('replication'), /role:slave/), 600);
  const higher = { ...RECORD, version: [2, 'a'] as const };
  assert.deepEqual((await eventually(() => store.write([higher], CLUSTER))).outcomes, ['written']);
  assert.match(await former.info('replication'), /role:master/);
});
