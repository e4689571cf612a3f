/** The deadline in the answer to a second drain. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deadlineText } from './verbs.ts';

const NOW_MS = 100_000;
const CASES: readonly [earlierInMs: number | undefined, deadlineMs: number | undefined, text: string][] = [
  [undefined, 10_000, ''],
  [5_000, undefined, ''],
  [10_000, 10_000, ''],
  [5_000, 60_000, '; the deadline is extended to 1m from now (it was 5s)'],
  [60_000, 5_000, '; the deadline is shortened to 5s from now (it was 1m00s)'],
  [-1_000, 5_000, '; the deadline is extended to 5s from now (it was over)'],
  [Number.POSITIVE_INFINITY, 5_000, '; the deadline is shortened to 5s from now (it had none)'],
];

for (const [earlierInMs, deadlineMs, text] of CASES)
  test(`a deadline in ${earlierInMs} ms, then ${deadlineMs} ms: ${text || 'nothing'}`, () =>
    assert.equal(deadlineText(earlierInMs === undefined ? undefined : NOW_MS + earlierInMs, NOW_MS, deadlineMs), text));
