import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeKind } from '../node/node-record.ts';
import { isUnanswered, judgeSuspect, type SuspectVerdict } from './given-up.ts';
import type { PortCounts } from './port-reports.ts';

const NONE: PortCounts = { answers: 0, unknown: 0, unresponsive: 0, refused: 0, 'given-up': 0 };

type Row = readonly [
  ports: Partial<PortCounts>,
  isLeaseOver: boolean,
  areOthersLive: boolean,
  agent: SuspectVerdict,
  static_: SuspectVerdict,
];

const ROWS: readonly Row[] = [
  [{}, false, true, 'stays', 'stays'],
  [{}, true, true, 'expired', 'expired'],
  [{}, true, false, 'held', 'held'],
  [{ unknown: 2 }, true, true, 'expired', 'expired'],
  [{ unresponsive: 2 }, false, true, 'stays', 'stays'],
  [{ unresponsive: 1, 'given-up': 1 }, true, true, 'expired', 'expired'],
  [{ unresponsive: 2 }, true, false, 'held', 'held'],
  [{ refused: 1 }, false, false, 'refused', 'refused'],
  [{ refused: 1, unknown: 1, unresponsive: 1 }, true, true, 'refused', 'refused'],
  [{ refused: 1, answers: 1 }, false, true, 'stays', 'stays'],
  [{ answers: 1, unresponsive: 3 }, true, true, 'stays', 'stays'],
  [{ 'given-up': 2 }, false, true, 'stays', 'stays'],
];

function verdict(kind: NodeKind, [ports, isLeaseOver, areOthersLive]: Row, isUnheard = true): SuspectVerdict {
  return judgeSuspect({
    kind,
    isUnheard,
    ports: { ...NONE, ...ports },
    isLeaseOver,
    areOthersLive: () => areOthersLive,
  });
}

void test('a suspect node is given up by the table', () => {
  for (const row of ROWS) {
    assert.equal(verdict('agent', row), row[3], `agent ${JSON.stringify(row)}`);
    assert.equal(verdict('static', row), row[4], `static ${JSON.stringify(row)}`);
    assert.equal(verdict('lease', row), 'stays', `lease ${JSON.stringify(row)}`);
  }
});

void test('an agent with current heartbeats is never given up: its new process awaits a probe', () => {
  for (const row of ROWS) assert.equal(verdict('agent', row, false), 'stays');
});

void test('whether others are live is checked only when the lease is over', () => {
  const areOthersLive = (): boolean => assert.fail('checked');
  for (const ports of [NONE, { ...NONE, refused: 1 }])
    judgeSuspect({ kind: 'agent', isUnheard: true, ports, isLeaseOver: false, areOthersLive });
  judgeSuspect({ kind: 'agent', isUnheard: true, ports: { ...NONE, refused: 1 }, isLeaseOver: true, areOthersLive });
});

void test('a member without an agent stays up until every connected worker reports otherwise', () => {
  const rows: readonly [Partial<PortCounts>, boolean][] = [
    [{}, false],
    [{ unknown: 1 }, false],
    [{ unresponsive: 1 }, true],
    [{ refused: 1 }, true],
    [{ 'given-up': 1 }, true],
    [{ unresponsive: 1, unknown: 1 }, false],
    [{ refused: 3, answers: 1 }, false],
    [{ refused: 1, unresponsive: 1, 'given-up': 1 }, true],
  ];
  for (const [ports, isExpected] of rows)
    assert.equal(isUnanswered({ ...NONE, ...ports }), isExpected, JSON.stringify(ports));
});
