/** What an operator has requested outlives Redis, all coordinators, and the upgrade from release 0.1.0. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { NodeResource, StatusResource } from '@rollcall/protocol';
import { findRedisServer, HOW_TO_INSTALL, type RedisServer, startRedisServer } from '@rollcall/store-redis/testing';
import { Redis } from 'ioredis';
import { Site, until } from '../site/site.ts';

const binary = findRedisServer();
const options = { skip: binary === undefined && HOW_TO_INSTALL, timeout: 180_000 };

async function redisOf(t: TestContext): Promise<{ redis: RedisServer; client: Redis }> {
  const redis = await startRedisServer(binary!);
  const client = new Redis(redis.url);
  client.on('error', () => undefined);
  t.after(async () => {
    client.disconnect();
    await redis.close();
  });
  return { redis, client };
}

/** Drained by an operator, at a coordinator that knows it. */
async function statusOf(site: Site, id: string): Promise<readonly unknown[]> {
  const node: NodeResource | undefined = await site.node(id);
  return [node?.liveness, node?.status, node?.wanted.reason];
}

const DRAINED = ['up', 'draining', 'for the test'];

function untilDrained(site: Site, id: string): Promise<void> {
  return until(async () => {
    const found = await statusOf(site, id);
    return JSON.stringify(found) === JSON.stringify(DRAINED);
  }, `${id} is not up and draining`);
}

test('a coordinator that starts without Redis has the drain of another one in force, and fills an emptied Redis', {
  ...options,
}, async (t) => {
  const { redis, client } = await redisOf(t);
  const flags = ['--store', redis.url];
  const one = await Site.start(t, { flags: [...flags, '--name', 'one'] });
  const two = await Site.start(t, { flags: [...flags, '--name', 'two'] });
  await one.addNode('n1', { balancer: 'shop' }, (_, response) => response.end('n1'));
  await two.put('n1', { balancer: 'shop', url: (await one.node('n1'))!.url });
  const drained = await one.admin('POST', '/v1/nodes/n1/drain', { reason: 'for the test', force: true });
  assert.equal(drained.status, 200);
  await untilDrained(two, 'n1');

  await redis.kill();
  one.signalUp('SIGKILL');
  await two.restart([...flags, '--name', 'two']);
  await untilDrained(two, 'n1');
  const { sharing, advice } = (await two.admin<StatusResource>('GET', '/v1/status')).body;
  assert.equal(sharing?.isReachable, false);
  assert.match(advice.join('\n'), /Nothing is shared through redis since .*ECONNREFUSED/);
  const { stdout } = await two.cli('status');
  assert.match(stdout, /shared memory redis, cluster \S+: not shared for .*ECONNREFUSED/);

  await redis.restart({ isEmpty: true });
  await until(
    async () => /for the test/.test(String(await client.hget('{rollcall}:2:records', 'override/n1').catch(() => ''))),
    'the drain is not in the emptied Redis',
  );
});

test('a new password of Redis is taken by a reload', options, async (t) => {
  const { redis, client } = await redisOf(t);
  await client.config('SET', 'requirepass', 'one');
  await client.call('AUTH', 'one');
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-password-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'rollcall.json');
  const withPassword = (password: string): void =>
    writeFileSync(file, JSON.stringify({ store: redis.url.replace('//', `//:${password}@`) }));
  withPassword('one');
  const site = await Site.start(t, { flags: ['--config', file] });
  const isShared = async (): Promise<boolean> =>
    (await site.admin<StatusResource>('GET', '/v1/status')).body.sharing?.isReachable === true;
  await site.addNode('n1', { balancer: 'shop' }, (_, response) => response.end('n1'));
  await until(isShared, 'the first password does not work');

  await client.config('SET', 'requirepass', 'two');
  await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await until(async () => !(await isShared()), 'the changed password is not noticed');
  withPassword('two');
  assert.equal((await site.cli('reload')).code, 0);
  await until(() => isShared().catch(() => false), 'the second password does not work');
  assert.equal((await site.node('n1'))?.balancer, 'shop');

  writeFileSync(file, JSON.stringify({ store: 'memory' }));
  const { code, stderr } = await site.cli('reload');
  assert.equal(code, 1);
  assert.match(stderr, /--store cannot change while rollcall runs/);
});

interface Line {
  readonly key: string;
  readonly version: readonly [number, number];
  readonly value: unknown;
}

/** The records of a file store, which have the form in which release 0.1.0 wrote them to Redis. */
function recordsOf({ stateDir }: Site): Line[] {
  const records = new Map<string, Line>();
  for (const name of ['cluster.json', 'cluster.journal']) {
    const path = join(stateDir, name);
    for (const line of existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []) {
      const [json] = /\{"key":.*\}/.exec(line) ?? [];
      if (json === undefined) continue;
      const record = JSON.parse(json) as Line;
      records.set(record.key, record);
    }
  }
  return [...records.values()];
}

test('the records of release 0.1.0 in Redis are taken once, and are in force', { ...options }, async (t) => {
  const { redis, client } = await redisOf(t);
  const old = await Site.start(t);
  await old.addNode('n1', { balancer: 'shop' }, (_, response) => response.end('n1'));
  await old.admin('POST', '/v1/nodes/n1/drain', { reason: 'for the test', force: true });
  await old.admin('PATCH', '/v1/balancers/shop', { retries: 7 });
  const records = recordsOf(old).filter(({ key }) => key !== 'cluster');
  assert.deepEqual(
    ['balancer/shop', 'node/n1', 'override/n1'].filter((key) => !records.some((record) => record.key === key)),
    [],
  );
  for (const { key, version, value } of records) {
    const [v0, v1] = version;
    await client.hset(`{rollcall}:record:${key}`, { v0, v1, value: JSON.stringify(value) });
    await client.sadd('{rollcall}:records', key);
  }

  const one = await Site.start(t, { flags: ['--store', redis.url, '--name', 'one', '--log-level', 'info'] });
  await untilDrained(one, 'n1');
  assert.equal((await one.balancer('shop')).retries, 7);
  assert.match(one.log, /took the records of release 0\.1\.0 from the store/);
  assert.equal(await client.hget('{rollcall}:cluster', 'imported'), '1');

  await one.admin('POST', '/v1/nodes/n1/enable', {});
  await one.admin('PATCH', '/v1/balancers/shop', { retries: 3 });
  await one.restart();
  const two = await Site.start(t, { flags: ['--store', redis.url, '--name', 'two', '--log-level', 'info'] });
  for (const site of [one, two]) {
    await until(async () => (await site.balancer('shop')).retries === 3, 'the settings are not in force');
    assert.equal((await site.node('n1'))?.status ?? 'enabled', 'enabled');
  }
  assert.equal(one.log.match(/took the records/g)?.length, 1);
  assert.doesNotMatch(two.log, /took the records/);
  assert.equal(await client.scard('{rollcall}:records'), records.length, 'records of 0.1.0 are not deleted');
});
