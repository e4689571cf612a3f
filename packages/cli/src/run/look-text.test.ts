import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changesOf } from './look-text.ts';
import type { Look } from './program-watch.ts';

const NAMES = { id: 'shop-1', port: 3000, readyPath: '/health', readyLateMs: 2_000, status: 200 };
const WELL: Look = { liveness: 'accepting', isLate: false, isReady: true };
const CLOSED = 'shop-1 does not accept connections on port 3000';

for (const [what, before, now, lines] of [
  ['no change', {}, {}, []],
  ['it stops accepting', {}, { liveness: 'unresponsive' }, [`${CLOSED}; no heartbeats until it does`]],
  ['it is busy', {}, { liveness: 'busy' }, [`${CLOSED} but uses CPU; heartbeats with load 1 for at most 60 s`]],
  [
    'it refuses',
    {},
    { liveness: 'refused' },
    ['shop-1 refuses connections on port 3000; no heartbeats until it accepts them'],
  ],
  ['it accepts again', { liveness: 'refused' }, {}, ['shop-1 accepts connections again']],
  [
    'its page is late',
    {},
    { isLate: true },
    ['shop-1 takes more than 2 s to answer /health; heartbeats with load 1 until it is prompt'],
  ],
  ['its page is prompt again', { isLate: true }, {}, ['shop-1 answers promptly again']],
  ['its page is late while it refuses', { liveness: 'refused' }, { liveness: 'refused', isLate: true }, []],
  [
    'it accepts again, and its page is late',
    { liveness: 'refused', isLate: true },
    { isLate: true },
    [
      'shop-1 accepts connections again',
      'shop-1 takes more than 2 s to answer /health; heartbeats with load 1 until it is prompt',
    ],
  ],
  ['it refuses while its page was late', { isLate: true }, { liveness: 'refused', isLate: true }, 1],
  ['it is ready again', { isReady: false }, {}, ['shop-1 is ready again']],
] as const)
  test(`the log after a check: ${what}`, () => {
    const found = changesOf({ ...WELL, ...before }, { ...WELL, ...now }, NAMES);
    if (typeof lines === 'number') assert.equal(found.length, lines);
    else assert.deepEqual(found, lines);
  });

for (const [status, answer] of [
  [503, 'answers 503 at /health'],
  [0, 'answers no HTTP at /health'],
  [undefined, 'answers no HTTP at /health'],
] as const)
  test(`the log names the answer ${status} that is not ready`, () => {
    assert.deepEqual(changesOf(WELL, { ...WELL, isReady: false }, { ...NAMES, status }), [
      `shop-1 ${answer}; it is not ready until the answer is below 500`,
    ]);
  });
