import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QUOTA_DEFAULTS } from '@rollcall/protocol';
import { CliFailure } from '../exit.ts';
import { quotasFrom, quotasHelp } from './quotas.ts';

test('quotas are numbers by name; the last value counts', () => {
  assert.deepEqual(quotasFrom(['nodes=10000', 'tokenless-connections=1', 'nodes=5']), {
    nodes: 5,
    'tokenless-connections': 1,
  });
});

test('an invalid quota is a usage error with the valid form', () => {
  const refused = (text: string, why: RegExp): void => {
    assert.throws(
      () => quotasFrom([text]),
      (error) => error instanceof CliFailure && why.test(error.message),
    );
  };
  refused('nodes', /^--quota nodes: write NAME=N, like nodes=10000$/);
  refused('node=5', /^--quota: unknown quota node; did you mean "nodes"\?$/);
  refused('nodes=0', /^--quota nodes=0: 0 is not a whole number from 1 to 1000000$/);
  refused('nodes=many', /many is not a whole number/);
  refused('toString=1', /write NAME=N/);
});

test('the help names every quota with its default', () => {
  const lines = quotasHelp().split('\n').slice(1);
  assert.equal(lines.length, Object.keys(QUOTA_DEFAULTS).length);
  for (const [name, value] of Object.entries(QUOTA_DEFAULTS))
    assert.ok(
      lines.some((line) => new RegExp(`^ {2}${name} +${value} `).test(line)),
      name,
    );
});
