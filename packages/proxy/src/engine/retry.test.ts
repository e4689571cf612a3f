import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAILURE, Failure, failureOn, type Retry } from './failure.ts';
import { decideRetry, type FailedAttempt, RetryBudget, type RetryDecision } from './retry.ts';

const CLOSED: FailedAttempt = {
  failure: FAILURE.closed,
  wasReused: false,
  isIdempotent: true,
  canReplay: true,
  hasTriedFresh: false,
  takesRequests: true,
  isBound: false,
  answersChallenge: false,
  retriesLeft: 2,
};

test('an unsent request may go to any node, with any method', () => {
  const unsent = { ...CLOSED, isIdempotent: false };
  assert.equal(decideRetry({ ...unsent, failure: FAILURE.refused }), 'by-router');
  assert.equal(decideRetry({ ...unsent, failure: FAILURE.unreachable }), 'by-router');
  assert.equal(decideRetry({ ...unsent, failure: FAILURE.refused, retriesLeft: 0 }), 'give-up');
  assert.equal(decideRetry({ ...unsent, failure: FAILURE.refused, retriesLeft: 0, isBound: true }), 'by-router');
});

test('after a reused connection closed, the same node is tried once, also without retries; then another node', () => {
  assert.equal(decideRetry({ ...CLOSED, wasReused: true, retriesLeft: 0 }), 'same-node');
  assert.equal(decideRetry({ ...CLOSED, wasReused: true, hasTriedFresh: true }), 'by-router');
  assert.equal(decideRetry(CLOSED), 'by-router');
  const waits = { ...CLOSED, wasReused: true, isBound: true, takesRequests: false };
  assert.equal(decideRetry(waits), 'by-router', 'the address may belong to another program now');
});

test('a bound request that may have left goes to the router only if its connection was closed unused', () => {
  const bound = { ...CLOSED, isBound: true, retriesLeft: 0 };
  assert.equal(decideRetry({ ...bound, wasReused: true }), 'same-node');
  assert.equal(decideRetry({ ...bound, wasReused: true, hasTriedFresh: true }), 'give-up');
  assert.equal(decideRetry({ ...bound, failure: FAILURE.closedUnused }), 'by-router');
});

test('a request that has not left on an idle connection goes to a fresh one of the same node, with any method', () => {
  const failure = new Failure({ ...FAILURE.closed, retry: 'unsent' }, FAILURE.closed);
  const unsent = { ...CLOSED, failure, wasReused: true, isIdempotent: false, retriesLeft: 0 };
  assert.equal(decideRetry(unsent), 'same-node');
  assert.equal(decideRetry({ ...unsent, takesRequests: false }), 'by-router');
  assert.equal(decideRetry({ ...unsent, takesRequests: false, answersChallenge: true }), 'give-up');
  assert.equal(decideRetry({ ...unsent, canReplay: false }), 'give-up');
  assert.equal(decideRetry({ ...unsent, hasTriedFresh: true }), 'give-up');
  assert.equal(decideRetry({ ...unsent, hasTriedFresh: true, retriesLeft: 1 }), 'by-router');
});

test('a request that may have been processed is not repeated unless its method is idempotent', () => {
  for (const failure of [FAILURE.closed, FAILURE.closedUnused]) {
    assert.equal(decideRetry({ ...CLOSED, failure, isIdempotent: false }), 'give-up');
    assert.equal(decideRetry({ ...CLOSED, failure, isIdempotent: false, wasReused: true, isBound: true }), 'give-up');
  }
});

test('a request without its body is not repeated', () => {
  assert.equal(decideRetry({ ...CLOSED, canReplay: false }), 'give-up');
  assert.equal(decideRetry({ ...CLOSED, failure: FAILURE.refused, canReplay: false }), 'give-up');
});

/** Each failure: `retry` after and before the connect, then the decision for an idempotent request and for a POST. */
const TABLE: Readonly<Record<keyof typeof FAILURE, readonly [Retry, Retry, RetryDecision, RetryDecision]>> = {
  refused: ['unsent', 'unsent', 'by-router', 'by-router'],
  notAllowed: ['unsent', 'unsent', 'by-router', 'by-router'],
  connectTimeout: ['unsent', 'unsent', 'by-router', 'by-router'],
  unreachable: ['unsent', 'unsent', 'by-router', 'by-router'],
  closedUnused: ['idempotent', 'unsent', 'by-router', 'give-up'],
  closed: ['idempotent', 'unsent', 'by-router', 'give-up'],
  broken: ['never', 'never', 'give-up', 'give-up'],
  headTimeout: ['never', 'never', 'give-up', 'give-up'],
  cut: ['never', 'never', 'give-up', 'give-up'],
  idle: ['never', 'never', 'give-up', 'give-up'],
  tooLarge: ['never', 'never', 'give-up', 'give-up'],
  local: ['never', 'never', 'give-up', 'give-up'],
  client: ['never', 'never', 'give-up', 'give-up'],
  noUpgrade: ['never', 'never', 'give-up', 'give-up'],
  packetTooSmall: ['never', 'never', 'give-up', 'give-up'],
};

for (const [name, [connected, unconnected, idempotent, post]] of Object.entries(TABLE))
  test(`after the failure ${name} a request is retried as in the table`, () => {
    const failure = failureOn(FAILURE[name as keyof typeof FAILURE], true, undefined);
    assert.equal(failure.retry, connected);
    assert.equal(decideRetry({ ...CLOSED, failure }), idempotent);
    assert.equal(decideRetry({ ...CLOSED, failure, isIdempotent: false }), post);
    const unsent = failureOn(failure, false, undefined);
    assert.equal(unsent.retry, unconnected);
    const expected = unconnected === 'unsent' ? 'by-router' : 'give-up';
    assert.equal(decideRetry({ ...CLOSED, failure: unsent, isIdempotent: false }), expected);
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
  assert.equal(decideRetry({ ...answering, failure: FAILURE.refused }), 'by-router');
});
