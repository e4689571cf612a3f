import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@rollcall/protocol';
import { feedNode, TestCluster } from './cluster.fixture.ts';
import { CountersJournal, SessionsJournal } from './node-counters.ts';

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

void test('sessions are told once each, at most 128 KiB of them a second, and no node waits for ever', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b'), feedNode('c')]);
  for (const id of ['a', 'b', 'c'])
    for (let i = 0; i < 20_000; i++) cluster.node(id).sessions.see(`${id}${i}`, cluster.clock.nowMs());
  const journal = new SessionsJournal();
  const told = new Map<string, number>();
  for (let second = 0; second < 4; second++) {
    const nodes = journal.take(cluster.view.nodes.values(), cluster.clock.nowMs());
    const octets = encode({ type: 'sessions', nodes }).length;
    assert.ok(octets <= 16_384 * 8 + 300 * nodes.length, `${octets} octets`);
    for (const { id, seen } of nodes)
      for (const [, hashes] of seen) told.set(id, (told.get(id) ?? 0) + hashes.length / 8);
  }
  assert.deepEqual([...told.values()], [20_000, 20_000, 20_000]);
  assert.deepEqual(journal.take(cluster.view.nodes.values(), cluster.clock.nowMs()), []);
});

void test('new sessions are placed by what all workers have counted together', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a', { index: 1 }), feedNode('b', { index: 2 })]);
  const node = cluster.node('a');
  node.sessions.see('mine', 0);
  cluster.view.applyLoads([[1, -1, -1, 31]], 0);
  node.estimateSessions(0);
  assert.equal(node.live.sessions, 31);
  node.sessions.see('another of mine', 0);
  node.estimateSessions(0);
  assert.equal(node.live.sessions, 32);
  for (const id of ['a', 'b']) cluster.node(id).estimateSessions(0);
  for (let i = 0; i < 10; i++) assert.equal(cluster.request().node, 'b');
  cluster.view.applyLoads([[1, -1, -1]], 0);
  node.estimateSessions(0);
  assert.equal(node.live.sessions, 2);
});
