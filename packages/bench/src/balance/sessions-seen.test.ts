import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionsSeen } from './sessions-seen.ts';

test('a session counts until it was silent for as long as that takes', () => {
  const sessions = new SessionsSeen(1_000);
  sessions.see('one', 0);
  sessions.see('two', 500);
  assert.equal(sessions.count(1_000), 2);
  sessions.see('one', 1_000);
  assert.equal(sessions.count(1_600), 1);
  assert.equal(sessions.count(2_000), 1);
  assert.equal(sessions.count(2_001), 0);
});
