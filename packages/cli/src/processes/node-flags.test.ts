import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { nodeFlags } from './node-flags.ts';

test('Node takes the flags', () => {
  const words = [...nodeFlags([], 1, ''), '-p', '1 + 1'];
  assert.equal(execFileSync(process.execPath, words, { encoding: 'utf8' }).trim(), '2');
});

test('flags of the operator take precedence', () => {
  const given = '--max-semi-space-size=8';
  assert.deepEqual(nodeFlags([given], 2, ''), ['--max-semi-space-size=4', given]);
  assert.deepEqual(nodeFlags([], 2, given), []);
});

test('garbage is collected by the serving thread on one CPU only', () => {
  const isSingle = (cpus: number): boolean => nodeFlags([], cpus, '').includes('--single-threaded-gc');
  assert.deepEqual([isSingle(1), isSingle(2)], [true, false]);
});
