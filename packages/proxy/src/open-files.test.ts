import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileShares } from './open-files.ts';

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max processes             95807                95807                processes
Max open files            1024                 524288               files
`;

test('clients, idle connections and probes have shares of the open files', () => {
  assert.deepEqual(fileShares(LIMITS), { clients: 512, idle: 128, probes: 64 });
  assert.deepEqual(fileShares(LIMITS.replace('1024', '100')), { clients: 1, idle: 1, probes: 1 });
});

test('without a number the limit is unknown', () => {
  assert.equal(fileShares('Max open files unlimited unlimited files'), undefined);
  assert.equal(fileShares(''), undefined);
});
