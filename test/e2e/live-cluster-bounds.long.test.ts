/** The proof of `live-cluster-low-bounds.long.test.ts` with all limits at their defaults, for five minutes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertNoneMoved, BOUNDS_VISITORS, runBounds, USERS } from '../live-cluster/bounds-run.ts';

const DURATION_MS = 300_000;

test('by default no session moves while answers at its node run into bounds', { timeout: 420_000 }, async (t) => {
  const outcome = await runBounds(t, { durationMs: DURATION_MS, limits: [] });
  assertNoneMoved(outcome);

  const { users, bounds, usersAtTarget } = outcome;
  const count = (kind: keyof typeof bounds.outcomes, result: string): number => bounds.outcomes[kind].get(result) ?? 0;
  assert.equal(users.sessions, USERS);
  assert.ok(usersAtTarget >= USERS / 3, `${usersAtTarget} users were at the node`);
  assert.ok(users.requests >= USERS * 450, `${users.requests} requests of users`);
  assert.equal(count('stream', '200 cut'), 0, 'silent event streams stay');
  assert.equal(count('stream', '200 left'), BOUNDS_VISITORS, 'until the client leaves');
  assert.ok(count('stalled', '200 cut') >= BOUNDS_VISITORS * 3, 'stalled answers were cut after a minute');
  assert.ok(count('poll', '504') >= BOUNDS_VISITORS * 7, 'long polls ended in 504 after 30 s');
  assert.ok(count('fields', '502') >= BOUNDS_VISITORS * 100, 'wide heads ended in 502');
  const uploads = [...bounds.outcomes.upload.values()].reduce((sum, number) => sum + number, 0);
  assert.ok(uploads >= BOUNDS_VISITORS * 40, `${uploads} uploads were refused`);
});
