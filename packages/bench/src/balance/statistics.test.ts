import assert from 'node:assert/strict';
import { test } from 'node:test';
import { balanceScenarios } from './scenario.ts';
import { maxByMean, passFigures, percentile, shareAfterJoin } from './statistics.ts';
import type { PlannedRequest } from './traffic.ts';

const LENGTH = { warmUpMs: 1_000, measureMs: 10_000 };

test('percentiles are values that have been seen', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
  assert.deepEqual([percentile(hundred, 0.5), percentile(hundred, 0.99), percentile(hundred, 0.999)], [50, 99, 100]);
  assert.equal(percentile([7], 0.5), 7);
  assert.ok(Number.isNaN(percentile([], 0.5)));
});

test('evenness is by what each can do, and leaves out who can do nothing', () => {
  const even = [1, 2, 4].map((capacity) => ({ amount: 10 * capacity, capacity }));
  assert.equal(maxByMean(even), 1);
  assert.equal(maxByMean([...even, { amount: 5, capacity: 0 }]), 1);
  // The slow one has twice its part: 20 by 1 against 80 by 7.
  assert.ok(Math.abs(maxByMean([{ amount: 20, capacity: 1 }, ...even.slice(1)]) - 20 / (80 / 7)) < 1e-9);
});

/** Requests each 10 ms to nodes 0 to 9 in turn, node 9 from `fromMs` on only, and then `times` in its turn. */
function afterJoin(fromMs: number, times: number) {
  const requests: { dueMs: number; node: number }[] = [];
  for (let i = 0; i < 3_000; i++) {
    const dueMs = i * 10;
    const node = i % 10;
    const isOwn = node === 9 ? dueMs >= fromMs : node < times - 1 && dueMs >= fromMs;
    requests.push({ dueMs, node: isOwn ? 9 : node % 9 });
  }
  return requests;
}

test('t90 is when a joined node has its share, and not before', () => {
  const at = shareAfterJoin(afterJoin(10_000, 1), 9, 10_000, 0.1, 30_000);
  assert.equal(at.t90Ms, 0);
  assert.ok(Math.abs(at.peakShare - 1) < 0.03, `${at.peakShare}`);
  // From 15 s on it has all of it, and 90 % of it over the 4 s from 14.6 s on.
  const late = shareAfterJoin(afterJoin(15_000, 1), 9, 10_000, 0.1, 30_000);
  assert.ok(Math.abs(late.t90Ms - 4_600) <= 100, `${late.t90Ms}`);
  assert.equal(late.watchedMs, 16_000);
});

test('a flood shows in the peak, a node that nobody asks in a t90 that does not come', () => {
  assert.ok(Math.abs(shareAfterJoin(afterJoin(10_000, 3), 9, 10_000, 0.1, 30_000).peakShare - 3) < 0.05);
  const never = shareAfterJoin(afterJoin(29_999, 1), 9, 10_000, 0.1, 30_000);
  assert.deepEqual([never.t90Ms, never.peakShare], [Number.POSITIVE_INFINITY, 0]);
});

const of = (name: string) => balanceScenarios(LENGTH).find((scenario) => scenario.name === name)!;

function plan(requests: readonly Omit<PlannedRequest, 'workMs'>[], lives: readonly [number, number][] = []) {
  return {
    requests: requests.map((request) => ({ ...request, workMs: 80 })),
    visitors: lives.map(([fromMs, toMs]) => ({ fromMs, toMs })),
  };
}

test('failures count with the deadline and by why; what is outside of the time that counts does not', () => {
  const requests = [500, 2_000, 3_000, 4_000, 5_000, 11_500].map((dueMs) => ({ dueMs, visitor: -1 }));
  const counts = Array.from({ length: 12 }, (_, number) => ({ number, requests: 1, workMs: 80, maxInFlight: 1 }));
  const figures = passFigures(
    of('homogeneous'),
    LENGTH,
    plan(requests),
    {
      latencyMs: [9, 20, 5_000, 5_000, 30, 9],
      status: [200, 200, 503, 0, 200, 200],
      node: [0, 1, 2, -1, 3, 0],
      failures: { 3: 'ECONNRESET' },
      lateMs: 0.4,
    },
    counts,
  );
  assert.deepEqual([figures.requests, figures.p50Ms, figures.p99Ms, figures.errorRatio], [4, 30, 5_000, 0.5]);
  assert.deepEqual(figures.failures, { 'status 503': 1, ECONNRESET: 1 });
  assert.ok(Math.abs(figures.workSpread - 1) < 1e-9);
  assert.deepEqual(figures.slowest, [
    { dueMs: 5_000, latencyMs: 30, workMs: 80, node: 3 },
    { dueMs: 2_000, latencyMs: 20, workMs: 80, node: 1 },
  ]);
  assert.deepEqual([figures.lateMs, figures.sessionSpread, figures.join], [0.4, undefined, undefined]);
});

test('sessions are where they were answered last, and moving is told', () => {
  const requests = [
    { dueMs: 1_100, visitor: 0 },
    { dueMs: 1_200, visitor: 1 },
    { dueMs: 2_000, visitor: 0 },
    { dueMs: 3_000, visitor: 1 },
    { dueMs: 4_000, visitor: 1 },
  ];
  const report = {
    latencyMs: [1, 1, 1, 1, 5_000],
    status: [200, 200, 200, 200, 0],
    node: [4, 5, 4, 4, -1],
    failures: {},
    lateMs: 0,
  };
  const { sessionSpread, movedRatio } = passFigures(
    of('few-logins'),
    LENGTH,
    plan(requests, [
      [1_100, 11_000],
      [1_200, 11_000],
    ]),
    report,
    [],
  );
  // Both end up on node 4, out of twelve.
  assert.ok(Math.abs(sessionSpread! - 12) < 1e-9, `${sessionSpread}`);
  assert.equal(movedRatio, 0.5);
});
