import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CLOSE_MS, closeAtMs } from './close-time.ts';

for (const [name, span, first, last] of [
  ['a reload with a grace of 60 s', { nowMs: 0, endMs: 60_000, windowMs: 10_000 }, 47_000, 57_000],
  ['a stop within 10 s', { nowMs: 100, endMs: 10_100, windowMs: 10_000 }, 100, 7_100],
  ['a drain of 15 min', { nowMs: 0, endMs: 900_000, windowMs: 10_000 }, 887_000, 897_000],
  ['a gone node', { nowMs: 0, endMs: 1_000, windowMs: 10_000 }, 0, 500],
  ['no window', { nowMs: 0, endMs: 60_000, windowMs: 0 }, 57_000, 57_000],
  ['an end that has passed', { nowMs: 70_000, endMs: 60_000, windowMs: 10_000 }, 70_000, 70_000],
] as const)
  test(`${name}: from ${first} to ${last}`, () => {
    assert.deepEqual([closeAtMs(span, 0), closeAtMs(span, 1)], [first, last]);
  });

const span = fc.record({
  nowMs: fc.nat({ max: 1_000_000 }),
  forMs: fc.nat({ max: 1_000_000 }),
  windowMs: fc.nat({ max: 100_000 }),
});

test('each close is within the window and in time for the end, whatever the random number', () => {
  fc.assert(
    fc.property(span, fc.double({ min: 0, max: 1, noNaN: true }), ({ nowMs, forMs, windowMs }, unit) => {
      const endMs = nowMs + forMs;
      const atMs = closeAtMs({ nowMs, endMs, windowMs }, unit);
      const lastMs = closeAtMs({ nowMs, endMs, windowMs }, 1);
      assert.ok(atMs >= nowMs && atMs <= endMs);
      assert.ok(endMs - atMs >= Math.min(CLOSE_MS, forMs / 2) - 1e-6, 'time for the close itself');
      assert.ok(lastMs - atMs <= windowMs + 1e-6);
    }),
  );
});

test('closes are spread evenly: no tenth of the window has more than its part', () => {
  fc.assert(
    fc.property(span, ({ nowMs, forMs, windowMs }) => {
      const times = Array.from({ length: 100 }, (_, i) =>
        closeAtMs({ nowMs, endMs: nowMs + forMs, windowMs }, i / 100),
      );
      const [first = 0] = times;
      const width = (closeAtMs({ nowMs, endMs: nowMs + forMs, windowMs }, 1) - first) / 10;
      if (width < 1) return;
      for (let part = 0; part < 10; part++) {
        const inPart = times.filter((atMs) => atMs >= first + part * width && atMs < first + (part + 1) * width);
        assert.ok(inPart.length >= 9 && inPart.length <= 11, `${inPart.length} in part ${part}`);
      }
    }),
  );
});
