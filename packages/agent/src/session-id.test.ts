import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sessionIdWithRoute } from './session-id.ts';

test('a session id ends with the route, for any base', () => {
  assert.equal(sessionIdWithRoute('abc', 'n1'), 'abc.n1');
  assert.equal(sessionIdWithRoute('abc.n2', 'n1'), 'abc.n2.n1');
  assert.match(sessionIdWithRoute(undefined, 'n1'), /^[A-Za-z0-9_-]{32}\.n1$/);
  assert.notEqual(sessionIdWithRoute(undefined, 'n1'), sessionIdWithRoute('', 'n1'));
});

test('a route is not appended twice', () => {
  assert.equal(sessionIdWithRoute('abc.n1', 'n1'), 'abc.n1');
});
