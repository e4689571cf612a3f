import assert from 'node:assert/strict';
import { test } from 'node:test';
import { command } from './testing/command.ts';
import { expectOutcomes } from './testing/outcomes.ts';

test('a flag is no value of another flag', async () => {
  for (const [verb, flag, next] of [
    ['up', '--route-cookie-secure', '--json'],
    ['up', '--tls-cert', '--json'],
    ['run', '--id', '--'],
    ['drain', '--reason', '--wait'],
    ['token create', '--role', '--json'],
  ] as const)
    await expectOutcomes(
      (words) => command(words.split(' ')),
      [
        {
          words: `${verb} ${flag} ${next}`,
          code: 2,
          err: `${flag} needs a value, and ${next} follows it; see rollcall ${verb} --help`,
        },
      ],
    );
});

test('a value with = may begin with dashes, and a negative one without', async () => {
  for (const words of ['drain n1 --deadline=--5s', 'drain n1 --deadline -1s'])
    assert.match((await command(words.split(' '))).stderr, /^rollcall: --deadline "-/);
});
