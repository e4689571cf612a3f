/** Two coordinators with one Redis: nodes, requests and settings are the same at both, with and without Redis. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { BalancerResource, NodeResource, NodesResource, StatusResource, WriteResult } from '@rollcall/protocol';
import { findRedisServer, HOW_TO_INSTALL, type RedisServer, startRedisServer } from '@rollcall/store-redis/testing';
import { ROLLCALL } from '../site/commands.ts';
import { startUp, type Up } from './up.ts';

const PROGRAM = `require('node:http').createServer((q,a)=>a.end('alone')).listen(process.env.PORT,'127.0.0.1')`;
const DEADLINE_MS = 30_000;
const binary = findRedisServer();

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS;
  while (!(await isSo())) {
    assert.ok(performance.now() < endMs, `${what} within ${DEADLINE_MS} ms`);
    await pause(50);
  }
}

/** A node by `rollcall run` with a connection to one coordinator only. */
async function runAlone(t: TestContext, { controlUrl }: Up): Promise<ChildProcess> {
  const slots = mkdtempSync(join(tmpdir(), 'rollcall-run-'));
  const flags = ['--coordinator', controlUrl, '--slot-dir', slots, '--id', 'alone', '--balancer', 'alone'];
  const args = [ROLLCALL, 'run', ...flags, '--context', '/alone', '--', process.execPath, '-e', PROGRAM];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
    rmSync(slots, { recursive: true });
  });
  return child;
}

async function startMember(t: TestContext): Promise<string> {
  const server = createServer((_, answer) => answer.end('member')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const node = async (up: Up, id: string): Promise<NodeResource | undefined> => {
  const { nodes } = await up.api<NodesResource>('GET', '/v1/nodes?all');
  return nodes.find((one) => one.id === id);
};
const answer = async (up: Up, path: string): Promise<string> => {
  const response = await fetch(up.proxyUrl + path);
  return response.ok ? response.text() : `${response.status}`;
};
const sharing = async (up: Up): Promise<NonNullable<StatusResource['sharing']>> =>
  (await up.api<StatusResource>('GET', '/v1/status')).sharing!;

/** Two coordinators with one Redis, which know each other. They end with the test. */
async function startPair(t: TestContext): Promise<{ readonly redis: RedisServer; readonly a: Up; readonly b: Up }> {
  const redis = await startRedisServer(binary!);
  t.after(() => redis.close());
  const flags = ['--store', redis.url];
  const [a, b] = (await Promise.all([startUp(...flags, '--name', 'a'), startUp(...flags, '--name', 'b')])) as [Up, Up];
  t.after(() => Promise.all([a.close(), b.close()]));
  for (const up of [a, b])
    await until('the other coordinator is known', async () => (await sharing(up)).coordinators.length === 2);
  return { redis, a, b };
}

test('two coordinators are one cluster', {
  timeout: 240_000,
  ...(binary === undefined && { skip: HOW_TO_INSTALL }),
}, async (t) => {
  const { redis, a, b } = await startPair(t);

  // Nodes that one coordinator has accepted are served by both.
  const program = await runAlone(t, a);
  await a.api('PUT', '/v1/nodes/m1', { balancer: 'site', url: await startMember(t), contexts: ['/member'] });
  for (const up of [a, b]) {
    await until('alone answers', async () => (await answer(up, '/alone')) === 'alone');
    await until('m1 answers', async () => (await answer(up, '/member')) === 'member');
  }
  assert.deepEqual((await node(b, 'alone'))?.heardBy, ['a']);
  assert.equal((await node(a, 'alone'))?.heardBy, undefined);

  // A request at one is in force at both when the answer arrives.
  const drained = await b.api<WriteResult>('POST', '/v1/nodes/m1/drain', { force: true, forMs: 600_000 });
  assert.deepEqual(drained.coordinators, { applied: ['b', 'a'], pending: [], absent: [] });
  assert.equal((await node(a, 'm1'))?.status, 'draining');
  await a.api('PATCH', '/v1/balancers/site', { retries: 3 });
  assert.equal((await b.api<BalancerResource>('GET', '/v1/balancers/site')).retries, 3);

  // Without Redis each coordinator continues, reports that, and catches up when Redis is back empty.
  await redis.kill();
  await until('Redis is missed', async () => !(await sharing(a)).isReachable);
  const enabled = await a.api<WriteResult>('POST', '/v1/nodes/m1/enable', {});
  assert.deepEqual(enabled.coordinators, { applied: ['a'], pending: ['b'], absent: [] });
  assert.match(enabled.message, /pending: not known to be in force at b/);
  await redis.restart({ isEmpty: true });
  await until('m1 is enabled at b', async () => (await node(b, 'm1'))?.status === 'enabled');
  assert.equal((await b.api<BalancerResource>('GET', '/v1/balancers/site')).retries, 3);

  // An orderly end leaves everywhere; a removal is one everywhere.
  program.kill('SIGTERM');
  await until('alone has left', async () => (await node(b, 'alone'))?.liveness === 'gone');
  await b.api('DELETE', '/v1/nodes/m1', { force: true });
  await until('m1 is removed', async () => (await node(a, 'm1'))?.liveness === 'gone');

  await a.close();
  await until('a has ended', async () => (await sharing(b)).coordinators.length === 1);
});

test('a drain waits for sessions that only the workers of the other coordinator have', {
  timeout: 120_000,
  ...(binary === undefined && { skip: HOW_TO_INSTALL }),
}, async (t) => {
  const { redis, a, b } = await startPair(t);
  for (const id of ['m1', 'm2']) await a.api('PUT', `/v1/nodes/${id}`, { balancer: 'site', url: await startMember(t) });
  for (const up of [a, b]) await until('a member answers', async () => (await answer(up, '/')) === 'member');

  // All visitors use the proxy of b, and return.
  for (let i = 0; i < 12; i++) {
    const first = await fetch(b.proxyUrl);
    const cookie = first.headers.get('set-cookie')!.split(';')[0]!;
    await first.text();
    await (await fetch(b.proxyUrl, { headers: { cookie } })).text();
  }
  await until('b counts them', async () => ((await node(b, 'm1'))?.sessions ?? 0) > 0);

  // Nothing was drained before, so that b has never reported a use.
  const { nodes } = await a.api<WriteResult>('POST', '/v1/nodes/m1/drain', {});
  assert.equal(nodes[0]?.drain?.isDone, false);
  await until('a knows the sessions of b', async () => ((await node(a, 'm1'))?.drain?.sessionsLeft ?? 0) > 0);
  assert.equal((await node(a, 'm1'))?.drain?.isDone, false);
  await assert.rejects(a.command('drain', 'm1', '--wait', '--timeout', '2s'), { code: 4 });

  // Without Redis the use at b is unknown: no drain ends as empty.
  await redis.kill();
  await until('Redis is missed', async () => !(await sharing(a)).isReachable);
  await assert.rejects(
    a.command('drain', 'm2', '--wait', '--deadline', '1s', '--timeout', '5s', '--yes'),
    (error: Error & { code?: number }) => error.code === 4 && /unknown at coordinator b/.test(error.message),
  );
});
