import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAILURE } from '../failure.ts';
import { decideRetry, type FailedAttempt, RetryBudget } from './retry.ts';

const CLOSED: FailedAttempt = {
  failure: FAILURE.closed,
  wasReused: false,
  hasAnswerBytes: false,
  wasSent: true,
  isIdempotent: true,
  canReplay: true,
  hasTriedFresh: false,
  takesRequests: true,
  isBound: false,
  answersChallenge: false,
  retriesLeft: 2,
};

test('a request that never left may go anywhere, whatever its method', () => {
  const unsent = { ...CLOSED, wasSent: false, isIdempotent: false };
  assert.equal(decideRetry({ ...unsent, failure: FAILURE.refused }), 'by-router');
  assert.equal(decideRetry({ ...unsent, failure: FAILURE.unreachable }), 'by-router');
  assert.equal(decideRetry({ ...unsent, failure: FAILURE.refused, retriesLeft: 0 }), 'give-up');
  assert.equal(decideRetry({ ...unsent, failure: FAILURE.refused, retriesLeft: 0, isBound: true }), 'by-router');
});

test('a reused connection that broke is tried at the same node once, also without retries; then elsewhere', () => {
  assert.equal(decideRetry({ ...CLOSED, wasReused: true, retriesLeft: 0 }), 'same-node');
  assert.equal(decideRetry({ ...CLOSED, wasReused: true, hasTriedFresh: true }), 'by-router');
  assert.equal(decideRetry(CLOSED), 'by-router');
  const waits = { ...CLOSED, wasReused: true, isBound: true, takesRequests: false };
  assert.equal(decideRetry(waits), 'by-router', 'the node may be another program by now');
});

test('a bound request that may have left is repeated by its verdict only when its connection was closed unused', () => {
  const bound = { ...CLOSED, isBound: true, retriesLeft: 0 };
  assert.equal(decideRetry({ ...bound, wasReused: true }), 'same-node');
  assert.equal(decideRetry({ ...bound, wasReused: true, hasTriedFresh: true }), 'give-up');
  assert.equal(decideRetry({ ...bound, failure: FAILURE.closedUnused }), 'by-router');
});

test('what may have been processed is not repeated unless its method allows it', () => {
  for (const failure of [FAILURE.closed, FAILURE.closedUnused]) {
    assert.equal(decideRetry({ ...CLOSED, failure, isIdempotent: false }), 'give-up');
    assert.equal(decideRetry({ ...CLOSED, failure, isIdempotent: false, wasReused: true, isBound: true }), 'give-up');
  }
});

test('nothing is repeated after an octet of an answer, a timeout, nonsense, our own limits, or without its body', () => {
  assert.equal(decideRetry({ ...CLOSED, hasAnswerBytes: true }), 'give-up');
  for (const failure of [FAILURE.headTimeout, FAILURE.broken, FAILURE.tooLarge, FAILURE.local])
    assert.equal(decideRetry({ ...CLOSED, failure }), 'give-up', failure.how);
  assert.equal(decideRetry({ ...CLOSED, wasSent: false, failure: FAILURE.local }), 'give-up');
  assert.equal(decideRetry({ ...CLOSED, canReplay: false }), 'give-up');
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

test('credentials that answer a challenge go to a fresh connection of the same node, and to no other node', () => {
  const answering = { ...CLOSED, answersChallenge: true };
  assert.equal(decideRetry(answering), 'give-up');
  assert.equal(decideRetry({ ...answering, wasReused: true }), 'same-node');
  assert.equal(decideRetry({ ...answering, wasReused: true, hasTriedFresh: true }), 'give-up');
  assert.equal(decideRetry({ ...answering, wasReused: true, takesRequests: false }), 'give-up');
  assert.equal(decideRetry({ ...answering, wasReused: true, isIdempotent: false }), 'give-up');
  assert.equal(decideRetry({ ...answering, wasSent: false, failure: FAILURE.refused }), 'by-router');
});
