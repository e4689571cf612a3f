import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LimitTable, requestLimits } from './request-limits.ts';

const proxy = requestLimits((key) => (key === 'upstreamTimeoutMs' ? 30 : 60));
const table = new LimitTable(proxy, {
  upstreamTimeoutMs: 100,
  paths: {
    '/a': { upstreamTimeoutMs: 200, upstreamIdleMs: 'none' },
    '/a/b': { tunnelIdleMs: 300 },
  },
});

test('the longest prefix on a segment border wins, then the balancer, then the proxy', () => {
  const cases: readonly (readonly [target: string, timeout: number, idle: number, tunnel: number])[] = [
    ['/', 100, 60, 60],
    ['*', 100, 60, 60],
    ['/ab', 100, 60, 60],
    ['/x/a', 100, 60, 60],
    ['/a', 200, Number.POSITIVE_INFINITY, 60],
    ['/a/', 200, Number.POSITIVE_INFINITY, 60],
    ['/a?b', 200, Number.POSITIVE_INFINITY, 60],
    ['/a;s=1/b', 200, Number.POSITIVE_INFINITY, 60],
    ['/a/bc', 200, Number.POSITIVE_INFINITY, 60],
    // What the longer path leaves out is the balancer's, not that of the shorter path.
    ['/a/b', 100, 60, 300],
    ['/a/b/c', 100, 60, 300],
  ];
  for (const [target, timeout, idle, tunnel] of cases) {
    const { upstreamTimeoutMs, upstreamIdleMs, tunnelIdleMs } = table.of(target);
    assert.deepEqual([upstreamTimeoutMs, upstreamIdleMs, tunnelIdleMs], [timeout, idle, tunnel], target);
  }
});

test('the limits of a scope are one object, and those of the proxy itself without settings', () => {
  assert.equal(table.of('/a/x'), table.of('/a/y'));
  assert.equal(new LimitTable(proxy).of('/a'), proxy);
});

test('a path / applies to each target without a longer path', () => {
  const root = new LimitTable(proxy, { paths: { '/': { upstreamIdleMs: 5 }, '/b': {} } });
  assert.deepEqual(
    ['*', '/x', '/b'].map((target) => root.of(target).upstreamIdleMs),
    [5, 5, 60],
  );
});

test('each limit is explained with its origin', () => {
  const [timeout, idle, , tunnel] = table.explain('/a/1');
  assert.deepEqual(timeout, { key: 'upstreamTimeoutMs', value: 200, from: 'path', path: '/a' });
  assert.deepEqual(idle, { key: 'upstreamIdleMs', value: 'none', from: 'path', path: '/a' });
  assert.deepEqual(tunnel, { key: 'tunnelIdleMs', value: 60, from: 'proxy' });
  assert.equal(table.explain('/a/b')[0]?.from, 'balancer');
});
