/** `rollcall scale` against a running `rollcall run --count`, under visits of sessions. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeResource, WriteResult } from '@rollcall/protocol';
import { Site, until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

const PROGRAM = `
const visits = new Map();
require('node:http').createServer((request, response) => {
  const sid = /SID=([^;]+)/.exec(request.headers.cookie ?? '')?.[1] ?? Math.random().toString(36);
  visits.set(sid, (visits.get(sid) ?? 0) + 1);
  response.setHeader('set-cookie', 'SID=' + sid + '; Path=/');
  response.end(JSON.stringify({ node: process.env.ROLLCALL_NODE_ID, count: visits.get(sid) }));
}).listen(process.env.PORT, '127.0.0.1');`;

async function upIn(site: Site, balancer: string): Promise<NodeResource[]> {
  const { body } = await site.admin<{ nodes: NodeResource[] }>('GET', `/v1/nodes?balancer=${balancer}`);
  return body.nodes.filter(({ liveness, status }) => liveness === 'up' && status === 'enabled');
}

test('scale changes what run keeps, and no visit fails nor leaves its node', { timeout: 120_000 }, async (t) => {
  const site = await Site.start(t, { flags: ['--session-idle', '2s'] });
  site.start(['run', '--balancer', 'shop', '--slot-dir', site.directory, '--', process.execPath, '-e', PROGRAM]);
  await until(async () => (await upIn(site, 'shop')).length === 1, 'the first copy is not up');
  await site.isCurrent();

  let isOver = false;
  let visits = 0;
  const visitors = Array.from({ length: 6 }, async () => {
    const visitor = new Visitor(site.proxyPort);
    for (let count = 1, home = ''; !isOver; count++) {
      const answer = await visitor.get('/');
      assert.equal(answer.status, 200);
      const visit: { node: string; count: number } = JSON.parse(answer.body);
      home ||= visit.node;
      assert.deepEqual([visit.node, visit.count], [home, count]);
      visits++;
      await sleep(20);
    }
  });
  const up = await site.cli('scale', 'shop=4', '--wait', '--timeout', '30s');
  assert.deepEqual([up.code, up.stderr], [0, '']);
  assert.match(
    up.stdout,
    /goes from 1 to 4 nodes\nwaiting until 4 nodes are up .*\n(?:\d of 4 up\n)*4 of 4 up\ndone after \d+m?s\n$/,
  );
  assert.equal((await upIn(site, 'shop')).length, 4);
  const again = await site.json<WriteResult>('scale', 'shop=4');
  assert.equal(again.isChanged, false);
  // The newer three have no sessions, so they leave without waiting.
  const down = await site.cli('scale', 'shop=2', '--wait', '--timeout', '60s', '--reason', 'quiet night');
  assert.deepEqual([down.code, down.stderr], [0, '']);
  const left = (await site.admin<{ nodes: NodeResource[] }>('GET', '/v1/nodes?balancer=shop')).body.nodes;
  assert.equal(left.length, 2);
  isOver = true;
  await Promise.all(visitors);
  assert.ok(visits > 50, `${visits} visits`);
});

test('scale up withdraws the drain of a copy, and SIGTERM does not wait for its five minutes', async (t) => {
  const site = await Site.start(t);
  const words = ['run', '--balancer', 'shop', '--id', 'shop', '--count', '2', '--slot-dir', site.directory];
  const run = site.start([...words, '--', process.execPath, '-e', PROGRAM]);
  await until(async () => (await upIn(site, 'shop')).length === 2, 'the copies are not up');
  await site.isCurrent();
  const visitors = Array.from({ length: 8 }, () => new Visitor(site.proxyPort));
  const homes = await Promise.all(visitors.map((visitor) => visitor.get('/').then(({ body }) => body)));
  const seen = new Set(homes.map((body) => (JSON.parse(body) as { node: string }).node));
  assert.deepEqual([...seen].sort(), ['shop-1', 'shop-2']);
  // A drain waits for sessions that were seen again.
  await Promise.all(visitors.map((visitor) => visitor.get('/')));
  const startOf = async () => (await site.node('shop-2'))?.incarnation;
  const before = await startOf();

  const leaves = async () => (await site.node('shop-2'))?.status === 'draining';
  assert.equal((await site.cli('scale', 'shop=1')).code, 0);
  await until(leaves, 'the second copy does not drain');
  assert.equal((await site.cli('scale', 'shop=2', '--wait', '--timeout', '10s')).code, 0);
  assert.equal(await startOf(), before, 'the process that was leaving serves again');
  const answers = await Promise.all(visitors.map((visitor) => visitor.get('/')));
  assert.ok(
    answers.every(({ body }) => (JSON.parse(body) as { count: number }).count === 3),
    'every session is where it was',
  );

  assert.equal((await site.cli('scale', 'shop=1')).code, 0);
  await until(leaves, 'the second copy does not drain again');
  const ended = once(run, 'exit');
  const atMs = performance.now();
  run.kill('SIGTERM');
  await ended;
  assert.ok(performance.now() - atMs < 8_000, 'no session is waited for');
});

test('a balancer that cannot be scaled is one line', { timeout: 180_000 }, async (t) => {
  const site = await Site.start(t);
  await site.addNode('a', { balancer: 'blog' }, (_, response) => response.end());
  const fixed = await site.cli('scale', 'blog=3');
  assert.equal(fixed.code, 1);
  assert.match(
    fixed.stderr,
    /^rollcall: no `rollcall run` keeps copies of balancer blog.*docker-compose up -d --no-recreate --scale blog=3\n$/,
  );
  assert.match((await site.cli('scale', 'nobody=3')).stderr, /there is no balancer nobody/);
  for (const mistake of ['shop', 'shop=0', 'shop=x', 'shop=1001', '=3']) {
    const { code, stderr } = await site.cli('scale', mistake);
    assert.deepEqual([code, /write BALANCER=N/.test(stderr)], [2, true], mistake);
  }
});
