import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CliFailure } from './exit.ts';
import { whereOf } from './where.ts';

test('a selector is a list of keys and values', () => {
  assert.deepEqual(whereOf('version=1.4.1,group=eu-1'), { version: '1.4.1', group: 'eu-1' });
  assert.deepEqual(whereOf('node=shop-*'), { node: 'shop-*' });
  assert.deepEqual(whereOf('host=a=b'), { host: 'a=b' });
});

const REFUSED: readonly [text: string, why: RegExp][] = [
  ['zone=a', /^--where there is no key zone; the keys are version, group, host, balancer, node$/],
  ['Version=1', /the keys are version, group/],
  ['version', /^--where "version": write KEY=VALUE/],
  ['version=', /write KEY=VALUE/],
  ['=1', /write KEY=VALUE/],
  ['', /write KEY=VALUE/],
  ['group=a,group=b', /^--where group is given twice$/],
  [`node=${'x'.repeat(256)}`, /has 256 characters/],
];

for (const [text, why] of REFUSED)
  test(`--where ${text.slice(0, 20)} is refused with exit code 2`, () => {
    assert.throws(
      () => whereOf(text),
      (error) => error instanceof CliFailure && error.exitCode === 2 && why.test(error.message),
    );
  });
