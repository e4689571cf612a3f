/** Settings of a balancer from all origins: precedence, display, and changes without failed requests. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BalancerResource } from '@rollcall/protocol';
import { counter, type Visit } from '../site/counter.ts';
import { Site } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

const TIMEOUT_MS = 120_000;

test('operator over flag over environment over file over the first hint over default', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-settings-'));
  t.after(() => rmSync(directory, { recursive: true }));
  writeFileSync(
    join(directory, 'rollcall.json'),
    JSON.stringify({
      sessionIdle: '7m',
      retries: 5,
      balancers: {
        shop: { sticky: { cookies: ['FILE'], parameters: ['file'], remove: true } },
        '*': { algorithm: 'power-of-two' },
      },
    }),
  );
  const site = await Site.start(t, {
    directory,
    flags: ['--retries', '4'],
    environment: { ROLLCALL_RETRIES: '3', ROLLCALL_FAILOVER: 'group', ROLLCALL_SESSION_PARAMETER: 'env' },
  });
  const hint = { mode: 'suffix', cookies: ['HINT'], failover: 'none' } as const;
  await site.addNode('shop-1', { balancer: 'shop', sticky: hint }, counter({ node: 'shop-1' }));

  const before = await site.balancer('shop');
  assert.equal(before.retries, 4);
  assert.equal(before.algorithm, 'power-of-two');
  assert.equal(before.sessionIdleMs, 420_000);
  const { routeCookie, ...sticky } = before.sticky;
  assert.deepEqual(sticky, {
    mode: 'suffix',
    cookies: ['FILE'],
    parameters: ['env'],
    failover: 'group',
    remove: true,
    movable: false,
  });
  assert.match(routeCookie.name, /^rc_route_[0-9a-f]{6}$/);
  assert.deepEqual(before.origins, {
    algorithm: 'file',
    sessionAlgorithm: 'default',
    retries: 'flag',
    minEligible: 'default',
    sessionIdleMs: 'file',
    assign: 'default',
    'sticky.mode': 'node shop-1',
    'sticky.cookies': 'file',
    'sticky.parameters': 'environment',
    'sticky.failover': 'environment',
    'sticky.remove': 'file',
    'sticky.movable': 'default',
    ...Object.fromEntries(
      ['name', 'sameSite', 'secure', 'partitioned', 'domain', 'path', 'lifetime'].map((key) => [
        `sticky.routeCookie.${key}`,
        'default',
      ]),
    ),
  });

  const set = await site.json<{ balancer: BalancerResource }>('balancer', 'shop', 'set', 'retries=1', 'failover=any');
  assert.equal(set.balancer.retries, 1);
  assert.equal(set.balancer.origins['retries'], 'operator');
  await site.restart();
  const after = await site.balancer('shop');
  assert.equal(after.origins['retries'], 'operator');
  assert.equal(after.sticky.failover, 'any');

  const shown = await site.cli('balancer', 'shop', 'unset', 'retries');
  assert.match(shown.stdout, /^retries +4 +flag$/m);
  assert.match(shown.stdout, /^failover +any +operator$/m);
  assert.match((await site.cli('balancer')).stdout, /^shop +suffix +any /m);
});

test('the first node of a balancer decides; a node that differs is accepted with a warning', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const site = await Site.start(t);
  await site.addNode('a', { sticky: { mode: 'suffix' } }, counter({ node: 'a' }));
  const b = await site.addNode('b', {}, counter({ node: 'b' }));
  const added = await site.cli(
    'add',
    `http://127.0.0.1:${b.port}`,
    '--id',
    'c',
    '--stickysession',
    'SID|sid',
    '--nofailover',
  );
  assert.equal(added.code, 0, added.stderr);
  assert.match(added.stdout, /^warning: .*sticky\.cookies is .*not \["SID"\].*sticky\.failover is "any", not "none"/m);
  assert.equal((await site.balancer('default')).sticky.mode, 'suffix');
  assert.equal((await site.node('c'))?.warnings[0]?.code, 'balancer-settings-differ');
  assert.match((await site.cli('nodes')).stdout, /^c .*balancer-settings-differ/m);
});

test("Apache's spelling: ids in cookie or URL with the route behind the dot, and no failover", {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const site = await Site.start(t, { flags: ['--stickysession', 'SID|sid', '--nofailover'] });
  const nodes = new Map(
    await Promise.all(
      ['one', 'two'].map(async (id) => {
        const app = counter({ node: id, cookie: 'SID', parameter: 'sid', route: id });
        return [id, await site.addNode(id, {}, app)] as const;
      }),
    ),
  );
  for (const withCookies of [true, false]) {
    for (let i = 0; i < 10; i++) {
      const visitor = new Visitor(site.proxyPort, { takesCookies: withCookies });
      let visit: Visit = JSON.parse((await visitor.get('/')).body);
      const { node } = visit;
      for (let count = 2; count < 6; count++) {
        visit = JSON.parse((await visitor.get(withCookies ? '/' : `/page${visit.link}`)).body);
        assert.deepEqual([visit.node, visit.count], [node, count]);
      }
    }
  }
  const visitor = new Visitor(site.proxyPort);
  const { node }: Visit = JSON.parse((await visitor.get('/')).body);
  await nodes.get(node)!.stop();
  assert.equal((await visitor.get('/')).status, 503);
  assert.ok(visitor.cookies[0]!.endsWith(`.${node}`), 'the cookie stays');
});

test('a change of settings under traffic loses no request', { timeout: TIMEOUT_MS }, async (t) => {
  const site = await Site.start(t);
  for (const id of ['a', 'b']) await site.addNode(id, {}, counter({ node: id, cookie: 'SID', route: id }));
  let isOver = false;
  let visits = 0;
  const visitors = Array.from({ length: 8 }, async () => {
    const visitor = new Visitor(site.proxyPort, { keepsAlive: true });
    const first: Visit = JSON.parse((await visitor.get('/')).body);
    for (let count = 2; !isOver; count++) {
      const answer = await visitor.get('/');
      assert.equal(answer.status, 200);
      const visit: Visit = JSON.parse(answer.body);
      assert.deepEqual([visit.node, visit.count], [first.node, count]);
      visits++;
    }
    visitor.close();
  });
  for (const patch of [
    { algorithm: 'round-robin', sessionAlgorithm: 'least-connections' },
    // The application has its routes in its ids as well, so that both modes find the same node.
    { sticky: { mode: 'suffix', cookies: ['SID'] } },
    { retries: 0, sessionIdleMs: 60_000, sticky: { failover: 'none' } },
    { algorithm: null, sessionAlgorithm: null, retries: null, sticky: { mode: null, cookies: null, failover: null } },
  ]) {
    const seen = visits;
    assert.equal((await site.admin('PATCH', '/v1/balancers/default', patch)).status, 200);
    await site.isCurrent();
    while (visits < seen + 200) await new Promise((resolve) => setImmediate(resolve));
  }
  isOver = true;
  await Promise.all(visitors);
});

test('sessions of one node can be redirected to another node, and back', { timeout: TIMEOUT_MS }, async (t) => {
  const site = await Site.start(t);
  const visits = new Map<string, number>();
  for (const id of ['a', 'b', 'c']) await site.addNode(id, {}, counter({ node: id, cookie: 'SID', visits }));
  const visitors = Array.from({ length: 20 }, () => new Visitor(site.proxyPort));
  const homes = await Promise.all(
    visitors.map(async (visitor) => (JSON.parse((await visitor.get('/')).body) as Visit).node),
  );
  assert.ok(homes.includes('a'));
  const [self, unknown] = [await site.cli('redirect', 'a', 'a'), await site.cli('redirect', 'a', 'nobody')];
  assert.match(self.stderr, /cannot be redirected to itself/);
  assert.match(unknown.stderr, /there is no node nobody/);
  assert.equal((await site.cli('redirect', 'a', 'b', '--reason', 'old machine')).code, 0);
  await site.isCurrent();
  for (const [i, visitor] of visitors.entries()) {
    const visit: Visit = JSON.parse((await visitor.get('/')).body);
    assert.deepEqual([visit.node, visit.count], [homes[i] === 'a' ? 'b' : homes[i], 2]);
  }
  await site.restart();
  assert.equal((await site.node('a'))?.redirectTo, 'b');
  assert.equal((await site.cli('redirect', 'a', '--off')).code, 0);
  assert.equal((await site.node('a'))?.redirectTo, undefined);
  assert.equal((await site.cli('weight', 'a', '2.5')).code, 0);
  assert.equal((await site.node('a'))?.weight, 2.5);
});
