import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quotaLines } from './status.ts';

test('the status names the quota with the highest use and quotas that are half used, and no others', () => {
  const unused = { name: 'balancers', limit: 50, used: 0 } as const;
  const low = { name: 'nodes', limit: 1_000, used: 120, by: 'shop' } as const;
  const half = { name: 'tokenless-nodes', limit: 100, used: 50 } as const;
  const full = { name: 'balancer-hosts', limit: 4, used: 4, by: 'cart' } as const;
  assert.deepEqual(quotaLines([unused]), []);
  assert.deepEqual(quotaLines([unused, low]), ['highest use of a quota: nodes 120/1000 of shop (12 %)']);
  assert.deepEqual(quotaLines([low, half, unused, full]), [
    'highest use of a quota: balancer-hosts 4/4 of cart (100 %)',
    'quotas in use at 50 % or more: balancer-hosts 4/4 of cart (100 %), tokenless-nodes 50/100 (50 %)',
  ]);
});
