import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeRow } from '@rollcall/protocol';
import { nodeList } from './node-list.ts';
import { nodeState } from './node-state.ts';
import { HOME, type Place } from './place.ts';
import { aNode, NO_RATES } from './snapshot.fixture.ts';

const rates = (requestsPerSecond: number, errorsPerSecond = 0) => ({ ...NO_RATES, requestsPerSecond, errorsPerSecond });
const idsOf = (nodes: Readonly<Record<string, NodeRow>>, place: Partial<Place>): string[] =>
  nodeList(nodes, { ...HOME, grouping: 'none', ...place }, 0).flatMap((row) => (row.type === 'node' ? [row.id] : []));

const NODES = {
  'b-10': aNode({ liveness: 'missing' }),
  'b-2': aNode({ version: '1.4', rates: rates(10, 6) }),
  'b-1': aNode({ loadFactor: 10, rates: rates(10) }),
};

test('rows are in natural order of names, or by a figure', () => {
  assert.deepEqual(idsOf(NODES, {}), ['b-1', 'b-2', 'b-10']);
  assert.deepEqual(idsOf(NODES, { sort: 'load', isDescending: true })[0], 'b-1');
  assert.deepEqual(idsOf(NODES, { sort: 'state' }), ['b-10', 'b-2', 'b-1']);
});

test('each word of a search must match: a name, a version, or the state', () => {
  assert.deepEqual(idsOf(NODES, { query: 'missing' }), ['b-10']);
  assert.deepEqual(idsOf(NODES, { query: 'failing v1.4' }), ['b-2']);
  assert.deepEqual(idsOf(NODES, { query: 'failing v1.5' }), []);
});

test('a group heading has the number of its nodes', () => {
  const [heading, ...rest] = nodeList(NODES, HOME, 0);
  assert.deepEqual(heading, { type: 'group', name: 'shop', count: 3 });
  assert.equal(rest.length, 3);
});

const STATES: readonly (readonly [string, Partial<NodeRow>])[] = [
  ['up', {}],
  ['missing', { liveness: 'missing' }],
  ['no answer', { liveness: 'suspect' }],
  ['ejected', { ejection: { reason: '60 % errors', count: 3, sinceUnixMs: 0 } }],
  ['up', { ejection: { reason: '60 % errors', count: 3, sinceUnixMs: 0, isOver: true } }],
  ['draining', { status: 'draining' }],
  ['not ready', { isNotReady: true }],
  ['standby', { isStandby: true }],
];
for (const [word, about] of STATES)
  test(`${JSON.stringify(about)} is ${word}`, () => assert.equal(nodeState(aNode(about), undefined, 0).word, word));

test('a node that is ejected again has the count and the reason beside it', () => {
  const node = aNode({ ejection: { reason: '60 % errors', count: 3, sinceUnixMs: 0 } });
  assert.equal(nodeState(node, undefined, 0).detail, '3rd time, 60 % errors');
});
