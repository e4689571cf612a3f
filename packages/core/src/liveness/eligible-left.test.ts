/** Which changes leave a context without enough eligible nodes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeId } from '@rollcall/protocol';
import { breaksBudget, eligibleCounts } from './eligible-left.ts';
import type { NodeFacts } from './unserved.ts';

type State = Partial<Pick<NodeFacts, 'liveness' | 'status' | 'port' | 'isStandby'>>;

const UP: State = {};
const DRAINED: State = { status: 'draining' };
const STOPPED: State = { status: 'stopped' };
const CRASHED: State = { liveness: 'suspect', port: 'refused' };
const SILENT: State = { liveness: 'suspect', port: 'answers' };
const STARTING: State = { liveness: 'joining' };
const GONE: State = { liveness: 'gone' };
const STANDBY: State = { isStandby: true };

/** Nodes n0, n1 …; the indexes of the lost ones; the minimum. */
const CASES: readonly [
  what: string,
  states: readonly State[],
  lost: readonly number[],
  minimum: number,
  isTooFew: boolean,
][] = [
  ['the only node', [UP], [0], 1, true],
  ['one of two', [UP, UP], [0], 1, false],
  ['both of two', [UP, UP], [0, 1], 1, true],
  ['the last enabled one beside a drained one', [UP, DRAINED], [0], 1, true],
  ['the last enabled one beside a stopped one', [UP, STOPPED], [0], 1, true],
  ['the last reachable one beside a crashed one', [UP, CRASHED], [0], 1, true],
  ['the last one that is up beside a starting one', [UP, STARTING], [0], 1, true],
  ['the last one beside a gone one', [UP, GONE], [0], 1, true],
  ['one beside a node without heartbeats that answers', [UP, SILENT], [0], 1, false],
  ['a drained node, again', [DRAINED], [0], 1, false],
  ['a drained node beside an enabled one', [UP, DRAINED], [1], 1, false],
  ['a crashed node', [CRASHED], [0], 1, false],
  ['a node that was never reached', [STARTING], [0], 1, false],
  ['no node', [UP], [], 1, false],
  ['no node of an empty context', [], [], 1, false],
  ['one of two with a minimum of two', [UP, UP], [0], 2, true],
  ['one of three with a minimum of two', [UP, UP, UP], [0], 2, false],
  ['a drained node while there are fewer than the minimum', [UP, DRAINED], [1], 2, false],
  ['the only node with a minimum of none', [UP], [0], 0, false],
  ['an active node beside a standby node', [UP, STANDBY], [0], 1, false],
  ['one of two active nodes beside a standby node, with a minimum of two', [UP, UP, STANDBY], [0], 2, true],
  ['a standby node beside an active node, with a minimum of two', [UP, STANDBY], [1], 2, false],
  ['the last active node, whose work two standby nodes take', [UP, STANDBY, STANDBY], [0], 2, false],
];

for (const [what, states, lost, minimum, isTooFew] of CASES)
  test(`losing ${what} leaves ${isTooFew ? 'too few' : 'enough, or changes nothing'}`, () => {
    const nodes = states.map((state, i) => ({ ...UP_NODE, id: idOf(i), ...state }));
    assert.equal(breaksBudget(eligibleCounts(nodes, { lost: new Set(lost.map(idOf)) }), minimum), isTooFew);
  });

/** Nodes; indexes of new standby nodes; the minimum. */
const STANDBY_CASES: readonly [
  states: readonly State[],
  standby: readonly number[],
  minimum: number,
  breaks: boolean,
][] = [
  [[UP, UP], [0], 1, false],
  [[UP, UP], [0], 2, true],
  [[UP, UP, UP], [0], 2, false],
  [[UP], [0], 1, false],
  [[UP, DRAINED], [1], 2, false],
  [[UP, STANDBY], [1], 2, false],
];

for (const [states, standby, minimum, breaks] of STANDBY_CASES)
  test(`standby for ${standby} of ${states.length} nodes ${breaks ? 'breaks' : 'keeps'} a minimum of ${minimum}`, () => {
    const nodes = states.map((state, i) => ({ ...UP_NODE, id: idOf(i), ...state }));
    const change = { lost: new Set<NodeId>(), standby: new Set(standby.map(idOf)) };
    assert.equal(breaksBudget(eligibleCounts(nodes, change), minimum), breaks);
  });

const UP_NODE: Omit<NodeFacts, 'id'> = {
  liveness: 'up',
  status: 'enabled',
  port: 'answers',
  isConnected: true,
  hasAgent: true,
};

function idOf(index: number): NodeId {
  return `n${index}` as NodeId;
}
