import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countsAgainstNode, FAILURE, failureOfError } from './failure.ts';

void test('what counts against a node: connects, and what it did before or within its answer', () => {
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

void test('errors of a connect: refusals, errors of this machine, everything else', () => {
  for (const code of ['ECONNREFUSED', 'ECONNRESET'])
    assert.equal(failureOfError(code, false, true, false), FAILURE.refused);
  for (const code of ['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'EAI_AGAIN'])
    assert.equal(failureOfError(code, false, true, false), FAILURE.local, code);
  for (const code of ['EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'ETIMEDOUT', 'EPROTO', undefined])
    assert.equal(failureOfError(code, false, true, false), FAILURE.unreachable, code);
});

void test('a connection that stood: closed without an octet is a connect failure on a fresh one only', () => {
  assert.equal(failureOfError('ECONNRESET', true, true, false), FAILURE.closedUnused);
  assert.equal(failureOfError('ECONNRESET', true, true, true), FAILURE.closed);
  assert.equal(failureOfError('ECONNRESET', true, false, false), FAILURE.closed);
});
