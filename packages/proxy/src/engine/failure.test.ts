import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countsAgainstNode, FAILURE, failureOfError, failureOn } from './failure.ts';

void test('failures of connects, before an answer and within it count against the node', () => {
  const counting = Object.entries(FAILURE).filter(([, failure]) => countsAgainstNode(failure));
  assert.deepEqual(counting.map(([name]) => name).sort(), [
    'broken',
    'closed',
    'closedUnused',
    'connectTimeout',
    'cut',
    'headTimeout',
    'notAllowed',
    'refused',
    'unreachable',
  ]);
});

void test('errors of a connect are refusals, errors of this machine, or unreachable addresses', () => {
  for (const code of ['ECONNREFUSED', 'ECONNRESET'])
    assert.equal(failureOfError(code, false, true, false), FAILURE.refused);
  for (const code of ['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'EAI_AGAIN'])
    assert.equal(failureOfError(code, false, true, false), FAILURE.local, code);
  for (const code of ['EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'ETIMEDOUT', 'EPROTO', undefined])
    assert.equal(failureOfError(code, false, true, false), FAILURE.unreachable, code);
});

void test('closed without an octet after the connect is a connect failure on a fresh connection only', () => {
  assert.equal(failureOfError('ECONNRESET', true, true, false), FAILURE.closedUnused);
  assert.equal(failureOfError('ECONNRESET', true, true, true), FAILURE.closed);
  assert.equal(failureOfError('ECONNRESET', true, false, false), FAILURE.closed);
});

void test('a failure on a connection keeps its kind and has the error as its cause', () => {
  const error = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', errno: -111 });
  const failure = failureOn(FAILURE.refused, false, error);
  assert.equal(failure.kind, FAILURE.refused);
  assert.deepEqual([failure.party, failure.how, failure.status], ['connect', 'connection refused', 502]);
  assert.deepEqual([failure.retry, failure.cause?.errno], ['unsent', -111]);
  assert.ok(countsAgainstNode(failure));
  for (const kind of Object.values(FAILURE)) assert.equal(failureOn(kind, true, undefined), kind, kind.how);
});
