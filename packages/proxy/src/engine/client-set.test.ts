import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientSet } from './client-set.ts';

test('the oldest connection without a request is found after additions and removals', () => {
  const clients = new ClientSet<{ isIdle: boolean }>();
  const [first, second, third] = [{ isIdle: true }, { isIdle: true }, { isIdle: true }];
  for (const client of [first, second, third]) clients.add(client);
  clients.onFirstRequest(first);
  assert.equal(clients.oldestWithoutRequest, second);
  clients.remove(second);
  assert.equal(clients.oldestWithoutRequest, third);
  clients.onFirstRequest(third);
  assert.equal(clients.oldestWithoutRequest, undefined);
  assert.deepEqual([...clients], [first, third]);
  assert.equal(clients.size, 2);
});

test('an idle client is searched among the allowed number of oldest ones only', () => {
  const clients = new ClientSet<{ isIdle: boolean }>();
  const idle = { isIdle: true };
  for (const client of [{ isIdle: false }, { isIdle: false }, idle]) clients.add(client);
  assert.equal(clients.firstIdle(2), undefined);
  assert.equal(clients.firstIdle(3), idle);
  clients.remove(idle);
  assert.equal(clients.firstIdle(3), undefined);
});
