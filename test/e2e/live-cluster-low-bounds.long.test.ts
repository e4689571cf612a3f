/**
 * Sessions stay at their node while other requests at that node run into bounds of the proxy. These are silent event streams and
 * stalled answers, long polls beyond `upstream-timeout`, too many response fields, and refused uploads (413). The limits
 * are lowered, so that each bound is reached many times in a minute. `live-cluster-bounds.long.test.ts` uses the defaults.
 *
 * Environment: `ROLLCALL_UNDER_TEST`, another checkout to test; `ROLLCALL_UNDER_TEST_LIMITS`, limits for a checkout that
 * lacks one of the defaults below.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertNoneMoved, BOUNDS_VISITORS, runBounds, USERS } from '../live-cluster/bounds-run.ts';

const LIMITS = (
  process.env['ROLLCALL_UNDER_TEST_LIMITS'] ?? 'upstream-idle=2s event-stream-idle=3s upstream-timeout=5s'
).split(' ');
const DURATION_MS = 60_000;

test('no session moves while answers at its node run into bounds', { timeout: 240_000 }, async (t) => {
  const outcome = await runBounds(t, { durationMs: DURATION_MS, limits: LIMITS });
  assertNoneMoved(outcome);

  const { users, bounds, usersAtTarget } = outcome;
  const count = (kind: keyof typeof bounds.outcomes, result: string): number => bounds.outcomes[kind].get(result) ?? 0;
  assert.equal(users.sessions, USERS);
  assert.ok(usersAtTarget >= USERS / 3, `${usersAtTarget} users were at the node`);
  assert.ok(users.requests >= USERS * 90, `${users.requests} requests of users`);
  // About half of the possible number, which is the duration over the limit, for each visitor.
  assert.ok(count('stream', '200 cut') >= BOUNDS_VISITORS * 8, 'event streams were cut');
  assert.ok(count('stalled', '200 cut') >= BOUNDS_VISITORS * 12, 'stalled answers were cut');
  assert.ok(count('poll', '504') >= BOUNDS_VISITORS * 5, 'long polls ended in 504');
  assert.ok(count('fields', '502') >= BOUNDS_VISITORS * 20, 'wide heads ended in 502');
  const uploads = [...bounds.outcomes.upload.values()].reduce((sum, number) => sum + number, 0);
  assert.ok(uploads >= BOUNDS_VISITORS * 7, `${uploads} uploads were refused`);
});

test('the proof fails when an operator stops the node and its sessions move', { timeout: 240_000 }, async (t) => {
  const outcome = await runBounds(t, {
    durationMs: 20_000,
    limits: LIMITS,
    during: async (cluster, target) => {
      const stopped = await cluster.cli('stop', target.id, '--yes');
      assert.equal(stopped.code, 0, stopped.stderr);
    },
  });
  assert.throws(() => assertNoneMoved(outcome), /sessions that moved/);
  assert.ok(outcome.usersLost >= outcome.usersAtTarget, 'each user of the stopped node moved');
  assert.ok(outcome.bounds.strayed.length > 0, 'the bounds client was moved too');
});
