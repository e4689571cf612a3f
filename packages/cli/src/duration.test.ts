import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationFrom, durationText, parseDuration } from './duration.ts';
import { CliFailure } from './exit.ts';

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

test('anything else is no duration, a number without a unit included', () => {
  for (const text of ['', 's', '5', '1.5', '00', '-5s', '5x', '5 s', '5s ', '1e3s', 'Infinity'])
    assert.equal(parseDuration(text), undefined, text);
});

test('a refusal names the option, the units and the bounds', () => {
  const refusal = 'is not a duration with a unit (ms, s, m, h, d) like 30s';
  const cases = [
    [() => durationFrom('--ready-timeout', '30'), `--ready-timeout "30" ${refusal}, from 0s to 24h`],
    [() => durationFrom('--for', '25h'), `--for "25h" ${refusal}, from 0s to 24h`],
    [() => durationFrom('--ttl', '1ms', { minMs: 1_000, maxMs: 90_000 }), `--ttl "1ms" ${refusal}, from 1s to 90s`],
  ] as const;
  for (const [run, message] of cases) assert.throws(run, new CliFailure(message, 2));
});

test('a duration is written in its largest unit', () => {
  const texts = { 0: '0s', 1: '1ms', 1500: '1500ms', 30000: '30s', 300000: '5m', 3600000: '1h', 86400000: '24h' };
  for (const [ms, text] of Object.entries(texts)) assert.equal(durationText(Number(ms)), text);
});
