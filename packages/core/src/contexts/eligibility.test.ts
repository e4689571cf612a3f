import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ASK_NEW, ASK_SESSION, ineligibleReason, isEligible } from './eligibility.ts';

const CASES = [
  // liveness, ejected, status, for its sessions, for new ones
  ['up', false, 'enabled', true, true],
  ['up', false, 'draining', true, false],
  ['up', false, 'stopped', false, false],
  ['suspect', false, 'enabled', true, false],
  ['suspect', false, 'draining', true, false],
  ['orphaned', false, 'enabled', true, false],
  ['orphaned', false, 'stopped', false, false],
  ['up', true, 'enabled', false, false],
  ['suspect', true, 'draining', false, false],
] as const;

void test('sessions keep a draining, suspect or orphaned node; nothing keeps a stopped or ejected one', () => {
  for (const [liveness, isEjected, status, forSession, forNew] of CASES) {
    const node = { liveness, isEjected };
    assert.equal(isEligible(node, { status }, ASK_SESSION), forSession, `${liveness} ${status} session`);
    assert.equal(isEligible(node, { status }, ASK_NEW), forNew, `${liveness} ${status} new`);
  }
});

void test('there is a reason exactly when a node is not eligible', () => {
  const reasons = new Set<string>();
  for (const [liveness, isEjected, status, , forNew] of CASES) {
    const reason = ineligibleReason({ liveness, isEjected }, { status }, ASK_NEW);
    assert.equal(reason === '', forNew);
    reasons.add(reason.split(':')[0]!);
  }
  assert.deepEqual(reasons, new Set(['', 'draining', 'stopped', 'suspect', 'orphaned', 'ejected']));
});
