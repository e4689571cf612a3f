import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNodeId } from '@rollcall/protocol';
import { NodeOutcomes } from './node-outcomes.ts';

const N1 = parseNodeId('n1')!;

test('requests and errors decay together, so that their ratio stays', () => {
  const outcomes = new NodeOutcomes();
  outcomes.add(N1, { requests: 100, errors: 60 }, 0);
  const later = outcomes.recent(N1, 30_000);
  assert.ok(Math.abs(later.requests - 100 / Math.E) < 1e-9);
  assert.ok(Math.abs(later.errors / later.requests - 0.6) < 1e-9);
  outcomes.add(N1, { requests: 0, errors: 0 }, 40_000);
  assert.ok(outcomes.recent(N1, 600_000).requests < 0.001);
});

test('ejections within a minute of each other are one episode; ten minutes are counted', () => {
  const outcomes = new NodeOutcomes();
  assert.equal(outcomes.ejection(N1, 0), undefined);
  for (const atMs of [0, 10_000, 65_000]) outcomes.ejected(N1, 'it is slow', 'slow', atMs);
  assert.deepEqual(outcomes.ejection(N1, 70_000), { reason: 'it is slow', sinceMs: 0, lastMs: 65_000, count: 3 });
  outcomes.ejected(N1, 'errors', 'errors', 200_000);
  assert.deepEqual(outcomes.ejection(N1, 200_000), { reason: 'errors', sinceMs: 200_000, lastMs: 200_000, count: 4 });
  assert.equal(outcomes.ejection(N1, 700_000)?.count, 1);
  assert.equal(outcomes.ejection(N1, 801_000), undefined);
});

test('the memory of a node that is ejected all the time is bounded, and forgotten with it', () => {
  const outcomes = new NodeOutcomes();
  for (let i = 0; i < 1_000; i++) outcomes.ejected(N1, '', undefined, i);
  assert.equal(outcomes.ejection(N1, 1_000)?.count, 100);
  outcomes.add(N1, { requests: 1, errors: 1 }, 1_000);
  assert.deepEqual(outcomes.ejections(N1), {});
  outcomes.forget(N1);
  assert.equal(outcomes.ejection(N1, 1_000), undefined);
  assert.deepEqual(outcomes.recent(N1, 1_000), { requests: 0, errors: 0 });
});
