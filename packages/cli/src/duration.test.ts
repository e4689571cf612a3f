import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration } from './duration.ts';

test('durations are numbers with units, a plain number is seconds', () => {
  const cases = {
    '500ms': 500,
    '30s': 30_000,
    '15m': 900_000,
    '1h30m': 5_400_000,
    '2d': 172_800_000,
    '1.5s': 1_500,
    '5': 5_000,
    '0': 0,
  };
  for (const [text, ms] of Object.entries(cases)) assert.equal(parseDuration(text), ms, text);
});

test('anything else is no duration', () => {
  for (const text of ['', 's', '-5s', '5x', '5 s', '5s ', '1e3s', 'Infinity'])
    assert.equal(parseDuration(text), undefined, text);
});
