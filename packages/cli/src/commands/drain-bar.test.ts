import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DrainProgress, NodeResource } from '@rollcall/protocol';
import { barText } from './drain-bar.ts';

const NOW = 1_000_000;

function node(drain: Partial<DrainProgress>, deadlineAtUnixMs?: number): NodeResource {
  const wanted = { status: 'draining', ...(deadlineAtUnixMs !== undefined && { deadlineAtUnixMs }) };
  const progress = { sessionsLeft: 0, inFlight: 0, tunnels: 0, waitingFor: [], ...drain };
  return { wanted, reported: { status: 'enabled' }, drain: progress } as unknown as NodeResource;
}

/** The nodes, the most sessions so far, and the line. */
const CASES: readonly [nodes: readonly NodeResource[], most: number, line: string][] = [
  [[node({ sessionsLeft: 12, inFlight: 1 })], 16, '[#####---------------] 12 sessions, 1 in flight'],
  [
    [node({ sessionsLeft: 1, usedInLastMinute: 1, emptyAtUnixMs: NOW + 540_000 }, NOW + 840_000)],
    1,
    '[--------------------] 1 session, 1 used in the last minute, 0 in flight, empty in about 9m00s, at most 14m00s more',
  ],
  [
    // The estimate and the deadline of one node are unknown, so those of both are.
    [node({ sessionsLeft: 2, usedInLastMinute: 1, emptyAtUnixMs: NOW }, NOW), node({ sessionsLeft: 3, tunnels: 2 })],
    10,
    '[##########----------] 5 sessions, 2 in flight',
  ],
  [[node({ waitingFor: ['worker 1'] })], 0, '[####################] 0 sessions, 0 in flight, waiting for worker 1'],
  [[], 4, '[####################] 0 sessions, 0 used in the last minute, 0 in flight'],
];

for (const [nodes, most, line] of CASES)
  test(`${nodes.length} draining nodes: ${line}`, () => {
    assert.equal(barText(nodes, most, NOW, 200), line);
  });

test('the line is shorter than the terminal', () => {
  assert.equal(barText([node({ sessionsLeft: 3 })], 3, NOW, 30), '[--------------------] 3 sess');
});
