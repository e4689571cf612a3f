import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkedLimits, DEFAULT_LIMITS } from './limits.ts';

test('the defaults are within their ranges, and changes replace them', () => {
  assert.deepEqual(checkedLimits(), DEFAULT_LIMITS);
  assert.equal(checkedLimits({ maxFields: 50 }).maxFields, 50);
});

test('a limit out of its range is named', () => {
  assert.throws(
    () => checkedLimits({ headerTimeoutMs: 0 }),
    /^RangeError: headerTimeoutMs is 0: .* from 1 to 86400000$/,
  );
  for (const value of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(() => checkedLimits({ maxConnections: value }), RangeError);
});
