import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sessionNumbers } from './session-numbers.ts';

const CASES: readonly {
  readonly what: string;
  readonly reported?: number;
  readonly counted: readonly [again: number, once: number];
  readonly expected: readonly [again: number, once: number];
}[] = [
  { what: 'no report: the counts of the workers', counted: [3, 17], expected: [3, 17] },
  { what: 'the node has no session left', reported: 0, counted: [3, 17], expected: [0, 0] },
  { what: 'the node counts all that the workers count', reported: 20, counted: [3, 17], expected: [3, 17] },
  { what: 'it keeps sessions for longer than the workers', reported: 20, counted: [10, 0], expected: [20, 0] },
  { what: 'it has sessions that no worker has seen', reported: 25, counted: [3, 17], expected: [8, 17] },
  { what: 'it has ended those seen once', reported: 3, counted: [3, 17], expected: [3, 0] },
  { what: 'its users have logged out', reported: 3, counted: [10, 0], expected: [3, 0] },
  { what: 'its users have logged out, the health checker has not', reported: 5, counted: [2, 5], expected: [2, 3] },
  { what: 'the workers have counted nothing yet', reported: 7, counted: [0, 0], expected: [7, 0] },
];

for (const { what, reported, counted, expected } of CASES)
  void test(`numbers of sessions: ${what}`, () => {
    const [sessions, sessionsSeenOnce] = counted;
    const numbers = sessionNumbers(reported, { sessions, sessionsSeenOnce });
    assert.deepEqual([numbers.sessions, numbers.sessionsSeenOnce], expected);
    if (reported !== undefined) assert.equal(numbers.sessions + numbers.sessionsSeenOnce, reported);
  });
