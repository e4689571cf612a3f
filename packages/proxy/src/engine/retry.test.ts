import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideRetry, type FailedAttempt, RetryBudget } from './retry.ts';

const RESET: FailedAttempt = {
  failure: 'reset',
  wasReused: false,
  hasAnswerBytes: false,
  wasSent: true,
  isIdempotent: true,
  canReplay: true,
  hasTriedFresh: false,
  retriesLeft: 2,
};

test('a request that never left may go anywhere, whatever its method', () => {
  const unsent = { ...RESET, wasSent: false, isIdempotent: false };
  assert.equal(decideRetry({ ...unsent, failure: 'refused' }), 'other-node');
  assert.equal(decideRetry({ ...unsent, failure: 'unreachable' }), 'other-node');
});

test('a reset of a reused connection is tried at the same node once, then elsewhere', () => {
  assert.equal(decideRetry({ ...RESET, wasReused: true }), 'same-node');
  assert.equal(decideRetry({ ...RESET, wasReused: true, hasTriedFresh: true }), 'other-node');
  assert.equal(decideRetry(RESET), 'other-node');
});

test('what may have been processed is not repeated unless its method allows it', () => {
  assert.equal(decideRetry({ ...RESET, isIdempotent: false }), 'give-up');
  assert.equal(decideRetry({ ...RESET, isIdempotent: false, wasReused: true }), 'give-up');
});

test('nothing is repeated after an octet of an answer, a timeout, nonsense, without its body, or without permission', () => {
  assert.equal(decideRetry({ ...RESET, hasAnswerBytes: true }), 'give-up');
  assert.equal(decideRetry({ ...RESET, failure: 'timeout' }), 'give-up');
  assert.equal(decideRetry({ ...RESET, failure: 'broken' }), 'give-up');
  assert.equal(decideRetry({ ...RESET, canReplay: false }), 'give-up');
  assert.equal(decideRetry({ ...RESET, retriesLeft: 0 }), 'give-up');
  assert.equal(decideRetry({ ...RESET, wasSent: false, failure: 'refused', retriesLeft: 0 }), 'give-up');
});

test('the retry budget is spent and earned back by requests', () => {
  const budget = new RetryBudget();
  let retries = 0;
  while (budget.spend()) retries++;
  assert.equal(retries, 500);
  for (let i = 0; i < 10; i++) budget.earn();
  assert.ok(budget.spend());
  assert.ok(budget.spend());
  assert.ok(!budget.spend());
});
