import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OperatorStatusMessage, Status } from '@rollcall/protocol';
import { isSameOperatorStatus, OPERATOR_ENABLED, strictest } from './operator-status.ts';

const message = (status: Status, reason: string): OperatorStatusMessage => ({ type: 'status', status, reason });

test('the first of the most restrictive statuses applies', () => {
  const [one, two, three] = [message('draining', 'one'), message('stopped', 'two'), message('stopped', 'three')];
  assert.deepEqual(strictest([]), OPERATOR_ENABLED);
  assert.equal(strictest([OPERATOR_ENABLED, one]), one);
  assert.equal(strictest([one, two, three]), two);
  assert.equal(strictest([one, OPERATOR_ENABLED]), one);
});

test('two statuses differ by status, reason or deadline', () => {
  const one = message('draining', 'deploy');
  assert.ok(isSameOperatorStatus(one, { ...one }));
  for (const other of [message('stopped', 'deploy'), message('draining', 'other'), { ...one, deadlineMs: 1 }])
    assert.ok(!isSameOperatorStatus(one, other));
});
