import assert from 'node:assert/strict';
import { test } from 'node:test';
import { affordableConnections } from './open-files.ts';

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max processes             95807                95807                processes
Max open files            1024                 524288               files
`;

test('two thirds of the open files are for clients', () => {
  assert.equal(affordableConnections(LIMITS), 512);
  assert.equal(affordableConnections(LIMITS.replace('1024', '100')), 1);
});

test('without a number nothing is known', () => {
  assert.equal(affordableConnections('Max open files unlimited unlimited files'), undefined);
  assert.equal(affordableConnections(''), undefined);
});
