import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '@rollcall/proxy';
import { CliFailure } from '../exit.ts';
import { limitsFrom, limitsHelp } from './limits.ts';

const limits = (...texts: readonly string[]) => limitsFrom(texts.map((text) => ({ flag: '--limit', text })));

test('counts, octets and durations', () => {
  assert.deepEqual(limits('connections=50000', 'head-size=65536', 'tunnel-idle=10m', 'body-rate=0'), {
    maxConnections: 50_000,
    maxFieldBytes: 65_536,
    tunnelIdleMs: 600_000,
    minBodyBytesPerSecond: 0,
  });
});

test('an invalid limit is an error with the valid form', () => {
  const refused = (text: string, why: RegExp): void => {
    assert.throws(
      () => limits(text),
      (error) => error instanceof CliFailure && why.test(error.message),
    );
  };
  refused('connections', /^--limit connections: write NAME=VALUE, like connections=20000$/);
  refused('conections=5', /^--limit: unknown limit conections; did you mean "connections"\?$/);
  refused('connections=many', /^--limit connections=many: many is not a number$/);
  refused('client-idle=soon', /^--limit client-idle=soon: soon is not a duration with a unit \(ms, s, m, h, d\) like/);
  refused('fields=1', /^--limit fields=1: maxFields is 1: it must be a whole number from 8 to 10000$/);
  refused('toString=1', /write NAME=VALUE/);
});

test('the help names every limit', () => {
  const named = limitsHelp()
    .split('\n')
    .filter((line) => /^ {2}[a-z]/.test(line) && !line.includes('earlier name'));
  assert.equal(named.length, Object.keys(DEFAULT_LIMITS).length);
  assert.match(limitsHelp(), /^ {2}connections +20000 /m);
  assert.match(limitsHelp(), /^ {2}tunnel-idle +60m /m);
});
