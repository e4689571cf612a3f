import assert from 'node:assert/strict';
import { test } from 'node:test';
import { feedNode, TestCluster } from './cluster.fixture.ts';
import { CountersJournal } from './node-counters.ts';

void test('all nodes are told first, then only those whose numbers have changed', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b')]);
  const journal = new CountersJournal();
  const take = (): string[] => journal.take(cluster.view.nodes.values(), cluster.clock.nowMs()).map(({ id }) => id);
  assert.deepEqual(take(), ['a', 'b']);
  assert.deepEqual(take(), []);
  cluster.request('rc_route=b');
  assert.deepEqual(take(), ['b']);
  cluster.router.onConnectFailure(cluster.node('a'), 'refused', cluster.clock.nowMs());
  assert.deepEqual(take(), ['a']);
  cluster.node('a').tally.bytesFromNode += 5;
  assert.deepEqual(take(), ['a']);
});
