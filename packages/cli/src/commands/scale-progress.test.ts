import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FailingCopy, Liveness, Status } from '@rollcall/protocol';
import { scaleProgress } from './scale-progress.ts';

const node = (status: Status = 'enabled', own: Status = 'enabled', sessions = 0, liveness: Liveness = 'up') => ({
  liveness,
  status,
  sessions,
  reported: { status: own },
});
const UP = node();
const DRAINED = node('draining', 'enabled', 21);
const STOPPED = node('stopped');
const LEAVING = node('draining', 'draining', 21);
const JOINING = node('enabled', 'enabled', 0, 'joining');
const failed = (copy: number, attempts: number): FailingCopy => ({ copy, attempts, cause: 'port is taken' });

const CASES: readonly [
  nodes: readonly ReturnType<typeof node>[],
  failing: readonly FailingCopy[],
  count: number,
  line: string,
  end: 'done' | 'hopeless' | 'continues',
][] = [
  [[UP, UP], [], 2, '2 of 2 up', 'done'],
  [[UP, JOINING], [], 2, '1 of 2 up', 'continues'],
  [[UP, DRAINED], [], 2, '1 of 2 up, 1 drained by an operator (counted)', 'done'],
  [[UP, STOPPED], [], 2, '1 of 2 up, 1 drained by an operator (counted)', 'done'],
  [[UP, LEAVING], [], 1, '1 of 1 up, 1 leaving with 21 sessions', 'continues'],
  [
    [UP, DRAINED, LEAVING],
    [],
    2,
    '1 of 2 up, 1 drained by an operator (counted), 1 leaving with 21 sessions',
    'continues',
  ],
  [[UP], [failed(2, 2)], 2, '1 of 2 up, 1 failing: copy 2: port is taken', 'continues'],
  [[UP], [failed(2, 3)], 2, '1 of 2 up, 1 failing: copy 2: port is taken', 'hopeless'],
  [[UP], [failed(2, 3)], 3, '1 of 3 up, 1 failing: copy 2: port is taken', 'continues'],
  [[UP], [failed(2, 3), failed(3, 2)], 3, '1 of 3 up, 2 failing: copies 2, 3: port is taken', 'continues'],
  [
    [DRAINED],
    [failed(2, 9)],
    2,
    '0 of 2 up, 1 drained by an operator (counted), 1 failing: copy 2: port is taken',
    'hopeless',
  ],
  // A copy that ends again and again is up at this moment.
  [[UP, UP], [failed(2, 9)], 2, '2 of 2 up, 1 failing: copy 2: port is taken', 'done'],
];

for (const [nodes, failing, count, line, end] of CASES)
  test(`${line}: ${end}`, () => {
    const progress = scaleProgress(nodes, { failing }, count);
    assert.equal(progress.line, line);
    assert.deepEqual([progress.isDone, progress.isHopeless], [end === 'done', end === 'hopeless']);
  });
