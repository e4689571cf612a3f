import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultBox, Fields } from './fields.ts';
import {
  type LimitsPatch,
  limitsFault,
  MAX_LIMIT_PATHS,
  readBalancerLimits,
  TIME_LIMIT_KEYS,
  timeLimitFault,
} from './time-limits.ts';

test('a limit is a whole number of milliseconds up to a day, or none where that is allowed', () => {
  for (const key of TIME_LIMIT_KEYS) {
    for (const value of [1, 30_000, 86_400_000]) assert.equal(timeLimitFault(key, value), undefined, `${key} ${value}`);
    for (const value of [0, -1, 1.5, 86_400_001, Number.NaN, Number.POSITIVE_INFINITY, '30s', null, undefined, {}])
      assert.match(timeLimitFault(key, value) ?? '', /must be from 1ms to 24h/, `${key} ${value}`);
    assert.equal(timeLimitFault(key, 'none') === undefined, key !== 'bodyTimeoutMs', key);
  }
  assert.match(
    timeLimitFault('bodyTimeoutMs', 'none') ?? '',
    /^body-timeout cannot be none: a client that sends nothing/,
  );
});

test('a change of limits is checked whole', () => {
  const many = (count: number): LimitsPatch => ({
    paths: Object.fromEntries(Array.from({ length: count }, (_, i) => [`/p${i}`, { upstreamIdleMs: 1 }])),
  });
  const cases: readonly (readonly [unknown, RegExp | undefined])[] = [
    [{}, undefined],
    [{ upstreamTimeoutMs: null, paths: { '/a': null, '/b/c': { tunnelIdleMs: 'none' } } }, undefined],
    [many(MAX_LIMIT_PATHS), undefined],
    [many(MAX_LIMIT_PATHS + 1), /limits for 32 paths, and these are 33/],
    [{ upstreamTimeoutMs: 0 }, /^upstream-timeout is 0 ms/],
    [{ paths: { '/a': { bodyTimeoutMs: 'none' } } }, /^\/a: body-timeout cannot be none/],
    [{ paths: { '/a/': {} } }, /"\/a\/" is not a path like \/export/],
    [{ paths: { [`/${'x'.repeat(256)}`]: {} } }, /has 257 characters, at most 256 are possible/],
    [{ paths: { '/a': { idle: 5 } } }, /^\/a: "idle" is not a limit; there are upstreamTimeoutMs/],
  ];
  for (const [patch, fault] of cases) {
    const found = limitsFault(patch as LimitsPatch);
    if (fault === undefined) assert.equal(found, undefined);
    else assert.match(found ?? '', fault);
  }
});

test('records are read with the same bounds', () => {
  const read = (value: Record<string, unknown>): unknown => {
    const fields = new Fields(value, '', new FaultBox());
    const limits = readBalancerLimits(fields);
    return fields.fault === undefined ? limits : 'refused';
  };
  const whole = { upstreamIdleMs: 'none', paths: { '/a': { bodyTimeoutMs: 5 } } };
  assert.deepEqual(read(whole), whole);
  for (const bad of [{ upstreamIdleMs: 0 }, { bodyTimeoutMs: 'none' }, { paths: { a: {} } }, { tunnelIdleMs: '1s' }])
    assert.equal(read(bad), 'refused', JSON.stringify(bad));
});
