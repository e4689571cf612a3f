import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutlierWatch, type SeenAnswer } from './outliers.ts';

const GOOD: SeenAnswer = { isError: false, isBound: false, latencyMs: 10 };
const ERROR: SeenAnswer = { isError: true, isBound: false, latencyMs: 1 };
const BOUND_ERROR: SeenAnswer = { ...ERROR, isBound: true };

function see(watch: OutlierWatch<string>, node: string, answer: SeenAnswer, times: number, nowMs = 0): unknown {
  let found: unknown;
  for (let i = 0; i < times; i++) found = watch.see(node, answer, nowMs);
  return found;
}

function watchOf(others: SeenAnswer, times = 30): OutlierWatch<string> {
  const watch = new OutlierWatch<string>();
  for (const node of ['b', 'c', 'd']) see(watch, node, others, times);
  return watch;
}

void test('five errors in a row stand out where the others answer well, four do not', () => {
  const watch = watchOf(GOOD);
  assert.equal(see(watch, 'a', ERROR, 4), undefined);
  assert.equal(see(watch, 'a', ERROR, 1), 'errors');
});

void test('an answer between them begins the row anew', () => {
  const watch = watchOf(GOOD);
  see(watch, 'a', ERROR, 4);
  see(watch, 'a', GOOD, 1);
  assert.equal(see(watch, 'a', ERROR, 4), undefined);
});

void test('failures of all nodes make no node stand out', () => {
  const watch = watchOf(ERROR);
  assert.equal(see(watch, 'a', ERROR, 100), undefined);
});

void test('errors of sessions that are bound to the node need half of at least twenty answers', () => {
  const watch = watchOf(GOOD);
  assert.equal(see(watch, 'a', BOUND_ERROR, 19), undefined);
  assert.equal(see(watch, 'a', BOUND_ERROR, 1), 'errors');
  const busy = watchOf(GOOD);
  see(busy, 'a', GOOD, 60);
  assert.equal(see(busy, 'a', BOUND_ERROR, 50), undefined, 'most of its answers are good');
});

void test('one node alone never stands out', () => {
  assert.equal(see(new OutlierWatch<string>(), 'a', ERROR, 100), undefined);
});

void test('ten times the latency of the others for three seconds stands out, shorter or a bit slower does not', () => {
  const slow: SeenAnswer = { ...GOOD, latencyMs: 900 };
  const watch = watchOf({ ...GOOD, latencyMs: 50 }, 60);
  const after = (seconds: number): unknown => {
    for (const node of ['b', 'c', 'd']) see(watch, node, { ...GOOD, latencyMs: 50 }, 60, seconds * 1_000);
    return see(watch, 'a', slow, 60, seconds * 1_000);
  };
  assert.deepEqual([0, 1, 2, 3].map(after), [undefined, undefined, undefined, 'slow']);
  const milder = watchOf({ ...GOOD, latencyMs: 100 }, 60);
  for (let second = 0; second < 10; second++) assert.equal(see(milder, 'a', slow, 60, second * 1_000), undefined);
});

void test('a node that is forgotten begins anew', () => {
  const watch = watchOf(GOOD);
  see(watch, 'a', ERROR, 5);
  watch.forget('a');
  watch.forget('other');
  assert.equal(see(watch, 'a', ERROR, 4), undefined);
  assert.equal(see(watch, 'a', ERROR, 1), 'errors');
});
