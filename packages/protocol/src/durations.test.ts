import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ageText, compactDuration, durationText, inSeconds, parseDuration } from './durations.ts';

test('durations are numbers with units', () => {
  const cases = {
    '500ms': 500,
    '30s': 30_000,
    '15m': 900_000,
    '1h30m': 5_400_000,
    '2d': 172_800_000,
    '1.5s': 1_500,
    '0': 0,
    '0s': 0,
  };
  for (const [text, ms] of Object.entries(cases)) assert.equal(parseDuration(text), ms, text);
});

test('other texts are refused, including a number without a unit', () => {
  for (const text of ['', 's', '5', '1.5', '00', '-5s', '5x', '5 s', '5s ', '1e3s', 'Infinity'])
    assert.equal(parseDuration(text), undefined, text);
});

test('a duration is formatted in its largest unit', () => {
  const texts = { 0: '0s', 1: '1ms', 1500: '1500ms', 30000: '30s', 300000: '5m', 3600000: '1h', 86400000: '24h' };
  for (const [ms, text] of Object.entries(texts)) assert.equal(durationText(Number(ms)), text);
});

test('the text of a configured duration is never rounded', () => {
  for (const ms of [1, 999, 1_001, 1_500, 59_999, 61_000, 90_061_001, 86_400_001, 31 * 86_400_000])
    assert.equal(parseDuration(durationText(ms)), ms, durationText(ms));
});

test('a compact duration has at most two units', () => {
  const texts = { 0: '0ms', 850: '850ms', 12400: '12s', 250000: '4m10s', 7500000: '2h05m', 273600000: '3d4h' };
  for (const [ms, text] of Object.entries(texts)) assert.equal(compactDuration(Number(ms)), text);
});

test('a duration in a sentence is in seconds, with tenths below 10 s', () => {
  const texts = { '-5': '0 s', 0: '0 s', 3349: '3.3 s', 9960: '10 s', 12400: '12 s' };
  for (const [ms, text] of Object.entries(texts)) assert.equal(inSeconds(Number(ms)), text);
});

test('an age is rounded down', () => {
  const texts = { '-5': '0 s', 3999: '3 s', 119999: '119 s', 120000: '2 min', 7199000: '119 min', 7200000: '2 h' };
  for (const [ms, text] of Object.entries(texts)) assert.equal(ageText(Number(ms)), text);
});
