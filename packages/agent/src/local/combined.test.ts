import assert from 'node:assert/strict';
import { test } from 'node:test';
import { combinedReport, combinedWish, NO_WISH, type Wish } from './combined.ts';

const scale = { capacity: 10, weight: 1 };

test('the report of one process is unchanged, and no process reports nothing', () => {
  const report = { load: 0.4, inFlight: 2, ready: false };
  assert.equal(combinedReport([report]), report);
  assert.deepEqual(combinedReport([]), {});
});

test('counts and capacities are added, the load is the mean, and one process that is not ready decides', () => {
  const busy = {
    load: 1,
    inFlight: 30,
    sessions: 5,
    metrics: { queue: 1 },
    values: { queue: 10 },
    scales: { queue: scale },
  };
  const idle = {
    load: 0,
    inFlight: 0,
    sessions: 1,
    metrics: { queue: 0 },
    values: { queue: 0 },
    scales: { queue: scale },
  };
  assert.deepEqual(combinedReport([busy, idle]), {
    load: 0.5,
    inFlight: 30,
    sessions: 6,
    metrics: { queue: 0.5 },
    values: { queue: 10 },
    scales: { queue: { capacity: 20, weight: 1 } },
  });
  assert.equal(combinedReport([busy, { ...idle, ready: false }]).ready, false);
});

test('a number that only some processes report is combined of those', () => {
  assert.deepEqual(combinedReport([{ serviceMs: 4 }, { load: 0.2 }]), { load: 0.2, serviceMs: 4 });
});

test('the wish of a node is the least restrictive one of its processes', () => {
  const stopped: Wish = { status: 'stopped', reason: 'SIGTERM', deadlineMs: 8_000 };
  const draining: Wish = { ...stopped, status: 'draining' };
  assert.equal(combinedWish([]), NO_WISH);
  assert.equal(combinedWish([stopped, NO_WISH]), NO_WISH);
  assert.equal(combinedWish([stopped, draining]), draining);
  assert.equal(combinedWish([stopped, stopped]).status, 'stopped');
});
