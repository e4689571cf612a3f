/** What `stop`, `remove`, `drain` and `scale` ask about. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeResource } from '@rollcall/protocol';
import { effectsOf } from './confirmation.ts';

const DARK = 'no node would be eligible for / of balancer shop: new visitors would get 503';

const CASES: readonly [
  sessions: readonly number[],
  more: number | undefined,
  nobodyEligible: string | undefined,
  endsSessions: boolean,
  what: string,
][] = [
  [[0], undefined, undefined, true, ''],
  [[3], undefined, undefined, false, ''],
  [[3], undefined, undefined, true, '3 sessions on n0 will fail over or be lost'],
  [[1, 2], undefined, undefined, true, '3 sessions on n0, n1 will fail over or be lost'],
  [[3], undefined, DARK, true, `3 sessions on n0 will be lost; ${DARK}`],
  [[3], undefined, DARK, false, DARK],
  [[0], undefined, DARK, true, DARK],
  [[0], 5, undefined, true, 'at least 0 sessions on n0 and 5 more will fail over or be lost'],
];

for (const [sessions, more, nobodyEligible, endsSessions, what] of CASES)
  test(`${endsSessions ? 'ending' : 'keeping'} ${sessions.join(' and ')} sessions asks: ${what || 'nothing'}`, () => {
    const nodes = sessions.map((count, i) => ({
      id: `n${i}`,
      sessions: count,
      sessionsSeenOnce: 0,
    })) as unknown as NodeResource[];
    const result = {
      nodes,
      ...(more !== undefined && { more }),
      ...(nobodyEligible !== undefined && { nobodyEligible }),
    };
    assert.equal(effectsOf(result, endsSessions), what);
  });
