import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WORK_MS } from './scenario.ts';
import { planTraffic } from './traffic.ts';

const END_MS = 120_000;

test('one seed gives every balancer the same requests with the same work', () => {
  const plan = () => planTraffic({ kind: 'requests', perSecond: 300 }, 5_000, 10_000, 7);
  assert.deepEqual(plan(), plan());
  const other = planTraffic({ kind: 'requests', perSecond: 300 }, 5_000, 10_000, 8);
  assert.notDeepEqual(plan().requests[0], other.requests[0]);
});

test('another rate draws the same work', () => {
  const [slow, fast] = [100, 300].map((perSecond) =>
    planTraffic({ kind: 'requests', perSecond }, 0, 5_000, 7)
      .requests.slice(0, 100)
      .map(({ workMs }) => workMs),
  );
  assert.deepEqual(slow, fast);
});

test('requests come by time, at the rate, with the mean work, and without sessions', () => {
  const { requests, visitors } = planTraffic({ kind: 'requests', perSecond: 300 }, 5_000, END_MS, 1);
  assert.ok(Math.abs(requests.length / (300 * 120) - 1) < 0.03, `${requests.length}`);
  const meanMs = requests.reduce((sum, { workMs }) => sum + workMs, 0) / requests.length;
  assert.ok(Math.abs(meanMs / WORK_MS - 1) < 0.05, `${meanMs}`);
  assert.ok(requests.every(({ dueMs, visitor }, i) => visitor === -1 && dueMs >= (requests[i - 1]?.dueMs ?? 0)));
  assert.deepEqual(visitors, []);
});

test('sessions are so many at a time, ask as much as they are to, and some are far busier than others', () => {
  const traffic = { kind: 'sessions', perSecond: 210, sessions: 360, lifeMs: 8_000, isUneven: true } as const;
  const { requests, visitors } = planTraffic(traffic, 5_000, END_MS, 1);
  const perSecond = requests.filter(({ dueMs }) => dueMs >= 5_000).length / ((END_MS - 5_000) / 1_000);
  assert.ok(Math.abs(perSecond / 210 - 1) < 0.15, `${perSecond}`);
  const alive = visitors.filter(({ fromMs, toMs }) => fromMs <= 60_000 && toMs > 60_000).length;
  assert.ok(Math.abs(alive / 360 - 1) < 0.2, `${alive}`);
  const requestsOf = visitors.map(() => 0);
  for (const { visitor } of requests) requestsOf[visitor]!++;
  assert.ok(Math.min(...requestsOf) >= 1);
  assert.ok(Math.max(...requestsOf) > 50, `${Math.max(...requestsOf)}`);
  const even = planTraffic({ ...traffic, isUneven: false }, 5_000, END_MS, 1);
  const mostOf = even.visitors.map(() => 0);
  for (const { visitor } of even.requests) mostOf[visitor]!++;
  assert.ok(Math.max(...mostOf) < 50, `${Math.max(...mostOf)}`);
});

test('a visitor asks within its life only, and logs in with its first request', () => {
  const traffic = { kind: 'sessions', perSecond: 100, sessions: 50, lifeMs: 4_000, isUneven: true } as const;
  const { requests, visitors } = planTraffic(traffic, 5_000, 30_000, 3);
  const seen = new Set<number>();
  for (const { dueMs, visitor } of requests) {
    const { fromMs, toMs } = visitors[visitor]!;
    if (!seen.has(visitor)) assert.equal(dueMs, fromMs);
    seen.add(visitor);
    assert.ok(dueMs >= fromMs && dueMs <= toMs && toMs <= 30_000);
  }
  assert.equal(seen.size, visitors.length);
});

test('few logins come one by one and do not end', () => {
  const { requests, visitors } = planTraffic({ kind: 'logins', loginsPerSecond: 5, perSecond: 0.2 }, 5_000, END_MS, 1);
  assert.ok(Math.abs(visitors.length / 600 - 1) < 0.15, `${visitors.length}`);
  assert.ok(visitors.every(({ toMs }) => toMs === END_MS));
  assert.ok(requests.length / 120 < 100);
});
