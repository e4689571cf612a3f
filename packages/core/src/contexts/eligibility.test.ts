import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ASK_NEW, ASK_SESSION, ineligibleReason, isEligible } from './eligibility.ts';

const CASES = [
  // tier, verdict, status, for its sessions, for new ones
  ['ready', 'forward', 'enabled', true, true],
  ['not-ready', 'forward', 'enabled', true, true],
  ['ready', 'forward', 'draining', true, false],
  ['ready', 'forward', 'stopped', false, false],
  ['suspect', 'forward', 'enabled', true, true],
  [undefined, 'ask', 'enabled', false, false],
  [undefined, 'park', 'enabled', false, false],
  [undefined, 'move', 'draining', false, false],
  ['returning', 'move', 'enabled', false, true],
] as const;

void test('a session is forwarded by its verdict, new work by tier; status restricts both', () => {
  for (const [tier, verdict, status, forSession, forNew] of CASES) {
    const node = { tier, verdict };
    assert.equal(isEligible(node, { status }, ASK_SESSION), forSession, `${verdict} ${status} session`);
    assert.equal(isEligible(node, { status }, ASK_NEW), forNew, `${tier} ${status} new`);
  }
});

void test('there is a reason exactly when a node takes no new work', () => {
  for (const [tier, verdict, status, , forNew] of CASES)
    assert.equal(ineligibleReason({ tier, verdict }, { status }) === '', forNew, `${tier} ${verdict} ${status}`);
});
