import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionRequests, InFlight } from './in-flight.ts';
import { Latencies } from './latencies.ts';

test('a request counts once for repeated calls', () => {
  const latencies = new Latencies();
  let nowMs = 5;
  const inFlight = new InFlight(() => nowMs, latencies);
  const first = inFlight.begin();
  const second = inFlight.begin();
  assert.equal(inFlight.count, 2);
  nowMs = 15;
  assert.equal(first.answered(), 10);
  nowMs = 100;
  assert.ok(Number.isNaN(first.answered()));
  assert.equal(latencies.near(1), 10);
  for (const served of [first, first, second, second]) served.end();
  assert.deepEqual([inFlight.count, inFlight.finished], [0, 2]);
  assert.equal(latencies.near(2), 10, 'a request that was never answered has no latency');
});

test('at most 64 requests between two samples are timed', () => {
  let reads = 0;
  const latencies = new Latencies();
  const inFlight = new InFlight(() => reads++, latencies);
  const reported: number[] = [];
  for (let i = 0; i < 100; i += 1) {
    const served = inFlight.begin();
    reported.push(served.answered());
    served.end();
  }
  assert.equal(reads, 128, 'two for each of 64');
  assert.deepEqual([reported[63], reported[64]], [1, Number.NaN]);
  latencies.renew();
  inFlight.begin().answered();
  assert.equal(reads, 130);
  assert.equal(inFlight.finished, 100);
});

test('the share of a request is its latency / in-flight at its arrival', () => {
  let nowMs = 0;
  const inFlight = new InFlight(() => nowMs, new Latencies());
  const [first, second] = [inFlight.begin(), inFlight.begin()];
  nowMs = 12;
  assert.deepEqual([first.answered(), second.answered()], [12, 6]);
});

test('requests end with their connection, and a later end of a request has no effect', () => {
  const inFlight = new InFlight(() => 0);
  const [one, two] = [new ConnectionRequests(inFlight), new ConnectionRequests(inFlight)];
  const first = inFlight.begin(one);
  const queued = inFlight.begin(one);
  inFlight.begin(two);
  first.end();
  assert.deepEqual([inFlight.count, inFlight.finished, inFlight.arrived], [2, 1, 3]);
  one.closed();
  assert.deepEqual([inFlight.count, inFlight.finished], [1, 2]);
  queued.end();
  one.closed();
  assert.deepEqual([inFlight.count, inFlight.finished, inFlight.arrived], [1, 2, 3]);
});
