import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WatchSnapshot } from '@rollcall/protocol';
import { NOTHING_YET, next } from './live.ts';
import { aNode, aSnapshot } from './snapshot.fixture.ts';

test('a delta is merged into the snapshot; null removes a node; other parts keep their identity', () => {
  const snapshot = aSnapshot({ a: aNode(), b: aNode() });
  const first = next(NOTHING_YET, { type: 'snapshot', snapshot }, 5_000);
  assert.equal(first.skewMs, snapshot.atUnixMs - 5_000);
  const patch = { atUnixMs: 2, nodes: { a: { sessions: 3 }, b: null } };
  const { cluster, link } = next(first, { type: 'delta', patch }, 6_000);
  assert.deepEqual(Object.keys(cluster?.nodes ?? {}), ['a']);
  assert.equal(cluster?.nodes['a']?.sessions, 3);
  assert.equal(cluster?.verdict, snapshot.verdict);
  assert.equal(link.state, 'live');
});

test('a delta without a snapshot changes nothing', () => {
  assert.equal(next(NOTHING_YET, { type: 'delta', patch: { atUnixMs: 1 } }, 1), NOTHING_YET);
});

test('a lost coordinator keeps its last figures and their time', () => {
  const snapshot: WatchSnapshot = aSnapshot({ a: aNode() });
  const live = next(NOTHING_YET, { type: 'snapshot', snapshot }, 1_000);
  const lost = next(live, { type: 'lost', why: 'no answer' }, 9_000);
  assert.deepEqual([lost.cluster, lost.seenAtMs, lost.link], [snapshot, 1_000, { state: 'lost', why: 'no answer' }]);
  assert.equal(next(lost, { type: 'delta', patch: { atUnixMs: 3 } }, 10_000).link.state, 'live');
});
