import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEARD_REFUSAL_MS, sessionVerdict } from './session-rule.ts';
import { type TierFacts, tierOf } from './tier.ts';

void test('the table: up and suspect nodes by the state of their port', () => {
  const ports = ['answers', 'unknown', 'unresponsive', 'refused'] as const;
  assert.deepEqual(
    ports.map((port) => sessionVerdict(true, port, 0)),
    ['forward', 'forward', 'park', 'park'],
  );
  assert.deepEqual(
    ports.map((port) => sessionVerdict(false, port, 0)),
    ['forward', 'ask', 'park', 'move'],
  );
});

void test('sessions of an up node that refuses move after three seconds', () => {
  assert.equal(sessionVerdict(true, 'refused', HEARD_REFUSAL_MS - 1), 'park');
  assert.equal(sessionVerdict(true, 'refused', HEARD_REFUSAL_MS), 'move');
});

void test('tiers: ready, reserve, not ready, suspect but answering, refused before but answering', () => {
  const facts: TierFacts = {
    isHeard: true,
    isReady: true,
    isReserve: false,
    isReachable: true,
    isAnswering: true,
    isRefused: false,
  };
  assert.equal(tierOf(facts), 'ready');
  assert.equal(tierOf({ ...facts, isReserve: true }), 'reserve');
  assert.equal(tierOf({ ...facts, isReady: false, isReserve: true }), 'not-ready');
  assert.equal(tierOf({ ...facts, isReachable: false }), undefined);
  assert.equal(tierOf({ ...facts, isHeard: false }), 'suspect');
  assert.equal(tierOf({ ...facts, isHeard: false, isAnswering: false }), undefined);
  assert.equal(tierOf({ ...facts, isRefused: true }), 'returning');
  assert.equal(tierOf({ ...facts, isRefused: true, isAnswering: false }), undefined);
});
