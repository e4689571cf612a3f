import assert from 'node:assert/strict';
import { test } from 'node:test';
import { combinedReport, combinedStatus, NO_REQUESTED_STATUS, type RequestedStatus } from './combined.ts';

const scale = { capacity: 10, weight: 1 };

test('the report of one process is unchanged; without processes it is empty', () => {
  const report = { load: 0.4, inFlight: 2, ready: false };
  assert.equal(combinedReport([report]), report);
  assert.deepEqual(combinedReport([]), {});
});

test('counts and capacities are added, the load is the mean, one process that is not ready makes the node not ready', () => {
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

test('a number that only some processes report is combined from these processes', () => {
  assert.deepEqual(combinedReport([{ serviceMs: 4 }, { load: 0.2 }]), { load: 0.2, serviceMs: 4 });
});

test('the status of a node is the least restrictive of its processes', () => {
  const stopped: RequestedStatus = { status: 'stopped', reason: 'SIGTERM', deadlineMs: 8_000 };
  const draining: RequestedStatus = { ...stopped, status: 'draining' };
  assert.equal(combinedStatus([]), NO_REQUESTED_STATUS);
  assert.equal(combinedStatus([stopped, NO_REQUESTED_STATUS]), NO_REQUESTED_STATUS);
  assert.equal(combinedStatus([stopped, draining]), draining);
  assert.equal(combinedStatus([stopped, stopped]).status, 'stopped');
});
