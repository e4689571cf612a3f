import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type EjectionState,
  isAdmitted,
  MAX_EJECT_MS,
  mayEject,
  NOT_EJECTED,
  type Observation,
  observe,
} from './ejection.ts';

const FREE = { mayEject: true };
const HELD = { mayEject: false };

function after(observations: readonly Observation[], nowMs = 0, state: EjectionState = NOT_EJECTED): EjectionState {
  return observations.reduce((before, observation) => observe(before, observation, nowMs, FREE), state);
}

void test('an answer of a node nothing is held against changes nothing, not even the object', () => {
  assert.equal(observe(NOT_EJECTED, 'answered', 5, FREE), NOT_EJECTED);
});

void test('failures alone eject no node: only standing out against the others does', () => {
  assert.equal(after(Array.from({ length: 50 }, () => 'failed')), NOT_EJECTED);
  assert.equal(after(Array.from({ length: 50 }, () => 'abandoned')), NOT_EJECTED);
  assert.equal(after(['outlier']).phase, 'ejected');
  assert.equal(observe(NOT_EJECTED, 'outlier', 0, HELD), NOT_EJECTED);
});

void test('an ejected node comes back on trial: one request, and its answer decides', () => {
  const ejected = after(['outlier']);
  assert.equal(after(['due'], 999, ejected), ejected);
  const trial = after(['due'], 1_000, ejected);
  assert.equal(trial.phase, 'trial');
  assert.equal(isAdmitted(trial), true);
  const trying = after(['sent'], 1_000, trial);
  assert.equal(isAdmitted(trying), false);
  assert.equal(after(['answered'], 1_100, trying).phase, 'in');
  assert.equal(after(['abandoned'], 1_100, trying).phase, 'trial');
  const again = after(['failed'], 1_100, trying);
  assert.equal(again.phase, 'ejected');
  assert.equal(again.sinceOrUntilMs - 1_100, 2_000);
});

void test('the wait doubles from 1 s to 30 s and starts again when the node was well for 30 s', () => {
  let state = after(['outlier']);
  const waits = [state.sinceOrUntilMs];
  for (let i = 0; i < 6; i++) {
    const nowMs = state.sinceOrUntilMs;
    state = after(['due', 'sent', 'failed'], nowMs, state);
    waits.push(state.sinceOrUntilMs - nowMs);
  }
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  const back = after(['due', 'sent', 'answered'], 100_000, state);
  const earlyMs = 100_000 + MAX_EJECT_MS - 1;
  assert.equal(after(['answered', 'outlier'], earlyMs, back).sinceOrUntilMs, earlyMs + 30_000);
  assert.equal(after(['answered', 'outlier'], earlyMs + 1, back).sinceOrUntilMs, earlyMs + 1 + 1_000);
});

void test('late answers and failures do not change an ejected node', () => {
  const ejected = after(['outlier']);
  for (const observation of ['answered', 'failed', 'outlier', 'sent', 'abandoned'] as const)
    assert.equal(observe(ejected, observation, 1, FREE), ejected, observation);
});

void test('at most half are ejected, and never the last', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 10].map((known) => mayEject(0, known)),
    [false, true, true, true, true],
  );
  assert.equal(mayEject(1, 2), false);
  assert.equal(mayEject(1, 3), false);
  assert.equal(mayEject(1, 4), true);
  assert.equal(mayEject(4, 10), true);
  assert.equal(mayEject(5, 10), false);
});

void test('after any sequence of observations time and one good answer bring a node back', () => {
  const observations = fc.constantFrom<Observation>('answered', 'outlier', 'failed', 'sent', 'abandoned', 'due');
  fc.assert(
    fc.property(fc.array(observations, { maxLength: 60 }), (sequence) => {
      const state = after(sequence, 50);
      assert.ok(state.sinceOrUntilMs <= 50 + MAX_EJECT_MS);
      const laterMs = 50 + MAX_EJECT_MS;
      assert.equal(after(['abandoned', 'due', 'sent', 'answered'], laterMs, state).phase, 'in');
    }),
  );
});
