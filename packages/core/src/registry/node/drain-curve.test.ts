/** The estimate of the end of a drain. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DrainCurve } from './drain-curve.ts';

const MINUTE_MS = 60_000;

/** Sessions at each second of `minutes`, as a drain is judged; the estimate in minutes from the end, rounded. */
function estimate(minutes: number, sessionsAt: (minute: number) => number): number | undefined {
  const curve = new DrainCurve();
  const endMs = minutes * MINUTE_MS;
  for (let atMs = 0; atMs <= endMs; atMs += 1_000) curve.add(atMs, sessionsAt(atMs / MINUTE_MS));
  const emptyMs = curve.emptyAtMs(endMs, sessionsAt(minutes));
  return emptyMs === undefined ? undefined : Math.round((emptyMs - endMs) / MINUTE_MS);
}

/** Halved every two minutes. */
const halving = (start: number) => (minute: number) => start * 2 ** (-minute / 2);

test('sessions that halve every two minutes are gone when half a session is left', () => {
  // 1,024 become 128 after six minutes, and a half after sixteen more.
  assert.equal(estimate(6, halving(1_024)), 16);
  assert.equal(estimate(2, halving(1_024)), 20);
});

test('the estimate follows the last five minutes', () => {
  // Constant for ten minutes, then halved every two.
  const late = (minute: number) => (minute < 10 ? 1_024 : halving(1_024)(minute - 10));
  assert.equal(estimate(16, late), 16);
});

test('whole numbers of few sessions give an estimate, too', () => {
  const minutes = estimate(5, (minute) => Math.round(20 - 3 * minute));
  assert.ok(minutes !== undefined && minutes >= 5 && minutes <= 20, String(minutes));
});

/** What is known; why there is no estimate. */
const UNKNOWN: readonly [minutes: number, sessionsAt: (minute: number) => number, why: string][] = [
  [0.5, halving(1_024), 'in the first minute'],
  [6, () => 100, 'of a constant number'],
  [6, (minute) => 100 + minute, 'of a growing number'],
  [6, () => 0, 'without sessions'],
  [6, (minute) => (minute < 5.5 ? 0 : 5), 'after few samples with sessions'],
  [6, (minute) => 1e6 - minute, 'beyond a day'],
];

for (const [minutes, sessionsAt, why] of UNKNOWN)
  test(`there is no estimate ${why}`, () => {
    assert.equal(estimate(minutes, sessionsAt), undefined);
  });
