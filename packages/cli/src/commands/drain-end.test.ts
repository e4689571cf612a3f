/** How `drain --wait` ends: with one of three words, each with its exit code. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DrainedNode, drainEndOf } from './drain-end.ts';

const drain = (
  isDone: boolean,
  sessionsLeft: number,
  inFlight = 0,
  tunnels = 0,
): NonNullable<DrainedNode['drain']> => ({
  isDone,
  sessionsLeft,
  sessionsSeenOnce: 7,
  inFlight,
  tunnels,
  sinceUnixMs: 0,
  waitingFor: [],
});

const CASES: readonly [
  what: string,
  node: Partial<DrainedNode>,
  sessionsBefore: number,
  end: readonly [word: string, exitCode: number] | undefined,
][] = [
  ['sessions are left', { drain: drain(false, 3) }, 3, undefined],
  ['a request is in flight', { drain: drain(false, 0, 1) }, 0, undefined],
  ['nothing is left', { drain: drain(true, 0) }, 1, ['empty', 0]],
  ['its deadline is over', { drain: drain(true, 25) }, 25, ['deadline over, 25 sessions left', 4]],
  ['its deadline is over with a tunnel', { drain: drain(true, 0, 0, 1) }, 0, ['deadline over, 0 sessions left', 4]],
  [
    'its deadline is over, and another coordinator has not reported',
    { drain: { ...drain(true, 0), waitingFor: ['coordinator b'] } },
    0,
    ['deadline over, 0 sessions left, and unknown at coordinator b', 4],
  ],
  ['it was killed', { liveness: 'gone', drain: drain(false, 86) }, 86, ['killed, 86 sessions lost', 1]],
  ['it was killed with one', { liveness: 'gone' }, 1, ['killed, 1 session lost', 1]],
  ['it is gone with nothing left', { liveness: 'gone' }, 0, ['empty', 0]],
  ['it was killed after its deadline', { liveness: 'gone', drain: drain(true, 5) }, 5, ['killed, 5 sessions lost', 1]],
  ['a static member is down', { liveness: 'down', drain: drain(false, 2) }, 2, ['killed, 2 sessions lost', 1]],
  ['it is suspect', { liveness: 'suspect', drain: drain(false, 2) }, 2, undefined],
  ['it is stopped', { status: 'stopped', drain: drain(true, 9) }, 9, ['stopped', 0]],
  ['it stops', { status: 'stopped', drain: drain(false, 9, 1) }, 9, undefined],
  ['it was killed while it stopped', { status: 'stopped', liveness: 'gone' }, 9, ['stopped', 0]],
];

for (const [what, node, sessionsBefore, end] of CASES)
  test(`a drain of a node of which ${what} ${end ? `ends: ${end.join(', exit ')}` : 'continues'}`, () => {
    const ended = drainEndOf({ status: 'draining', liveness: 'up', ...node }, sessionsBefore);
    assert.deepEqual(ended && [ended.word, ended.exitCode], end);
  });
