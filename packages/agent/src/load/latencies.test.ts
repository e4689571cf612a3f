import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Latencies } from './latencies.ts';

test('before the first response there is no latency', () => {
  const latencies = new Latencies();
  assert.deepEqual([latencies.near(1), latencies.shares()], [undefined, []]);
  latencies.add(Number.NaN, 1);
  latencies.add(5, 0);
  assert.equal(latencies.near(1), undefined);
});

test('the latency is that of the responses with the nearest in-flight', () => {
  const latencies = new Latencies();
  for (let i = 0; i < 20; i += 1) {
    latencies.add(10, 1);
    latencies.add(200, 20);
  }
  assert.equal(latencies.near(1), 10);
  assert.equal(latencies.near(19), 200);
  assert.deepEqual(new Set(latencies.shares()), new Set([10]), 'twenty at once in 200 ms are 10 ms each');
});

test('a few responses that waited for an event do not change the median and the shares', () => {
  const latencies = new Latencies();
  for (let i = 0; i < 64; i += 1) latencies.add(i % 10 === 0 ? 30_000 : 10, 1);
  assert.equal(latencies.near(1), 10);
  assert.deepEqual(latencies.shares(), Array<number>(56).fill(10));
});

test('new responses replace the oldest', () => {
  const latencies = new Latencies();
  for (let i = 0; i < 64; i += 1) latencies.add(1_000, 1);
  for (let i = 0; i < 64; i += 1) latencies.add(5, 1);
  assert.deepEqual([latencies.near(1), latencies.shares().at(-1)], [5, 5]);
});
