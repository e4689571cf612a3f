import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type NodeId,
  parseBalancerName,
  parseContextPath,
  parseHostPattern,
  parseNodeId,
  parseRoute,
  type Status,
} from '@rollcall/protocol';
import type { SessionVerdict } from '../liveness/session-rule.ts';
import { TIERS, type Tier } from '../liveness/tier.ts';
import { seededRng } from '../seeded-rng.ts';
import { candidate } from '../testing/algorithm-contract.ts';
import { buildContextTable, type ContextTable, EMPTY_CONTEXT_MS, MAX_EMPTY_CONTEXTS } from './context-table.ts';
import type { RememberedContext } from './hosted-context.ts';
import type { MemberNode } from './member-node.ts';
import type { ServedContext } from './served-context.ts';

interface TestNode extends MemberNode {
  tier: Tier | undefined;
  verdict: SessionVerdict;
}

interface Spec {
  readonly balancer?: string;
  readonly hosts?: readonly string[];
  readonly paths?: readonly string[];
  readonly status?: Status;
  readonly tier?: Tier;
}

function node(
  id: string,
  { balancer = 'shop', hosts = ['*'], paths = ['/'], status = 'enabled', tier = 'ready' }: Spec = {},
): TestNode {
  return {
    ...candidate(id),
    balancer: parseBalancerName(balancer)!,
    route: parseRoute(id)!,
    group: undefined,
    hosts: hosts.map((host) => parseHostPattern(host)!),
    contexts: paths.map((path) => ({ path: parseContextPath(path)!, status })),
    tier,
    verdict: 'forward',
  };
}

type Table = ContextTable<TestNode, string>;

function build(nodes: readonly TestNode[], previous?: Table, changed: readonly string[] = [], nowMs = 0): Table {
  return buildContextTable<TestNode, string>(nodes, {
    previous,
    changed: new Set(changed.map((id) => parseNodeId(id)!)),
    attach: (balancer, path) => `${balancer}${path}`,
    nowMs,
  });
}

function name(found: ServedContext<TestNode, string> | 'ambiguous' | undefined): string | undefined {
  return typeof found === 'object' ? found.attached : found;
}

const ids = (nodes: readonly TestNode[]): NodeId[] => nodes.map(({ id }) => id).sort();

void test('the longest context prefix wins, and only at a boundary', () => {
  const table = build([
    node('root'),
    node('app', { balancer: 'app', paths: ['/app'] }),
    node('admin', { balancer: 'admin', paths: ['/app/admin'] }),
  ]);
  const expected: Record<string, string> = {
    '/': 'shop/',
    '/x': 'shop/',
    '/app': 'app/app',
    '/app/': 'app/app',
    '/app?x=/app/admin': 'app/app',
    '/app;jsessionid=1': 'app/app',
    '/apple': 'shop/',
    '/ap': 'shop/',
    '/App': 'shop/',
    '/app/admin': 'admin/app/admin',
    '/app/admin/x/y': 'admin/app/admin',
    '/app/admin2': 'app/app',
    '//ap': 'shop/',
    '*': 'shop/',
  };
  for (const [target, context] of Object.entries(expected))
    assert.equal(name(table.find('any', target)), context, target);
});

void test('without a matching context nothing is found', () => {
  const table = build([node('app', { paths: ['/app'] }), node('h', { balancer: 'h', hosts: ['h.example'] })]);
  assert.equal(table.find('any', '/'), undefined);
  assert.equal(table.find('any', '*'), undefined);
  assert.equal(table.find('', '/x'), undefined);
  assert.equal(build([]).find('any', '/'), undefined);
  assert.equal(table.find('h.example', 'no-slash'), undefined);
});

void test('an exact host precedes the longest suffix, that precedes any host, and a host without the path is skipped', () => {
  const table = build([
    node('any', { balancer: 'any' }),
    node('wide', { balancer: 'wide', hosts: ['*.example'] }),
    node('near', { balancer: 'near', hosts: ['*.shop.example'] }),
    node('exact', { balancer: 'exact', hosts: ['www.shop.example'], paths: ['/app'] }),
  ]);
  assert.equal(name(table.find('www.shop.example', '/app/x')), 'exact/app');
  assert.equal(name(table.find('www.shop.example', '/')), 'near/');
  assert.equal(name(table.find('a.b.shop.example', '/')), 'near/');
  assert.equal(name(table.find('shop.example', '/')), 'wide/');
  assert.equal(name(table.find('example', '/')), 'any/');
  assert.equal(name(table.find('', '/')), 'any/');
  assert.equal(name(table.find(`${'a.'.repeat(200)}shop.example`, '/')), 'any/', 'no name is that long');
});

void test('a path that a node could read as another context is ambiguous', () => {
  const table = build([
    node('root'),
    node('app', { balancer: 'app', paths: ['/app'] }),
    node('deep', { balancer: 'deep', paths: ['/app/deep'] }),
  ]);
  const ambiguous = [
    '/app/../x',
    '/app/..',
    '/x/../app',
    '/app/%2e%2e/x',
    '/app/%2E./x',
    '/app/..%2fx',
    '/%61pp',
    '/app%2fdeep',
    '/app/..;/x',
    '/app;%2f/%64eep',
    '/app/..?x=1',
    '/app/..;a=b/x',
    '/app;x/deep',
    '/app/deep/..',
    '/x\\..\\app',
    '/app%5c..%5c',
    '/a/../app/%2e%2e/a',
    '/./app',
    '/%2e/app',
    '/app/%3b/../..',
  ];
  for (const target of ambiguous) assert.equal(table.find('h', target), 'ambiguous', target);
  const clear: Record<string, string> = {
    '/app/%20x': 'app/app',
    '/app/./x': 'app/app',
    '/app/x/../y': 'app/app',
    '/app/%zz': 'app/app',
    '/x%': 'shop/',
    '/app/.hidden': 'app/app',
    '/app?p=../x': 'app/app',
    '/x;jsessionid=1': 'shop/',
    '/app/%252e%252e/x': 'app/app',
    '/..': 'shop/',
  };
  for (const [target, context] of Object.entries(clear)) assert.equal(name(table.find('h', target)), context, target);
});

void test('nothing is ambiguous while every context is the root', () => {
  const table = build([node('a'), node('b', { balancer: 'b', hosts: ['b.example'] })]);
  assert.equal(name(table.find('x', '/app/%2e%2e/..;/y')), 'shop/');
});

void test('a change of tier changes eligibility in place, and back', () => {
  const [a, b] = [node('a'), node('b')];
  const context = build([a, b]).contexts[0]!;
  assert.deepEqual(ids(context.forNew), ['a', 'b']);
  a.tier = undefined;
  context.update(a);
  context.update(a);
  assert.deepEqual(ids(context.forNew), ['b']);
  assert.equal(context.keepsSessions(a), true);
  a.tier = 'ready';
  context.update(a);
  context.update(a);
  assert.deepEqual(ids(context.forNew), ['a', 'b']);
  const other = node('other', { paths: ['/other'] });
  context.update(other);
  assert.equal(context.keepsSessions(other), false);
  assert.equal(context.contextOf(other), undefined);
  assert.deepEqual(ids(context.forNew), ['a', 'b']);
});

void test('new work goes to the first tier that has a node which was not tried', () => {
  const nodes = TIERS.map((tier) => node(tier, { tier }));
  const context = build(nodes).contexts[0]!;
  for (const [i, tier] of TIERS.entries()) {
    assert.deepEqual(ids(context.forNew), [tier]);
    assert.deepEqual(ids(context.beside(new Set([nodes[i]!.id]))), i + 1 < TIERS.length ? [TIERS[i + 1]] : []);
    nodes[i]!.tier = undefined;
    context.update(nodes[i]!);
  }
  assert.deepEqual(context.forNew, []);
});

void test('a draining context keeps sessions and gets no new ones, a stopped one neither', () => {
  const [a, b, c] = [node('a'), node('b', { status: 'draining' }), node('c', { status: 'stopped' })];
  const context = build([a, b, c]).contexts[0]!;
  assert.deepEqual(ids(context.forNew), ['a']);
  assert.deepEqual(
    [a, b, c].map((one) => context.keepsSessions(one)),
    [true, true, false],
  );
  assert.equal(context.contextOf(b)?.status, 'draining');
});

void test('contexts in which nothing changed are taken over as they are', () => {
  const nodes = [node('a'), node('b', { balancer: 'b', paths: ['/b'] })];
  const first = build(nodes);
  const second = build([...nodes, node('c', { balancer: 'b', paths: ['/b'] })], first, ['c']);
  assert.equal(second.find('h', '/'), first.find('h', '/'));
  assert.notEqual(second.find('h', '/b'), first.find('h', '/b'));
  const third = build(nodes, first, ['a']);
  assert.notEqual(third.find('h', '/'), first.find('h', '/'));
  const replaced = build([node('a'), nodes[1]!], first);
  assert.notEqual(replaced.find('h', '/'), first.find('h', '/'), 'another object is another node');
});

void test('a context whose last node is gone is known for a while and then forgotten', () => {
  const full = build([node('a')]);
  const empty = build([], full, ['a'], 1_000);
  const found = empty.find('h', '/');
  assert.ok(typeof found === 'object' && found.members.length === 0 && found.forNew.length === 0);
  assert.equal(found.attached, 'shop/');
  assert.equal(build([], empty, [], 1_000 + EMPTY_CONTEXT_MS - 1).find('h', '/'), found);
  assert.equal(build([], empty, [], 1_000 + EMPTY_CONTEXT_MS).find('h', '/'), undefined);
  const back = build([node('a')], empty, ['a'], 2_000).find('h', '/');
  assert.ok(typeof back === 'object' && back.members.length === 1 && back.emptySinceMs === undefined);
});

void test('forgotten contexts without nodes are dropped at once, and the table knows when the first is due', () => {
  const full = build([node('a', { hosts: ['h'], paths: ['/a', '/b'] })]);
  assert.equal(full.emptyUntilMs, Number.POSITIVE_INFINITY);
  const empty = build([], full, ['a'], 1_000);
  assert.equal(empty.emptyUntilMs, 1_000 + EMPTY_CONTEXT_MS);
  const left = buildContextTable<TestNode, string>([], {
    previous: empty,
    changed: new Set(),
    attach: (balancer, path) => `${balancer}${path}`,
    nowMs: 2_000,
    isForgotten: ({ path }) => path === '/a',
  });
  assert.deepEqual(
    left.contexts.map(({ path }) => path),
    ['/b'],
  );
});

void test('a context that another process remembers is in the table, unless a node serves it or its time is over', () => {
  const [host, balancer] = [parseHostPattern('h')!, parseBalancerName('shop')!];
  const at = (path: string, sinceMs: number): RememberedContext => ({
    host,
    path: parseContextPath(path)!,
    balancer,
    sinceMs,
  });
  const options = {
    changed: new Set<NodeId>(),
    attach: (balancer: string, path: string) => `${balancer}${path}`,
    nowMs: EMPTY_CONTEXT_MS,
    remembered: [at('/lost', 1), at('/old', 0), at('/served', 1), at('/forgotten', 1)],
    isForgotten: ({ path }: { readonly path: string }) => path === '/forgotten',
  };
  const nodes = [node('a', { hosts: ['h'], paths: ['/', '/served'] })];
  const table = buildContextTable<TestNode, string>(nodes, { ...options, previous: undefined });
  assert.deepEqual(
    table.contexts.map(({ path, members }) => `${path} ${members.length}`),
    ['/ 1', '/served 1', '/lost 0'],
  );
  const again = buildContextTable<TestNode, string>(nodes, { ...options, previous: table });
  assert.equal(again.find('h', '/lost'), table.find('h', '/lost'));
});

void test('at most 1,000 contexts without nodes are kept, and a balancer with many does not displace those of others', () => {
  const shop = node('a', { hosts: ['shop'], paths: ['/'] });
  const guests = Array.from({ length: 5 }, (_, i) =>
    node(`g${i}`, {
      balancer: 'guest',
      hosts: Array.from({ length: 16 }, (__, host) => `h${host}`),
      paths: Array.from({ length: 16 }, (__, path) => `/${i}-${path}`),
    }),
  );
  const full = build([shop, ...guests]);
  const empty = build([], full, ['a', ...guests.map(({ id }) => id)], 1_000);
  assert.equal(empty.contexts.length, MAX_EMPTY_CONTEXTS);
  assert.ok(typeof empty.find('shop', '/') === 'object');
});

void test('a host and context that two balancers claim stays with the first', () => {
  const table = build([node('a'), node('thief', { balancer: 'other' })]);
  const found = table.find('h', '/');
  assert.ok(typeof found === 'object');
  assert.equal(found.balancer, 'shop');
  assert.deepEqual(ids(found.members), ['a']);
});

void test('a node that names a host or a context twice is there once', () => {
  const table = build([node('a', { hosts: ['*', '*'], paths: ['/', '/'] })]);
  assert.equal(table.contexts.length, 1);
  assert.equal(table.contexts[0]!.members.length, 1);
});

void test('the contexts of a node are found by its id', () => {
  const table = build([node('a', { hosts: ['x.example', 'y.example'], paths: ['/', '/app'] }), node('b')]);
  assert.equal(table.contextsOf(parseNodeId('a')!).length, 4);
  assert.equal(table.contextsOf(parseNodeId('nobody')!).length, 0);
});

void test('a node that does not serve the context takes nothing', () => {
  const [context] = build([node('a')]).contexts;
  const other = node('b', { paths: ['/app'] });
  context!.update(other);
  assert.deepEqual([ids(context!.forNew), context!.keepsSessions(other)], [['a'], false]);
});

void test('a context with hosts of its own is found on these only, in its status on each', () => {
  const [app, root] = ['/app', '/'].map((path) => parseContextPath(path)!);
  const [shop, intern] = ['shop.example', '*.intern.example'].map((host) => parseHostPattern(host)!);
  const one = {
    ...node('a'),
    contexts: [
      { path: app!, status: 'enabled', hosts: [shop!] },
      { path: app!, status: 'draining', hosts: [intern!] },
      { path: root!, status: 'enabled' },
    ],
  } as const;
  const table = build([one, node('b', { paths: ['/app'], hosts: ['*.intern.example'] })]);
  const on = (host: string) => table.find(host, '/app/x') as ServedContext<TestNode, string>;
  assert.deepEqual([ids(on('shop.example').forNew), on('shop.example').path], [['a'], '/app']);
  assert.deepEqual([ids(on('x.intern.example').forNew), on('x.intern.example').keepsSessions(one)], [['b'], true]);
  assert.deepEqual([on('other.example').path, table.contexts.length], ['/', 3]);
});

void test('after any changes of tiers each node is in its tier once, and nowhere else', () => {
  const rng = seededRng(7);
  const nodes = Array.from({ length: 40 }, (_, i) => node(`n${i}`, { status: i % 10 === 0 ? 'draining' : 'enabled' }));
  const [context] = build(nodes).contexts;
  for (let i = 0; i < 2_000; i++) {
    const changed = nodes[Math.floor(rng() * nodes.length)]!;
    changed.tier = [...TIERS, undefined][Math.floor(rng() * (TIERS.length + 1))];
    context!.update(changed);
  }
  const expected = TIERS.map((tier) => ids(nodes.filter((one, i) => one.tier === tier && i % 10 !== 0)));
  assert.deepEqual(context!.byTier.map(ids), expected);
});
