import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quotaText } from './quota-text.ts';

test('a refusal by a quota contains the use, the limit and the setting', () => {
  const nodes = { holder: 'token shop has', used: 1_000, limit: 1_000, what: 'nodes' };
  assert.equal(quotaText({ ...nodes, quota: 'nodes' }), 'token shop has 1,000 of 1,000 nodes (`up --quota nodes=N`)');
  assert.equal(quotaText(nodes), 'token shop has 1,000 of 1,000 nodes');
  assert.equal(
    quotaText({ ...nodes, used: 999, next: 1_002 }),
    'token shop has 999 of 1,000 nodes and would have 1,002',
  );
});
