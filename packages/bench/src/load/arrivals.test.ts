import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Arrivals } from './arrivals.ts';

function instants(arrivals: Arrivals, count: number): number[] {
  return Array.from({ length: count }, () => {
    arrivals.advance();
    return arrivals.nextAtMs;
  });
}

test('even arrivals have equal gaps', () => {
  assert.deepEqual(instants(new Arrivals(1_000, true, 1, 100), 3), [101, 102, 103]);
});

test('random arrivals have the mean rate and exponential gaps', () => {
  const all = instants(new Arrivals(1_000, false, 7, 0), 100_000);
  assert.ok(Math.abs(all.at(-1)! - 100_000) < 1_500, `${all.at(-1)}`);
  const gaps = all.map((atMs, i) => atMs - (all[i - 1] ?? 0));
  const short = gaps.filter((gap) => gap < 0.1).length / gaps.length;
  // 1 - e^-0.1
  assert.ok(Math.abs(short - 0.095) < 0.01, `${short}`);
  assert.ok(gaps.every((gap) => gap >= 0 && Number.isFinite(gap)));
});

test('equal seeds give equal arrivals', () => {
  const [one, other] = [new Arrivals(500, false, 3, 0), new Arrivals(500, false, 3, 0)];
  assert.deepEqual(instants(one, 50), instants(other, 50));
});
