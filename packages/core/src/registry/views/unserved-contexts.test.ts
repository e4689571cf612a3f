import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  parseBalancerName,
  parseContextPath,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  parseRoute,
} from '@rollcall/protocol';
import { Registry } from '../registry.ts';

function cluster() {
  const registry = new Registry({ startedAtMs: 0 });
  let connections = 0;
  const register = (name: string, balancer: string, path = '/', host = '*', isReachable = true) => {
    const id = parseNodeId(name)!;
    const connection = ++connections;
    registry.apply(
      {
        type: 'register',
        node: {
          id,
          balancer: parseBalancerName(balancer)!,
          url: parseNodeUrl(`http://10.0.0.5:${3_000 + connection}`)!,
          route: parseRoute(name)!,
          contexts: [{ path: parseContextPath(path)! }],
          hosts: [parseHostPattern(host)!],
          weight: 1,
          loadHeader: false,
          meta: {},
          incarnation: 1,
          instance: 'a'.repeat(32),
        },
        connection,
        owner: 'join',
        kind: 'agent',
      },
      0,
    );
    registry.apply({ type: 'reachable', id, connection, isReachable, ...(!isReachable && { detail: 'refused' }) }, 0);
    return { id, connection };
  };
  const causes = (): (readonly [string, string, string])[] =>
    registry.unserved().map(({ balancer, path, cause }) => [balancer, path, cause]);
  return { registry, register, causes };
}

void test('a context without a node that can take new work is listed with its cause', () => {
  const { registry, register, causes } = cluster();
  const shop = register('n1', 'shop');
  const blog = register('b1', 'blog', '/blog');
  registry.apply({ type: 'restore', records: [], nowUnixMs: 0 }, 0);
  assert.deepEqual(causes(), []);
  registry.apply({ type: 'operator-status', target: { type: 'node', id: blog.id }, status: 'draining', by: 'op' }, 0);
  assert.deepEqual(causes(), [['blog', '/blog', 'drained']]);
  registry.apply({ type: 'worker-joined', worker: 'w1' }, 0);
  registry.apply({ type: 'ports-seen', worker: 'w1', ports: [[shop.id, 'refused']] }, 0);
  registry.apply({ type: 'disconnect', ...shop }, 0);
  assert.deepEqual(causes(), [
    ['blog', '/blog', 'drained'],
    ['shop', '/', 'crashed'],
  ]);
  registry.apply({ type: 'leave', ...blog }, 0);
  assert.deepEqual(causes()[0], ['blog', '/blog', 'left']);
});

void test('the remedy for a context without a node names its path and its host, unless they are the defaults', () => {
  const { registry, register } = cluster();
  for (const node of [
    register('n1', 'shop'),
    register('b1', 'blog', '/blog'),
    register('w1', 'wiki', '/w', '*.example.com'),
  ])
    registry.apply({ type: 'leave', ...node }, 0);
  registry.apply({ type: 'restore', records: [], nowUnixMs: 0 }, 0);
  assert.deepEqual(
    registry.unserved().map(({ remedy }) => remedy),
    [
      'start one: rollcall run --balancer blog --context /blog -- COMMAND',
      'start one: rollcall run --balancer shop -- COMMAND',
      "start one: rollcall run --balancer wiki --host '*.example.com' --context /w -- COMMAND",
    ],
  );
});

void test('a context whose nodes are gone is no longer listed once another balancer serves it, or it is forgotten', () => {
  const { registry, register, causes } = cluster();
  const shop = register('n1', 'shop');
  const blog = register('b1', 'blog', '/blog');
  registry.apply({ type: 'restore', records: [], nowUnixMs: 0 }, 0);
  registry.apply({ type: 'leave', ...shop }, 0);
  registry.apply({ type: 'leave', ...blog }, 0);
  register('n2', 'next');
  assert.deepEqual(causes(), [['blog', '/blog', 'left']]);
  registry.apply({ type: 'tick' }, 86_400_000);
  assert.equal(
    causes().some(([balancer]) => balancer === 'blog'),
    false,
  );
});

void test('contexts that can be forgotten include those of the status, also after the ten minutes of a context', () => {
  const { registry, register, causes } = cluster();
  register('n1', 'shop');
  const blog = register('b1', 'blog', '/blog');
  registry.apply({ type: 'restore', records: [], nowUnixMs: 0 }, 0);
  registry.apply({ type: 'leave', ...blog }, 1_000);
  for (const nowMs of [2_000, 700_000]) {
    registry.apply({ type: 'tick' }, nowMs);
    assert.ok(causes().some(([balancer]) => balancer === 'blog'));
    const blogs = registry.forgettableContexts({}).filter(({ balancer }) => balancer === 'blog');
    assert.deepEqual(blogs, [{ host: '*', path: '/blog', balancer: 'blog', sinceMs: 1_000 }]);
    assert.deepEqual(registry.forgettableContexts({ path: parseContextPath('/other')! }), []);
  }
  registry.apply({ type: 'forget-contexts' }, 700_000);
  assert.deepEqual(registry.forgettableContexts({ path: parseContextPath('/blog')! }), []);
});

void test('while restored nodes are expected back, no context is listed', () => {
  const { registry, register } = cluster();
  register('n1', 'shop');
  const next = new Registry({ startedAtMs: 0 });
  next.apply({ type: 'restore', records: registry.takeRecords(0).write, nowUnixMs: 0 }, 0);
  assert.deepEqual(next.unserved(), []);
  next.apply({ type: 'tick' }, 10_000);
  assert.deepEqual(
    next.unserved().map(({ cause }) => cause),
    ['links-closed'],
  );
});

const ANSWERED: readonly (readonly [
  context: readonly [host: string, path: string],
  others: readonly (readonly [balancer: string, host: string, path: string])[],
  text: string,
])[] = [
  [['*', '/nev'], [['shop', '*', '/']], 'shop gets its requests, at /'],
  [
    ['*', '/a/b/c'],
    [
      ['root', '*', '/'],
      ['ab', '*', '/a/b'],
      ['a', '*', '/a'],
    ],
    'ab gets its requests, at /a/b',
  ],
  [['*', '/ab'], [['a', '*', '/a']], ''],
  [['*', '/a'], [['deeper', '*', '/a/b']], ''],
  [['x.test', '/a'], [['shop', '*', '/a']], 'shop gets its requests, at /a on *'],
  [
    ['x.test', '/a'],
    [
      ['all', '*', '/a'],
      ['own', 'x.test', '/'],
    ],
    'own gets its requests, at /',
  ],
  [
    ['a.x.test', '/a'],
    [
      ['all', '*', '/a'],
      ['suffix', '*.x.test', '/'],
    ],
    'suffix gets its requests, at / on *.x.test',
  ],
  [
    ['*.x.test', '/a'],
    [
      ['all', '*', '/'],
      ['wider', '*.test', '/a'],
    ],
    'wider gets its requests, at /a on *.test',
  ],
  [['*', '/a'], [['host', 'x.test', '/']], ''],
];

for (const [[host, path], others, text] of ANSWERED)
  for (const kind of ['not served yet', 'without a node for ten minutes'])
    void test(`requests for ${path} on ${host}, ${kind}, with ${JSON.stringify(others)}: ${text || 'no other context'}`, () => {
      const { registry, register } = cluster();
      const isServed = kind !== 'not served yet';
      const late = register('late', 'late', path, host, isServed);
      for (const [index, [balancer, onHost, at]] of others.entries()) register(`n${index}`, balancer, at, onHost);
      registry.apply({ type: 'restore', records: [], nowUnixMs: 0 }, 0);
      const found = () => registry.unserved().find(({ balancer }) => balancer === 'late')!;
      if (isServed) {
        registry.apply({ type: 'leave', ...late }, 0);
        assert.equal(found().answeredBy, undefined, 'requests get 503');
        for (const [index] of others.entries())
          registry.apply({ type: 'heartbeat', id: parseNodeId(`n${index}`)!, connection: index + 2 }, 599_000);
        registry.apply({ type: 'tick' }, 600_001);
      }
      const { answeredBy, message } = found();
      assert.equal(answeredBy?.balancer ?? '', text.split(' ', 1)[0]);
      assert.equal(/until then balancer (.*)$/.exec(message)?.[1] ?? '', text);
    });
