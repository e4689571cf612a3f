import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type EjectionState,
  isAdmitted,
  MAX_CONSECUTIVE_FAILURES,
  MAX_EJECT_MS,
  MIN_EJECT_MS,
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

void test('a refused connect ejects at once, even the last node; a connect that finds nobody only while others may serve', () => {
  assert.equal(observe(NOT_EJECTED, 'refused', 0, HELD).phase, 'ejected');
  assert.equal(observe(NOT_EJECTED, 'unreachable', 0, FREE).phase, 'ejected');
  assert.equal(observe(NOT_EJECTED, 'unreachable', 0, HELD), NOT_EJECTED);
});

void test('five failures in a row eject, with an answer between them none', () => {
  const failures: Observation[] = Array.from({ length: MAX_CONSECUTIVE_FAILURES - 1 }, () => 'failed');
  assert.equal(after(failures).phase, 'in');
  assert.equal(after([...failures, 'failed']).phase, 'ejected');
  assert.equal(after([...failures, 'answered', ...failures]).phase, 'in');
});

void test('failures eject nobody while too many are out, and eject as soon as they may', () => {
  let state = NOT_EJECTED;
  for (let i = 0; i < 20; i++) state = observe(state, 'failed', i, HELD);
  assert.equal(state.phase, 'in');
  assert.equal(observe(state, 'failed', 20, FREE).phase, 'ejected');
});

void test('clients that go away never count', () => {
  assert.equal(after(Array.from({ length: 50 }, () => 'abandoned')), NOT_EJECTED);
});

void test('a probe readmits a node that refused connections', () => {
  const state = after(['refused', 'probe-good'], 10);
  assert.equal(state.phase, 'in');
  assert.equal(state.sinceOrUntilMs, 10);
});

void test('a node whose requests failed comes back on trial: one request, and its answer decides', () => {
  const ejected = after(['failed', 'failed', 'failed', 'failed', 'failed']);
  const trial = after(['probe-good'], 1_000, ejected);
  assert.equal(trial.phase, 'trial');
  assert.equal(isAdmitted(trial), true);
  const trying = after(['sent'], 1_000, trial);
  assert.equal(isAdmitted(trying), false);
  assert.equal(after(['answered'], 1_100, trying).phase, 'in');
  assert.equal(after(['abandoned'], 1_100, trying).phase, 'trial');
  const again = after(['failed'], 1_100, trying);
  assert.equal(again.phase, 'ejected');
  assert.equal(again.sinceOrUntilMs - 1_100, 2_000);
  assert.equal(after(['refused'], 1_100, trying).cause, 'connect');
});

void test('the wait doubles from 1 s to 30 s and starts again when the node was well for 30 s', () => {
  let state = after(['refused']);
  const waits = [state.sinceOrUntilMs];
  for (let i = 0; i < 6; i++) {
    state = observe(state, 'probe-bad', 0, FREE);
    waits.push(state.sinceOrUntilMs);
  }
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  const back = after(['probe-good'], 100_000, state);
  assert.equal(
    after(['answered', 'refused'], 100_000 + MAX_EJECT_MS - 1, back).sinceOrUntilMs,
    100_000 + 2 * MAX_EJECT_MS - 1,
  );
  assert.equal(
    after(['answered', 'refused'], 100_000 + MAX_EJECT_MS, back).sinceOrUntilMs,
    100_000 + MAX_EJECT_MS + 1_000,
  );
});

void test('an outlier is ejected while others may serve, and has to answer well to return', () => {
  assert.equal(observe(NOT_EJECTED, 'outlier', 0, HELD), NOT_EJECTED);
  const trying = after(['outlier', 'probe-good', 'sent']);
  assert.equal(trying.phase, 'trying');
  const again = after(['erred'], 0, trying);
  assert.deepEqual([again.phase, again.cause, again.sinceOrUntilMs], ['ejected', 'outlier', 2 * MIN_EJECT_MS]);
  assert.equal(after(['answered'], 0, trying).phase, 'in');
});

void test('an error is an answer otherwise: it ends a row of failures and a trial after them', () => {
  assert.equal(observe(NOT_EJECTED, 'erred', 5, FREE), NOT_EJECTED);
  const trying = after(['failed', 'failed', 'failed', 'failed', 'failed', 'probe-good', 'sent']);
  assert.equal(after(['erred'], 0, trying).phase, 'in');
  assert.equal(after(['failed', 'failed', 'erred']).failures, 0);
});

void test('an ejected node stays so whatever late answers and failures say', () => {
  const ejected = after(['refused']);
  for (const observation of ['answered', 'failed', 'refused', 'unreachable', 'sent', 'abandoned'] as const)
    assert.equal(observe(ejected, observation, 1, FREE), ejected, observation);
});

void test('a bad probe ejects a node that is in, a good one leaves it alone', () => {
  assert.equal(after(['probe-bad']).phase, 'ejected');
  assert.equal(after(['probe-good']), NOT_EJECTED);
});

void test('at most half are ejected for failures, and never the last', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 10].map((known) => mayEject(0, known)),
    [false, true, false, true, true].map((_, i) => i > 0),
  );
  assert.equal(mayEject(1, 2), false);
  assert.equal(mayEject(1, 3), false);
  assert.equal(mayEject(1, 4), true);
  assert.equal(mayEject(4, 10), true);
  assert.equal(mayEject(5, 10), false);
});

void test('no sequence of observations keeps a node out for ever: good probes and answers bring it back', () => {
  const observations = fc.constantFrom<Observation>(
    'answered',
    'erred',
    'outlier',
    'failed',
    'refused',
    'unreachable',
    'sent',
    'abandoned',
    'probe-good',
    'probe-bad',
  );
  fc.assert(
    fc.property(fc.array(observations, { maxLength: 60 }), (sequence) => {
      const state = after(sequence, 50);
      assert.ok(state.sinceOrUntilMs <= 50 + MAX_EJECT_MS);
      assert.equal(after(['abandoned', 'probe-good', 'sent', 'answered'], 99, state).phase, 'in');
    }),
  );
});
