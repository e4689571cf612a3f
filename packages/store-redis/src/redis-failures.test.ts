/** Failures of a real Redis: each is named by its kind, and the store recovers without a restart. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '@rollcall/core/testing';
import { keysOf } from './keys.ts';
import { openRedisSharedStore } from './redis-shared-store.ts';
import { findRedisServer, HOW_TO_INSTALL, startRedisServer } from './testing/redis-server.ts';
import {
  announcement,
  CLUSTER,
  eventually,
  exchange,
  freshPrefix,
  openClient,
  openStore,
  RECORD,
  rejectedAs,
} from './testing/store-on-redis.ts';

const binary = findRedisServer();
const IGNORE = { onProblem: (): void => {} };

void test('without Redis the store opens, reports the reason once, and its methods reject at once', async (t) => {
  let resolve: (message: string) => void = () => {};
  const promise = new Promise<string>((done) => {
    resolve = done;
  });
  // Connections to port 1 of the loopback interface are refused.
  const url = 'redis://127.0.0.1:1';
  const store = await openStore(t, url, { openWithinMs: 1, onProblem: ({ message }) => resolve(message) });
  assert.equal(await promise, 'redis is unreachable (connect ECONNREFUSED 127.0.0.1:1)');
  assert.match(await rejectedAs('unreachable', store.exchange(announcement(), CLUSTER)), /ECONNREFUSED/);
  await rejectedAs('unreachable', store.versions());
  await rejectedAs('unreachable', store.read(['node/a']));
  await rejectedAs('unreachable', store.write([RECORD], CLUSTER));
});

if (binary === undefined) {
  void test('failures of a real Redis', { skip: HOW_TO_INSTALL }, () => {});
} else {
  const redis = await startRedisServer(binary);
  after(() => redis.close());

  void test('a suspended Redis is slow within 500 ms, and works after it resumes', async (t) => {
    const store = await openStore(t, redis.url, { ...IGNORE, commandTimeoutMs: 500 });
    const { at } = await eventually(() => exchange(store));
    redis.pause();
    t.after(() => redis.resume());
    const startedAt = performance.now();
    await rejectedAs('slow', store.write([RECORD], CLUSTER));
    assert.ok(performance.now() - startedAt < 5_000);
    await rejectedAs('slow', store.versions());
    redis.resume();
    await eventually(() => exchange(store, { seen: at }));
    // The write that timed out may have been carried out; sent again it has the effect of one.
    await eventually(() => store.write([RECORD], CLUSTER));
    assert.equal((await eventually(() => exchange(store))).at.change, 1);
  });

  void test('after a crash with its data Redis has all records, and all versions are compared', async (t) => {
    const problems: string[] = [];
    const store = await openStore(t, redis.url, { onProblem: ({ message }) => problems.push(message) });
    await exchange(store);
    const { at } = await store.write([RECORD], CLUSTER);
    await redis.kill();
    await rejectedAs('unreachable', store.exchange(announcement(), CLUSTER));
    await redis.restart();
    const after = await eventually(() => exchange(store, { seen: at }));
    assert.deepEqual([after.at, after.changed, after.isNew], [at, undefined, false]);
    assert.equal((await exchange(store, { seen: at })).changed, undefined, 'the versions were not compared yet');
    assert.equal((await store.versions()).size, 1);
    assert.deepEqual((await exchange(store, { seen: at })).changed, []);
    assert.ok(
      problems.some((message) => message.includes('connection lost')),
      problems.join('\n'),
    );
  });

  void test('after a crash without its data Redis is new, and is filled again', async (t) => {
    const store = await openStore(t, redis.url, IGNORE);
    await exchange(store);
    const { at } = await store.write([RECORD], CLUSTER);
    await redis.restart({ isEmpty: true });
    const after = await eventually(() => exchange(store, { seen: at }));
    assert.deepEqual([after.at.change, after.changed, after.isNew], [0, undefined, true]);
    assert.notEqual(after.at.epoch, at.epoch);
    assert.deepEqual((await store.write([RECORD], CLUSTER)).outcomes, ['written']);
  });

  void test('connections that Redis cuts are replaced', async (t) => {
    const store = await openStore(t, redis.url, IGNORE);
    await exchange(store);
    const client = openClient(t, redis.url);
    for (let i = 0; i < 5; i++) {
      await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await eventually(() => store.write([{ ...RECORD, version: [i + 1, 'a'] }], CLUSTER));
    }
    assert.equal((await eventually(() => exchange(store))).at.change, 5);
  });

  void test('an answer that is lost in a cut connection is a write, once', async (t) => {
    const relay = await startRelay(redis.port);
    t.after(() => relay.close());
    const store = await openStore(t, `redis://127.0.0.1:${relay.port}`, IGNORE);
    await eventually(() => exchange(store));
    relay.cutNextAnswer();
    await rejectedAs('unreachable', store.write([RECORD], CLUSTER));
    const again = await eventually(() => store.write([RECORD], CLUSTER));
    assert.deepEqual([again.outcomes, again.at.change], [['stale'], 1]);
  });

  void test('a Redis out of memory is named, keeps its records, and accepts writes again', async (t) => {
    const full = await startRedisServer(binary, { settings: ['--maxmemory-policy', 'noeviction'] });
    t.after(() => full.close());
    const store = await openStore(t, full.url);
    await exchange(store);
    await store.write([RECORD], CLUSTER);
    const client = openClient(t, full.url);
    await client.config('SET', 'maxmemory', '1');
    const higher = { ...RECORD, version: [2, 'a'] as const };
    assert.match(await rejectedAs('out-of-memory', store.write([higher], CLUSTER)), /raise maxmemory/);
    await rejectedAs('out-of-memory', store.exchange(announcement(), CLUSTER));
    assert.deepEqual((await store.read(['node/a'])).records, [RECORD]);
    await client.config('SET', 'maxmemory', '0');
    assert.deepEqual((await store.write([higher], CLUSTER)).outcomes, ['written']);
  });

  void test('a read-only replica is named, and works when it becomes the master', async (t) => {
    const replica = await startRedisServer(binary, { settings: ['--replicaof', '127.0.0.1', String(redis.port)] });
    t.after(() => replica.close());
    const store = await openStore(t, replica.url, IGNORE);
    const client = openClient(t, replica.url);
    for (let i = 0; i < 2; i++) {
      const sentence = await rejectedAs('read-only', store.exchange(announcement(), CLUSTER));
      assert.match(sentence, /read-only replica .*use the address of the master, or Sentinel/);
    }
    await client.call('REPLICAOF', 'NO', 'ONE');
    await eventually(() => exchange(store));
  });

  void test('a wrong or absent password is named, and corrected in Redis it is accepted', async (t) => {
    const locked = await startRedisServer(binary, { settings: ['--requirepass', 'right'] });
    t.after(() => locked.close());
    const problems: string[] = [];
    const at = locked.url.slice('redis://'.length);
    const wrong = await openStore(t, `redis://:wrong@${at}`, {
      openWithinMs: 300,
      onProblem: ({ message }) => problems.push(message),
    });
    await rejectedAs('wrong-password', wrong.exchange(announcement(), CLUSTER));
    assert.match(problems[0] ?? '', /^redis refuses the user name or password \(WRONGPASS .*correct them in the URL$/);
    const none = await openStore(t, locked.url, IGNORE);
    await rejectedAs('wrong-password', none.exchange(announcement(), CLUSTER));
    const right = await openStore(t, `redis://:right@${at}`);
    await exchange(right);
    await openClient(t, `redis://:right@${at}`).config('SET', 'requirepass', 'wrong');
    await eventually(() => exchange(wrong));
    assert.equal(new Set(problems).size, problems.length, 'each problem is reported once');
  });

  void test('a user with the commands of the README and only the keys of the prefix is enough', async (t) => {
    const client = openClient(t, redis.url);
    const prefix = freshPrefix();
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    const rules = [...readme.matchAll(/^ACL SETUSER rollcall (.*)$/gm)].map(([, rule]) => rule!);
    assert.equal(rules.length, 2);
    for (const rule of rules) {
      const words = rule.replaceAll('{rollcall}', `{${prefix}}`).replaceAll("'", '').split(' ');
      await client.call('ACL', 'SETUSER', 'small', ...words);
    }
    const url = `redis://small:PASSWORD@127.0.0.1:${redis.port}`;
    const store = await openStore(t, url, { prefix });
    await exchange(store);
    await store.write([RECORD, { ...RECORD, key: 'node/b' }], CLUSTER);
    await store.forget(new Map([['node/b', [1, 'a']]]), CLUSTER);
    assert.equal((await store.versions()).size, 1);
    assert.equal((await store.read(['node/a'])).records.length, 1);
    await client.set(keysOf(prefix).records, 'another type');
    await client.sadd(keysOf(prefix).oldRecords, 'node/a');
    await client.hset(keysOf(prefix).oldRecord('node/a'), { v0: '1', v1: '1', value: '1' });
    assert.equal((await store.readEarlier())?.length, 1);
    await store.markImported(CLUSTER);
    await store.withdraw('a', CLUSTER);
    const foreign = await openStore(t, url);
    assert.match(await rejectedAs('no-permission', foreign.exchange(announcement(), CLUSTER)), /extend the ACL/);
  });

  void test('a database that Redis does not have is refused, not replaced by database 0', async (t) => {
    const problems: string[] = [];
    const store = await openStore(t, `${redis.url}/99`, {
      openWithinMs: 300,
      onProblem: ({ message }) => problems.push(message),
    });
    await assert.rejects(store.exchange(announcement(), CLUSTER), /DB index is out of range/);
    assert.equal(problems.length, 1);
    await exchange(await openStore(t, `${redis.url}/3`));
  });

  void test('TLS with an own authority works; without it the problem is named', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'rollcall-redis-tls-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const names = ['-subj', '/CN=redis', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
    const form = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    try {
      execFileSync('openssl', [...form, '-keyout', key, '-out', cert, ...names], { stdio: 'ignore' });
    } catch {
      t.skip('openssl was not found');
      return;
    }
    const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert];
    const server = await startRedisServer(binary, { settings: [...files, '--tls-auth-clients', 'no'] });
    t.after(() => server.close());
    const port = await freePort();
    await openClient(t, server.url).config('SET', 'tls-port', String(port));
    const url = `rediss://127.0.0.1:${port}`;
    await exchange(await openStore(t, url, { ca: readFileSync(cert, 'utf8') }));
    await exchange(await openStore(t, url.replace('127.0.0.1', 'localhost'), { ca: readFileSync(cert, 'utf8') }));
    const unknown = await openStore(t, url, { ...IGNORE, openWithinMs: 300 });
    assert.match(await rejectedAs('tls', unknown.exchange(announcement(), CLUSTER)), /self-signed certificate/);
  });
}

void test('a Redis that accepts connections and never answers is slow', async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, 'listening');
  const url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const store = await openRedisSharedStore({ url, prefix: 'test', ...IGNORE, commandTimeoutMs: 50 });
  t.after(() => store.close());
  await rejectedAs('slow', store.write([RECORD], CLUSTER));
});

void test('a port of another program is reported once, and asked with growing pauses', async (t) => {
  const connections: number[] = [];
  let notify: () => void = () => {};
  const server = createServer((socket) => {
    connections.push(performance.now());
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    notify();
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const problems: string[] = [];
  const url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const store = await openRedisSharedStore({
    url,
    prefix: 'test',
    openWithinMs: 1,
    onProblem: ({ message }) => problems.push(message),
  });
  t.after(() => store.close());
  while (connections.length < 6) {
    const next = new Promise<void>((resolve) => {
      notify = resolve;
    });
    await store.versions().catch(() => undefined);
    await Promise.race([next, pause(20)]);
  }
  assert.equal(new Set(problems).size, problems.length, problems.join('\n'));
  assert.ok(problems.length <= 3, problems.join('\n'));
  // The sixth connection follows after half of 50 ms · 2^4 at least.
  assert.ok(connections[5]! - connections[4]! >= 390, connections.join(' '));
});

/** Relays to Redis, and can cut the connection in the place of the next answer. */
async function startRelay(port: number): Promise<{ port: number; cutNextAnswer(): void; close(): void }> {
  const sockets = new Set<Socket>();
  let isCutting = false;
  const server = createServer((downstream) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [downstream, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        downstream.destroy();
        upstream.destroy();
      });
    }
    downstream.pipe(upstream);
    upstream.on('data', (data: Buffer) => {
      if (isCutting) downstream.destroy();
      else downstream.write(data);
      isCutting = false;
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    cutNextAnswer: () => {
      isCutting = true;
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
