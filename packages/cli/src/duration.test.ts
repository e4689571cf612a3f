import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationFrom } from './duration.ts';
import { CliFailure } from './exit.ts';

test('the error names the option, the units and the bounds', () => {
  const refusal = 'is not a duration with a unit (ms, s, m, h, d) like 30s';
  const cases = [
    [() => durationFrom('--ready-timeout', '30'), `--ready-timeout "30" ${refusal}, from 0s to 24h`],
    [() => durationFrom('--for', '-5'), `--for "-5" ${refusal}, from 0s to 24h`],
    [() => durationFrom('--for', '--5s'), `--for "--5s" ${refusal}, from 0s to 24h`],
    [() => durationFrom('--for', '25h'), '--for "25h" is too long: write a duration from 0s to 24h'],
    [() => durationFrom('--for', '-1s'), '--for "-1s" is too short: write a duration from 0s to 24h'],
    [
      () => durationFrom('--ttl', '1ms', { minMs: 1_000, maxMs: 90_000 }),
      '--ttl "1ms" is too short: write a duration from 1s to 90s',
    ],
  ] as const;
  for (const [run, message] of cases) assert.throws(run, new CliFailure(message, 2));
});
