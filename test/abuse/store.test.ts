/** Rows C60 and C61: a Redis with records that Rollcall did not write, and with keys of others. C62 needs several coordinators. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { StatusResource } from '@rollcall/protocol';
import { findRedisServer, type RedisServer, startRedisServer } from '@rollcall/store-redis/testing';
import { Redis } from 'ioredis';
import { until } from '../site/site.ts';
import { Target } from './target.ts';

const binary = findRedisServer();
/** The store has layout 2 now, and the coordinator does not open it yet. */
const skip = 'the coordinator does not open redis:// at present';
const record = (key: string): string => `{rollcall}:record:${key}`;
const GOOD = { v0: '1', v1: '1' };

let redis: RedisServer;
let client: Redis;
let target: Target;

/** Keys of other programs and of another deployment, with what they hold. */
const FOREIGN: Readonly<Record<string, string>> = {
  'sess:1': 'a session',
  'rollcall:records': 'no braces',
  '{other}:records': 'another deployment',
  '{other}:record:node/foreign': 'a text',
};

/** Records that no version of Rollcall has written, listed where it looks for its own. */
async function poison(): Promise<void> {
  const values: Readonly<Record<string, string>> = {
    'node/not-json': '{"registration":',
    'node/null': 'null',
    'node/list': '[]',
    'node/number': '5',
    'node/huge': JSON.stringify('x'.repeat(8 * 1024 * 1024)),
    'node/deep': '['.repeat(8_000) + ']'.repeat(8_000),
    'node/polluted': '{"__proto__":{"polluted":1},"registration":{"__proto__":{"weight":9}}}',
    'node/unknown-version': '{"version":99,"who":"?"}',
    'node/wrong-types': '{"registration":{"id":5},"incarnation":"x","kind":"agent","owner":null}',
    'node/../../x': '{}',
    __proto__: '{}',
    'balancer/__proto__': '{"operator":{"retries":1}}',
    'balancer/attack': '{"operator":{"retries":1e999,"sticky":{"mode":"mine"}}}',
    'override/bystander': '{"status":"melted","weight":-1}',
    'word/unknown-kind': '{}',
  };
  const keys = (await client.keys('{rollcall}:record:*')).filter((key) => !key.includes('/kept'));
  if (keys.length > 0) await client.del(...keys);
  for (const [key, value] of Object.entries(values)) {
    await client.hset(record(key), { ...GOOD, value });
    await client.sadd('{rollcall}:records', key);
  }
  for (const [v0, v1] of [
    ['nan', '1'],
    ['1e308', '1e308'],
    ['-1', 'x'],
  ]) {
    await client.hset(record(`node/version-${v0}`), { v0, v1, value: '{}' });
    await client.sadd('{rollcall}:records', `node/version-${v0}`);
  }
  await client.hset(record('balancer/bystander'), { v0: '1e308', v1: '1e308', value: '{"operator":{}}' });
  await client.rpush(record('node/bystander'), 'a list');
  await client.set(record('override/torn'), 'a text');
  await client.sadd('{rollcall}:records', 'node/bystander', 'override/torn', 'balancer/bystander', 'x'.repeat(1_000));
  await client.del('{rollcall}:hints');
  await client.set('{rollcall}:hints', 'a text');
}

before(async () => {
  if (skip || binary === undefined) return;
  redis = await startRedisServer(binary);
  client = new Redis(redis.url);
  client.on('error', () => undefined);
  for (const [key, value] of Object.entries(FOREIGN)) await client.set(key, value);
  await poison();
  target = await Target.start({ flags: ['--store', redis.url] });
});
after(async () => {
  await target?.close();
  client?.disconnect();
  await redis?.close();
});

async function isStored(): Promise<boolean> {
  const { store } = (await target.site.admin<StatusResource>('GET', '/v1/status')).body;
  return store.isReachable && store.waiting === 0;
}

test('C60: records of any kind in Redis are skipped, counted and reported, and those of nodes are written', {
  skip,
}, async () => {
  await target.assertUnharmed();
  await target.site.addNode('kept', { balancer: 'kept', hosts: ['kept.test'] }, (_, response) => response.end('kept'));
  await target.site.admin('POST', '/v1/nodes/kept/drain', { reason: 'to be kept', force: true });
  await until(isStored, 'not stored');
  assert.equal(await client.type(record('node/bystander')), 'hash');
  assert.match(String(await client.hget(record('override/kept'), 'value')), /to be kept/);
  const metrics = await target.read('/metrics');
  const [, unreadable] = /^rollcall_store_unreadable_records (\d+)$/m.exec(metrics) ?? [];
  assert.ok(Number(unreadable) >= 10, unreadable);
  assert.match(target.site.log, /skipped \d+ records in redis that cannot be read/);
  await target.assertUnharmed();
});

test('C60: what is poisoned while `up` runs stops neither later writes nor the next start', { skip }, async () => {
  await poison();
  await target.site.admin('PATCH', '/v1/balancers/kept', { retries: 1 });
  await target.site.admin('PATCH', '/v1/nodes/kept', { weight: 3 });
  await until(isStored, 'not stored');
  await target.assertUnharmed();
});

test('C61: keys of other programs and of another prefix are neither read nor changed', { skip }, async () => {
  await until(isStored, 'not stored');
  for (const [key, value] of Object.entries(FOREIGN)) assert.equal(await client.get(key), value, key);
  const ours = (await client.keys('*')).filter((key) => !Object.hasOwn(FOREIGN, key));
  assert.deepEqual(
    ours.filter((key) => !key.startsWith('{rollcall}:')),
    [],
  );
  assert.equal(await target.resource('foreign'), undefined);
  await target.assertUnharmed();
});

test('C60: a control process that starts on the poisoned Redis serves, with the operator’s requests in force', {
  skip,
}, async () => {
  await client.set('{rollcall}:hints', 'a text').catch(() => undefined);
  await target.site.killControl();
  await until(async () => (await target.resource('kept'))?.liveness === 'up', 'the kept member is not up');
  const { status, weight } = (await target.resource('kept'))!;
  assert.deepEqual([status, weight], ['draining', 3]);
  assert.equal((await target.visit('bystander.test')).status, 200);
  assert.equal(await target.resource('polluted'), undefined);
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});
