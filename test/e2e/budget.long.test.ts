/** The end of a wrapped node that the budget of its balancer needs, and a rolling restart of all nodes by one signal. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { EventResource, NodeResource } from '@rollcall/protocol';
import { Site, until } from '../site/site.ts';

const PROGRAM = `require('node:http').createServer((_, response) => response.end('ok')).listen(process.env.PORT, '127.0.0.1');`;

async function upIn(site: Site): Promise<string[]> {
  const { body } = await site.admin<{ nodes: NodeResource[] }>('GET', '/v1/nodes?balancer=shop');
  return body.nodes.filter(({ liveness, status }) => liveness === 'up' && status === 'enabled').map(({ id }) => id);
}

test('a node that is needed serves until another one is up; nodes that end together go in time', {
  timeout: 120_000,
}, async (t) => {
  const site = await Site.start(t, { flags: ['--min-eligible', '2'] });
  const run = (id: string) =>
    site.start(['run', '--balancer', 'shop', '--id', id, '--', process.execPath, '-e', PROGRAM]);
  const [a, b] = [run('a'), run('b')];
  await until(async () => (await upIn(site)).length === 2, 'a and b are not up');
  await site.isCurrent();

  const endOfA = once(a, 'exit');
  a.kill('SIGTERM');
  await until(async () => (await budgetEvents(site)).length === 1, 'the end of a is not held');
  assert.deepEqual(await upIn(site), ['a', 'b']);
  assert.match(
    (await budgetEvents(site))[0]!,
    /^node a wants to end and keeps serving for up to [\d.]+ ?s: 1 other eligible node of balancer shop/,
  );
  const c = run('c');
  await endOfA;
  await until(async () => (await upIn(site)).join() === 'b,c', 'c has not replaced a');
  assert.match((await budgetEvents(site))[1]!, /^node a drains now: enough other nodes of balancer shop are eligible$/);

  const startMs = performance.now();
  const ends = [once(b, 'exit'), once(c, 'exit')];
  for (const child of [b, c]) child.kill('SIGTERM');
  await Promise.all(ends);
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs >= 7_000 && tookMs < 30_000, `${tookMs} ms`);
});

async function budgetEvents(site: Site): Promise<string[]> {
  const { body } = await site.admin<{ events: EventResource[] }>('GET', '/v1/events?since=0');
  return body.events.filter(({ type }) => type === 'budget').map(({ message }) => message);
}
