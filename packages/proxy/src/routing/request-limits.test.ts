import assert from 'node:assert/strict';
import { test } from 'node:test';
import { feedBalancer, feedNode, TestCluster } from '../cluster/cluster.fixture.ts';
import { explain } from './explanation.ts';

test('a request gets the limits of its path, and keeps them when settings change', () => {
  const cluster = new TestCluster();
  const limits = { upstreamTimeoutMs: 5_000, paths: { '/slow': { upstreamTimeoutMs: 'none' as const } } };
  cluster.fill([feedNode('n1')], { balancers: [feedBalancer({}, { limits })] });
  const timeoutOf = (target: string): number => cluster.ask('', target).decision.limits.upstreamTimeoutMs;
  assert.deepEqual(['/', '/slow/x', '/slower'].map(timeoutOf), [5_000, Number.POSITIVE_INFINITY, 5_000]);
  const { decision } = cluster.ask('', '/');
  cluster.change({ type: 'balancer', balancer: feedBalancer({}, { limits: { upstreamTimeoutMs: 7_000 } }) });
  const head = { method: 'GET', host: 'site.example', target: '/', cookie: '' };
  cluster.router.askAgain(head, decision, cluster.clock.nowMs());
  assert.equal(decision.limits.upstreamTimeoutMs, 5_000, 'the request that began before the change');
  cluster.router.choose(head, decision, cluster.clock.nowMs());
  assert.equal(decision.limits.upstreamTimeoutMs, 7_000, 'the next request on the same connection');
  const question = { type: 'explain', host: 'site.example', target: '/slow', cookie: '' } as const;
  assert.equal(explain(cluster.router, question, cluster.clock.nowMs()).limits?.[0]?.from, 'balancer');
});

test('a request without a limit for its answer is parked for a finite time', () => {
  const { router } = new TestCluster();
  const limits = { upstreamIdleMs: 1, eventStreamIdleMs: 1, tunnelIdleMs: 1, bodyTimeoutMs: 1 };
  assert.equal(router.parkMs({ ...limits, upstreamTimeoutMs: Number.POSITIVE_INFINITY }), 25_000);
  assert.equal(router.parkMs({ ...limits, upstreamTimeoutMs: 60_000 }), 60_000);
});
