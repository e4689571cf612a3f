import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBalancerName, parseNodeId } from '@rollcall/protocol';
import { feedNode, TestCluster } from '../cluster/cluster.fixture.ts';
import { FAILURE } from '../engine/failure.ts';
import type { FailedAttempt } from '../engine/finished-request.ts';
import { newRoutingDecision } from '../engine/router.ts';
import { DecisionRing } from './decision-ring.ts';

/** The clock of a test cluster starts a second before. */
const NOW = { nowMs: 1_001_000, nowUnixMs: 1_800_000_001_000 };
const A = parseNodeId('a')!;

/** A finished request of `cluster` with its decision by the router. */
function finish(
  cluster: TestCluster,
  ring: DecisionRing,
  requestId: string,
  {
    cookie = '',
    target = '/',
    status = 200,
    host = 'site.example',
    attempts = 1,
    failedAttempts = undefined as FailedAttempt[] | undefined,
  } = {},
): void {
  const decision = newRoutingDecision();
  const head = { method: 'GET', host, target, cookie };
  cluster.router.choose(head, decision, cluster.clock.nowMs());
  const upstreamMs = status === 200 ? 12.345 : -1;
  const facts = { requestId, startedMs: cluster.clock.nowMs(), waitedMs: 0, attempts, failedAttempts, upstreamMs };
  ring.finished({ ...facts, head, decision }, status, cluster.clock.nowMs() + 20);
}

void test('a finished request has its node, the reason, where the session was found, and times; never a secret', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b')]);
  const ring = new DecisionRing(10);
  const cookie = 'x=topsecret; JSESSIONID=topsecret.a';
  finish(cluster, ring, 'id-1', { cookie, target: '/cart;jsessionid=topsecret?token=topsecret' });
  const { decisions, kept, sinceUnixMs } = ring.find({ requestId: 'id-1', limit: 1 }, NOW);
  assert.deepEqual(decisions, [
    {
      requestId: 'id-1',
      atUnixMs: 1_800_000_000_000,
      method: 'GET',
      host: 'site.example',
      path: '/cart',
      balancer: 'shop',
      context: '/',
      sessionFrom: 'cookie JSESSIONID',
      result: 'sticky',
      chosen: 'a',
      because: 'its session lives there',
      attempts: [{ node: 'a', outcome: 'answered', afterMs: 12.35 }],
      waitedMs: 0,
      status: 200,
      upstreamMs: 12.35,
      durationMs: 20,
    },
  ]);
  assert.deepEqual([kept, sinceUnixMs], [1, 1_800_000_000_000]);
  assert.ok(!JSON.stringify(decisions).includes('secret'));
});

void test('the ring keeps the last requests and forgets the oldest, and nothing of a record stays in the next one', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a')]);
  const ring = new DecisionRing(4);
  const failed = [{ node: A, how: 'connection refused', afterMs: 1 }];
  finish(cluster, ring, 'a-long-request-id', { failedAttempts: failed, status: 502, cookie: 'JSESSIONID=1.a' });
  for (let i = 2; i <= 5; i++) {
    cluster.clock.advance(10);
    finish(cluster, ring, `id-${i}`);
  }
  const { decisions, kept, sinceUnixMs } = ring.find({ limit: 100 }, NOW);
  assert.deepEqual(
    decisions.map(({ requestId }) => requestId),
    ['id-5', 'id-4', 'id-3', 'id-2'],
  );
  assert.deepEqual([kept, sinceUnixMs], [4, 1_800_000_000_010]);
  const [newest] = decisions;
  assert.deepEqual([newest?.sessionFrom, newest?.attempts.length, newest?.status], [undefined, 1, 200]);
  assert.deepEqual(ring.find({ requestId: 'a-long-request-id', limit: 1 }, NOW).decisions, []);
  ring.refused('bad-1', undefined, 400, 'the method is not a token', 1_000_060);
  const [refused] = ring.find({ limit: 1 }, NOW).decisions;
  assert.deepEqual(refused, {
    requestId: 'bad-1',
    atUnixMs: 1_800_000_000_060,
    method: '',
    host: '',
    path: '',
    result: '',
    because: 'the method is not a token',
    attempts: [],
    waitedMs: 0,
    status: 400,
    durationMs: 0,
  });
});

void test('records are found by node, also one that only failed, by balancer, status and class of status', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b'), feedNode('c', { balancer: 'blog', paths: ['/blog'] })]);
  const ring = new DecisionRing(10);
  const failedAttempts = [{ node: A, how: FAILURE.refused.how, afterMs: 1.5 }];
  finish(cluster, ring, 'retried', { cookie: 'JSESSIONID=1.b', attempts: 2, failedAttempts });
  finish(cluster, ring, 'failed', { cookie: 'JSESSIONID=1.b', status: 504 });
  finish(cluster, ring, 'left', { cookie: 'JSESSIONID=1.b', status: 499 });
  finish(cluster, ring, 'blog', { target: '/blog' });
  const ids = (filter: Omit<Parameters<typeof ring.find>[0], 'limit'>): string[] =>
    ring.find({ ...filter, limit: 10 }, NOW).decisions.map(({ requestId }) => requestId);
  assert.deepEqual(ids({ node: A }), ['retried']);
  assert.deepEqual(ids({ node: parseNodeId('b')! }), ['left', 'failed', 'retried']);
  assert.deepEqual(ids({ balancer: parseBalancerName('blog')! }), ['blog']);
  assert.deepEqual(ids({ status: 504 }), ['failed']);
  assert.deepEqual(ids({ status: 5 }), ['failed']);
  assert.deepEqual(ids({ status: 2, node: parseNodeId('b')! }), ['retried']);
  const attempts = (requestId: string): unknown => ring.find({ requestId, limit: 1 }, NOW).decisions[0]?.attempts;
  assert.deepEqual(attempts('retried'), [
    { node: 'a', outcome: 'connection refused', afterMs: 1.5 },
    { node: 'b', outcome: 'answered', afterMs: 12.35 },
  ]);
  assert.deepEqual(attempts('left'), [{ node: 'b', outcome: 'client left' }]);
  assert.deepEqual(attempts('failed'), [{ node: 'b', outcome: 'ended by the proxy' }]);
});

void test('long texts of clients are truncated, and limits are kept', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a')]);
  const ring = new DecisionRing(5);
  for (let i = 0; i < 5; i++)
    finish(cluster, ring, 'r'.repeat(128), { target: `/${'p'.repeat(5_000)}?secret`, host: 'h'.repeat(253) });
  const { decisions } = ring.find({ limit: 3 }, NOW);
  assert.equal(decisions.length, 3);
  const [{ requestId, host, path }] = decisions as [(typeof decisions)[0]];
  assert.deepEqual([requestId.length, host.length, path.length], [128, 112, 256]);
  assert.equal(ring.find({ requestId: 'r'.repeat(128), limit: 1 }, NOW).decisions.length, 1);
});
