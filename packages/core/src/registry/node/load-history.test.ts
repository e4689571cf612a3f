import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadFactor } from '@rollcall/protocol';
import { LoadHistory, NO_INITIAL_LOAD, NodeHistory } from './load-history.ts';

/** Load factors after each of the values, reported once a tick. */
function factors(values: readonly number[], initialLoad: number): (number | undefined)[] {
  const history = new LoadHistory(initialLoad);
  return values.map((value, tick) => {
    history.add(value, tick * 10_000);
    return loadFactor(history.mean, false);
  });
}

function repeated(value: number, times: number): number[] {
  return new Array<number>(times).fill(value);
}

/** The reference vectors of mod_cluster's DynamicLoadBalanceFactorProvider, decay 2 and history 9. */
const VECTORS: readonly (readonly [values: readonly number[], initialLoad: number, factors: readonly number[]])[] = [
  [repeated(0, 8), 0, [50, 75, 88, 94, 97, 99, 99, 100]],
  [repeated(0, 7), 50, [75, 88, 94, 97, 98, 99, 100]],
  [repeated(0, 5), 100, repeated(100, 5)],
  [repeated(0, 5), NO_INITIAL_LOAD, repeated(100, 5)],
  [repeated(0.5, 7), 0, [25, 38, 44, 47, 48, 49, 50]],
  [repeated(0.5, 7), 100, [75, 62, 56, 53, 52, 51, 50]],
  [repeated(1, 6), 50, [25, 12, 6, 3, 2, 1]],
  [repeated(1, 6), 100, [50, 25, 12, 6, 3, 1]],
  [
    [...repeated(0, 4), ...repeated(1, 8), ...repeated(0, 8)],
    NO_INITIAL_LOAD,
    [...repeated(100, 4), 48, 24, 12, 6, 3, 1, 1, 1, 50, 75, 88, 94, 97, 99, 99, 100],
  ],
];

for (const [values, initialLoad, expected] of VECTORS)
  void test(`mod_cluster's vector: ${values.join(' ')} from ${initialLoad}`, () => {
    assert.deepEqual(factors(values, initialLoad), expected);
  });

void test('a load that is no number is ignored; mod_cluster sends 100 then, as if the node were idle', () => {
  assert.deepEqual(factors([Number.NaN, Number.NaN], 0), [undefined, undefined], 'nothing is known');
  assert.deepEqual(factors([1, Number.NaN, 1], NO_INITIAL_LOAD), [1, 1, 1]);
});

void test('reports that come before the next tick are the newest one, not further ones', () => {
  const history = new LoadHistory();
  history.add(0, 0);
  for (let nowMs = 1_000; nowMs < 1_800; nowMs += 100) history.add(1, nowMs);
  assert.equal(Math.round(history.mean! * 1_000), 667, 'one full and one idle second');
});

void test('each metric has its history, as long as it is reported', () => {
  const history = new NodeHistory();
  history.add(0.5, { cpu: 0.5, queue: 1 }, 0);
  history.add(0.5, { cpu: 1.5 }, 1_000);
  history.add(undefined, undefined, 2_000);
  assert.equal(Math.round(history.meanOf('cpu')! * 1_000), 833);
  assert.equal(history.meanOf('queue'), undefined);
  assert.equal(history.load.mean, 0.5);
});
