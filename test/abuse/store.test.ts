/** Rows C60 and C61: a Redis with records that Rollcall did not write, and with keys of others. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { StatusResource } from '@rollcall/protocol';
import { findRedisServer, HOW_TO_INSTALL, type RedisServer, startRedisServer } from '@rollcall/store-redis/testing';
import { Redis } from 'ioredis';
import { until } from '../site/site.ts';
import { Target } from './target.ts';

const binary = findRedisServer();
const skip = binary === undefined && HOW_TO_INSTALL;
const RECORDS = '{rollcall}:2:records';
const VERSIONS = '{rollcall}:2:versions';
const COORDINATORS = '{rollcall}:2:coordinators';
/** A coordinator that does not exist. */
const STRANGER = 'abcdef0123456789abcdef0123456789';
const MANY = 3_000;

let redis: RedisServer;
let client: Redis;
let target: Target;

/** Keys of other programs and of another cluster, with what they hold. */
const FOREIGN: Readonly<Record<string, string>> = {
  'sess:1': 'a session',
  'rollcall:records': 'no braces',
  '{other}:cluster': 'another cluster',
  '{other}:2:records': 'a text',
};

/** A node as a coordinator shares it. */
function nodeAt(id: string, url: string): object {
  const registration = { id, balancer: 'evil', url, route: id, contexts: [{ path: '/' }], hosts: [`${id}.test`] };
  return { registration, incarnation: 1, instance: 'stranger', owner: 'join', kind: 'lease', leaseMs: 60_000 };
}

function recordText(value: unknown, more: object = {}): string {
  return JSON.stringify({ version: [1, STRANGER], value, remaining: {}, ...more });
}

/** Texts that are no records. */
const NO_RECORDS: Readonly<Record<string, string>> = {
  'node/not-json': '{"version":',
  'node/null': 'null',
  'node/list': '[]',
  'node/number': '5',
  'node/huge': 'x'.repeat(8 * 1024 * 1024),
  'node/deep': '['.repeat(8_000) + ']'.repeat(8_000),
  'node/no-remaining': '{"version":[1,"ab"],"value":{}}',
  'node/late-version': recordText({}, { version: [1.2e15, STRANGER] }),
  'node/no-version': recordText({}, { version: ['x', STRANGER] }),
  'node/infinite': `{"version":[1,"${STRANGER}"],"value":{},"remaining":{"expires":"soon"}}`,
  'balancer/bystander': '{"version":[1e308,"ab"],"value":{"operator":{}},"remaining":{}}',
  'override/bystander': '\u0000\u0001',
};

/** Records with contents that no release has written. */
const STRANGE_VALUES: Readonly<Record<string, unknown>> = {
  'node/wrong-types': { registration: { id: 5 }, incarnation: 'x', kind: 'agent', owner: null },
  'node/polluted': JSON.parse('{"__proto__":{"polluted":1},"registration":{"__proto__":{"weight":9}}}'),
  'node/unknown-version': { version: 99, who: '?' },
  'node/other-key': nodeAt('bystander', 'http://127.0.0.1:1'),
  'node/../../x': {},
  __proto__: {},
  constructor: {},
  'balancer/__proto__': { operator: { retries: 1 } },
  'balancer/attack': { operator: { retries: 1e300, sticky: { mode: 'mine' } } },
  'override/attacked': { status: 'melted', weight: -1 },
  'report/bystander/x/y/z': { instance: 7 },
  'report/__proto__/__proto__': { instance: '__proto__' },
  'word/unknown-kind': {},
};

/** Announcements of coordinators that do not exist, with names for terminals, pages and patterns. */
const ANNOUNCED: readonly string[] = [
  '\u001b[2J\u0007evil',
  '<script>alert(1)</script>',
  'two\nlines',
  '__proto__',
  'n'.repeat(128),
];

async function put(key: string, text: string, version = `1 ${STRANGER}`): Promise<void> {
  await client.hset(RECORDS, key, text);
  await client.hset(VERSIONS, key, version);
}

/** Writes all of it, as a program without any care would. The sizes of the keys then differ from what the store has counted. */
async function poison(): Promise<void> {
  for (const [key, text] of Object.entries(NO_RECORDS)) await put(key, text);
  for (const [key, value] of Object.entries(STRANGE_VALUES)) await put(key, recordText(value));
  for (const version of ['nan', '1e308 ab', '-1 x', '', '9'.repeat(400)])
    await put(`node/version-${version.slice(0, 8)}`, '{}', version);
  await put('x'.repeat(1_000), recordText({}));
  await client.hset(RECORDS, 'node/without-version', '{}');
  await client.hset(VERSIONS, 'node/without-record', `1 ${STRANGER}`);
  const [seconds] = await client.time();
  for (const [i, name] of ANNOUNCED.entries()) {
    const coordinator = `${i}${STRANGER.slice(1)}`;
    const seen = { epoch: 'e', change: 0 };
    const announcement = { coordinator, name, release: i === 0 ? '\u001b[31m' : '9.9', layout: 2, counter: 1, seen };
    await client.hset(COORDINATORS, coordinator, `${seconds} ${JSON.stringify(announcement)}`);
  }
  await client.hset(COORDINATORS, 'not-an-id', `${seconds} {}`, STRANGER, 'x'.repeat(100_000));
}

/** Nodes at addresses that no node may have. */
async function forbidden(): Promise<readonly string[]> {
  const own = new URL(target.site.controlUrl).port;
  const nodes = {
    'at-control': `http://127.0.0.1:${own}`,
    'at-proxy': `http://localhost:${target.site.proxyPort}`,
    'at-redis': `http://127.0.0.1:${redis.port}`,
    'at-metadata': 'http://169.254.169.254',
    'at-nothing': 'http://0.0.0.0:80',
  };
  for (const [id, url] of Object.entries(nodes))
    await put(`node/${id}`, recordText(nodeAt(id, url), { remaining: { deadline: 60_000, expires: 600_000 } }));
  return Object.keys(nodes);
}

before(async () => {
  if (binary === undefined) return;
  redis = await startRedisServer(binary);
  client = new Redis(redis.url);
  client.on('error', () => undefined);
  for (const [key, value] of Object.entries(FOREIGN)) await client.set(key, value);
  await client.set('{rollcall}:cluster', 'a text');
  await client.rpush('{rollcall}:2:changes', 'a list');
  await poison();
  target = await Target.start({ flags: ['--store', redis.url, '--name', 'one'] });
});
after(async () => {
  await target?.close();
  client?.disconnect();
  await redis?.close();
});

async function status(): Promise<StatusResource> {
  return (await target.site.admin<StatusResource>('GET', '/v1/status')).body;
}

async function isShared(): Promise<boolean> {
  const { sharing } = await status();
  return sharing?.isReachable === true && sharing.refusal === undefined && sharing.waiting === 0;
}

test('C60: announced coordinators that do not exist are down, and their names harm neither terminal nor page', {
  skip,
}, async () => {
  await until(async () => {
    const { coordinators = [] } = (await status()).sharing ?? {};
    return coordinators.length > 1 && coordinators.every(({ isOwn, liveness }) => isOwn || liveness === 'down');
  }, 'the announced coordinators are not down');
  for (const words of [['status'], ['nodes'], ['events']]) {
    const { code, stdout } = await target.site.cli(...words);
    assert.equal(code, 0, words[0]);
    assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/, words[0]);
    assert.ok(
      stdout.split('\n').every((line) => line !== 'lines'),
      'a name is in one line',
    );
  }
  const metrics = await target.site.metrics();
  assert.match(metrics, /^rollcall_coordinators_down \d+$/m);
  // A command waits for none of them.
  const { status: code, body } = await target.site.admin<object>('PATCH', '/v1/balancers/bystander', { retries: 2 });
  assert.equal(code, 200, JSON.stringify(body));
});

test('C60: what no release has written is skipped, counted and named, and own records are shared', {
  skip,
}, async () => {
  await target.assertUnharmed();
  await target.site.addNode('kept', { balancer: 'kept', hosts: ['kept.test'] }, (_, response) => response.end('kept'));
  await target.site.admin('POST', '/v1/nodes/kept/drain', { reason: 'to be kept', force: true });
  await until(isShared, 'not shared');
  assert.match(String(await client.hget(RECORDS, 'override/kept')), /to be kept/);
  assert.equal(await client.type('{rollcall}:cluster'), 'hash');
  assert.match(target.site.log, /replaced \d+ keys of \{rollcall\} in redis that held another type/);
  await until(async () => ((await status()).sharing?.unreadable ?? 0) >= 8, 'unreadable records are not counted');
  const { stdout } = await target.site.cli('status');
  assert.match(stdout, /\d+ shared records could not be read and were skipped/);
  assert.match(stdout, /\d+ stored records could not be understood and were skipped/);
  await target.assertUnharmed();
});

test('C60: nodes at forbidden addresses are not connected to, and are named', { skip }, async () => {
  const ids = await forbidden();
  await until(async () => (await target.resource('at-nothing')) !== undefined, 'the records are not taken');
  await target.site.isCurrent();
  for (const id of ids) {
    const { status: code, body } = await target.visit(`${id}.test`, '/livez');
    assert.ok(code >= 400, `${id}: ${code} ${body}`);
    const node = await target.resource(id);
    if (node === undefined || node.liveness === 'gone') continue;
    await until(
      async () => ((await target.resource(id))?.warnings ?? []).some((warning) => warning.code === 'bad-address'),
      `${id} has no warning of its address: ${JSON.stringify(node)}`,
    );
  }
  await target.assertUnharmed();
});

test(`C60: ${MANY} records of other programs, and other types of keys, stop nothing`, { skip }, async () => {
  const many = client.pipeline();
  for (let i = 0; i < MANY; i++)
    many.hset(RECORDS, `word/${i}`, recordText({ i })).hset(VERSIONS, `word/${i}`, `${i + 1} ${STRANGER}`);
  await many.exec();
  await poison();
  await client.del('{rollcall}:2:changes', '{rollcall}:2:coordinators');
  await client.set('{rollcall}:2:coordinators', 'a text');
  await client.rpush('{rollcall}:2:changes', 'a list');
  await target.site.admin('PATCH', '/v1/balancers/kept', { retries: 2 });
  await target.site.admin('PATCH', '/v1/nodes/kept', { weight: 3 });
  await until(isShared, 'not shared');
  await until(async () => /"weight":3/.test(String(await client.hget(RECORDS, 'override/kept'))), 'not written');
  await target.assertUnharmed();
});

test('C61: keys of other programs and of another cluster are neither read nor changed', { skip }, async () => {
  await until(isShared, 'not shared');
  for (const [key, value] of Object.entries(FOREIGN)) assert.equal(await client.get(key), value, key);
  const ours = (await client.keys('*')).filter((key) => !Object.hasOwn(FOREIGN, key));
  assert.deepEqual(
    ours.filter((key) => !key.startsWith('{rollcall}:')),
    [],
  );
});

test('C60: a control process that starts on the poisoned Redis serves, with the operator’s requests in force', {
  skip,
}, async () => {
  await target.site.killControl();
  await until(async () => (await target.resource('kept'))?.liveness === 'up', 'the kept member is not up');
  const { status: wanted, weight } = (await target.resource('kept'))!;
  assert.deepEqual([wanted, weight], ['draining', 3]);
  assert.equal((await target.visit('bystander.test')).status, 200);
  assert.equal(await target.resource('polluted'), undefined);
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});
