import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { after, type TestContext, test } from 'node:test';
import type { Store, StoredRecord } from '@rollcall/core';
import { storeContract } from '@rollcall/core/testing';
import { Redis } from 'ioredis';
import { keysOf } from './keys.ts';
import { WRITE } from './lua.ts';
import { openRedisStore } from './redis-store.ts';
import { findRedisServer, HOW_TO_INSTALL, startRedisServer } from './testing/redis-server.ts';

const binary = findRedisServer();
const RECORD: StoredRecord = { key: 'node/a', version: [1, 1], value: { a: 1 } };

void test('a prefix with characters of keys is refused', async () => {
  for (const prefix of ['', 'a b', 'a{b}', 'x'.repeat(65)])
    await assert.rejects(openRedisStore({ url: 'redis://127.0.0.1:1', prefix, onProblem: () => {} }), RangeError);
});

void test('without Redis the store opens, reports the reason, and its methods reject at once', async (t) => {
  const problems: string[] = [];
  let onFirst: () => void = () => {};
  const first = new Promise<void>((resolve) => {
    onFirst = resolve;
  });
  // Connections to port 1 of the loopback interface are refused.
  const store = await openRedisStore({
    url: 'redis://127.0.0.1:1',
    prefix: 'test',
    onProblem: (message) => {
      problems.push(message);
      onFirst();
    },
    openWithinMs: 1,
  });
  t.after(() => store.close());
  await assert.rejects(store.load(), /redis: /);
  await assert.rejects(store.write([RECORD]), /redis: /);
  await assert.rejects(store.remove(['node/a']), /redis: /);
  await first;
  assert.deepEqual(problems, ['redis: connect ECONNREFUSED 127.0.0.1:1']);
});

void test('methods reject if Redis accepts connections and never answers', async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address);
  const url = `redis://127.0.0.1:${address.port}`;
  const store = await openRedisStore({ url, prefix: 'test', onProblem: () => {}, openWithinMs: 20 });
  t.after(() => store.close());
  await assert.rejects(store.write([RECORD]), /redis: /);
});

if (binary === undefined) {
  void test('the store on a real Redis', { skip: HOW_TO_INSTALL }, () => {});
} else {
  const redis = await startRedisServer(binary);
  after(() => redis.close());
  let prefixes = 0;
  const freshPrefix = (): string => {
    prefixes += 1;
    return `test:${prefixes}`;
  };
  // A problem is reported in the middle of other work, where an exception belongs to no test. The last test looks at them.
  const unexpected: string[] = [];
  const noProblem = (message: string): void => {
    unexpected.push(message);
  };
  // On a busy machine a command may take longer than the default time limit.
  const openFor = (prefix: string, onProblem = noProblem): Promise<Store> =>
    openRedisStore({ url: redis.url, prefix, onProblem, commandTimeoutMs: 30_000, syncMs: 3_600_000 });
  const open = async (t: TestContext, prefix: string, onProblem = noProblem): Promise<Store> => {
    const store = await openFor(prefix, onProblem);
    t.after(() => store.close());
    return store;
  };
  const connect = (t: TestContext): Redis => {
    const client = new Redis(redis.url);
    t.after(() => client.disconnect());
    return client;
  };

  storeContract({
    name: 'redis store',
    open: () => openFor(freshPrefix()),
    reopen: () => openFor(`test:${prefixes}`),
    isShared: true,
  });

  void test('deployments with different prefixes do not share records', async (t) => {
    const [one, other] = [await open(t, freshPrefix()), await open(t, freshPrefix())];
    await one.write([RECORD]);
    assert.deepEqual(await other.load(), []);
  });

  void test('an expired record is absent, and so is its key in the index', async (t) => {
    const prefix = freshPrefix();
    const store = await open(t, prefix);
    await store.write([
      { ...RECORD, expiresAtUnixMs: 1 },
      { ...RECORD, key: 'node/b' },
    ]);
    assert.deepEqual(await store.load(), [{ ...RECORD, key: 'node/b' }]);
    const client = connect(t);
    assert.deepEqual(await client.smembers(keysOf(prefix).index), ['node/b']);
  });

  void test('a later write without an expiry removes the expiry', async (t) => {
    const prefix = freshPrefix();
    const store = await open(t, prefix);
    await store.write([{ ...RECORD, expiresAtUnixMs: 9_000_000_000_000 }]);
    await store.write([{ ...RECORD, version: [2, 0] }]);
    const client = connect(t);
    assert.equal(await client.pttl(keysOf(prefix).record('node/a')), -1);
  });

  void test('invalid records of other programs are skipped and counted', async (t) => {
    const prefix = freshPrefix();
    const problems: string[] = [];
    const store = await open(t, prefix, (message) => problems.push(message));
    await store.write([RECORD]);
    const client = connect(t);
    const keys = keysOf(prefix);
    const poisons: Record<string, Record<string, string>> = {
      json: { v0: '1', v1: '1', value: '{"a":' },
      version: { v0: 'x', v1: '1', value: '{}' },
      negative: { v0: '-1', v1: '1', value: '{}' },
      huge: { v0: '1', v1: '1', value: JSON.stringify('x'.repeat(20_000)) },
      empty: { other: 'field', v0: '1' },
    };
    for (const [name, fields] of Object.entries(poisons)) {
      await client.hset(keys.record(`node/${name}`), fields);
      await client.sadd(keys.index, `node/${name}`);
    }
    await client.set(keys.record('node/text'), 'not a hash');
    await client.sadd(keys.index, 'node/text', 'node/nothing', 'x'.repeat(200));
    await client.hset(keys.record('x'.repeat(200)), { v0: '1', v1: '1', value: '1' });
    assert.deepEqual(await store.load(), [RECORD]);
    assert.deepEqual(problems, ['skipped 7 records in redis that cannot be read']);
    assert.equal(Object.hasOwn({}, 'polluted'), false);
    // An unreadable record has no version, so that any write replaces it.
    assert.deepEqual(await store.write([{ ...RECORD, key: 'node/version' }]), ['written']);
  });

  void test('keys of another type are replaced and reported, and writes succeed', async (t) => {
    const prefix = freshPrefix();
    const keys = keysOf(prefix);
    const client = connect(t);
    await client.set(keys.index, 'a text');
    await client.rpush(keys.hints, 'a list');
    await client.sadd(keys.record('node/a'), 'a set');
    const problems: string[] = [];
    const store = await open(t, prefix, (message) => problems.push(message));
    const other = { ...RECORD, key: 'node/b' };
    assert.deepEqual(await store.load(), []);
    assert.deepEqual(await store.write([RECORD, other]), ['written', 'written']);
    assert.deepEqual(new Set(await store.load()), new Set([RECORD, other]));
    await client.set(keys.hints, 'a text');
    await client.set(keys.record('node/b'), 'a text');
    await store.remove(['node/b']);
    assert.deepEqual(await store.load(), [RECORD]);
    assert.deepEqual(problems, [
      `the redis key ${keys.index} holds another type; the next write replaces it`,
      'replaced 3 keys in redis that held another type',
    ]);
  });

  void test('a version above the maximum is unreadable, and the next write replaces it', async (t) => {
    const prefix = freshPrefix();
    const keys = keysOf(prefix);
    const client = connect(t);
    const problems: string[] = [];
    const store = await open(t, prefix, (message) => problems.push(message));
    for (const part of ['nan', 'inf', '1e308', '9007199254740993', '-1']) {
      await store.write([RECORD]);
      await client.hset(keys.record('node/a'), { v0: part });
      assert.deepEqual(await store.load(), [], part);
      assert.deepEqual(await store.write([RECORD]), ['written'], part);
      await client.hset(keys.record('node/a'), { v1: part });
      assert.deepEqual(await store.write([RECORD]), ['written'], part);
      assert.deepEqual(await store.load(), [RECORD], part);
    }
    assert.deepEqual(new Set(problems), new Set(['skipped 1 records in redis that cannot be read']));
  });

  void test('an operation that is sent twice writes once and returns written twice', async (t) => {
    const keys = keysOf(freshPrefix());
    const client = connect(t);
    const write = (operation: string): Promise<unknown> =>
      client.eval(
        WRITE,
        3,
        keys.index,
        keys.hints,
        keys.record('node/a'),
        'me',
        operation,
        'node/a',
        '1',
        '1',
        '"value"',
        '',
      );
    assert.deepEqual(await write('op1'), [1, 0]);
    assert.deepEqual(await write('op1'), [1, 0]);
    assert.deepEqual(await write('op2'), [0, 0]);
    assert.equal(await client.xlen(keys.hints), 1);
  });

  void test('a record that is too large is refused before anything is sent', async (t) => {
    const store = await open(t, freshPrefix());
    await assert.rejects(
      store.write([RECORD, { ...RECORD, value: 'x'.repeat(17_000) }]),
      /larger than a record may be/,
    );
    await assert.rejects(store.write([{ ...RECORD, key: 'x'.repeat(129) }]), /larger than a record may be/);
    assert.deepEqual(await store.load(), []);
  });

  void test('a record that is removed and written again is reported, whatever its version', async (t) => {
    const prefix = freshPrefix();
    const [one, other] = [await open(t, prefix), await open(t, prefix)];
    const heard = hear(one);
    await other.write([{ ...RECORD, version: [9, 9] }]);
    await heard.until(1);
    await other.remove(['node/a']);
    await other.write([RECORD]);
    await heard.until(2);
    assert.deepEqual(heard.records.at(-1), RECORD);
  });

  void test('methods reject while Redis is suspended and succeed after it resumes', async (t) => {
    const store = await openRedisStore({ url: redis.url, prefix: freshPrefix(), onProblem: () => {} });
    t.after(() => store.close());
    await eventually(() => store.load());
    redis.pause();
    t.after(() => redis.resume());
    await assert.rejects(store.write([RECORD]), /redis: Command timed out/);
    await assert.rejects(store.load(), /redis: Command timed out/);
    redis.resume();
    await eventually(() => store.load());
    // A command that timed out may still have been executed; the operation id makes the retry safe.
    await eventually(() => store.write([{ ...RECORD, version: [2, 0] }]));
    assert.deepEqual(await eventually(() => store.load()), [{ ...RECORD, version: [2, 0] }]);
  });

  void test('after a crash of Redis no record is lost and listeners catch up; until its restart methods reject', async (t) => {
    const prefix = freshPrefix();
    const problems: string[] = [];
    const store = await open(t, prefix, (message) => problems.push(message));
    const other = await open(t, prefix, () => {});
    const heard = hear(store);
    await store.write([RECORD]);
    await redis.kill();
    await assert.rejects(store.write([{ ...RECORD, version: [2, 0] }]), /redis: /);
    await assert.rejects(store.load(), /redis: /);
    await redis.restart();
    await eventually(() => store.load());
    assert.deepEqual(await store.load(), [RECORD]);
    assert.deepEqual(await store.write([RECORD]), ['stale']);
    await eventually(() => other.write([{ ...RECORD, key: 'node/later' }]));
    await heard.until(1);
    assert.deepEqual(heard.records, [{ ...RECORD, key: 'node/later' }]);
    assert.ok(problems.includes('redis: connection lost; reconnecting'), problems.join('\n'));
  });

  void test('after Redis has lost all data, the next write restores its records', async (t) => {
    const store = await open(t, freshPrefix());
    await store.write([RECORD]);
    const client = connect(t);
    await client.flushall();
    assert.deepEqual(await store.load(), []);
    assert.deepEqual(await store.write([RECORD]), ['written']);
  });

  void test('a full sync finds a change without a hint', async (t) => {
    const prefix = freshPrefix();
    const store = await openRedisStore({ url: redis.url, prefix, onProblem: noProblem, syncMs: 20 });
    t.after(() => store.close());
    const heard = hear(store);
    const client = connect(t);
    const keys = keysOf(prefix);
    await client.hset(keys.record('node/a'), { v0: '1', v1: '1', value: '{"a":1}', expires: '', by: 'other', op: 'x' });
    await client.sadd(keys.index, 'node/a');
    await heard.until(1);
    assert.deepEqual(heard.records, [RECORD]);
  });

  void test('no store of these tests reported a problem, except time limits on a busy machine', () => {
    const known = /^redis: (?:connect ETIMEDOUT|(?:following changes was interrupted: )?Command timed out)/;
    assert.deepEqual(
      unexpected.filter((message) => !known.test(message)),
      [],
    );
  });
}

/** Watches a store; `until(n)` resolves when `n` records have been received. */
function hear(store: Store): { records: StoredRecord[]; until(count: number): Promise<void> } {
  const records: StoredRecord[] = [];
  let onRecords: () => void = () => {};
  store.watch((some) => {
    records.push(...some);
    onRecords();
  });
  return {
    records,
    until: (count) =>
      new Promise((resolve) => {
        onRecords = () => {
          if (records.length >= count) resolve();
        };
        onRecords();
      }),
  };
}

/** Retries until `run` resolves, at most 200 times, 50 ms apart. */
async function eventually<Value>(run: () => Promise<Value>): Promise<Value> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      if (attempt >= 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
