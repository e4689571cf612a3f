import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeFeed } from '@rollcall/feed';
import { feedNode, TestCluster } from './cluster.fixture.ts';
import { BalancersJournal, CountersJournal, partOf, SessionsJournal } from './node-counters.ts';

void test('the first report has all nodes, later reports only nodes with changed counters', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b')]);
  const journal = new CountersJournal();
  const take = (): string[] =>
    journal.take([...cluster.view.nodes.values()], cluster.clock.nowMs(), 100).map(({ id }) => id);
  assert.deepEqual(take(), ['a', 'b']);
  assert.deepEqual(take(), []);
  cluster.request('rc_route=b');
  assert.deepEqual(take(), ['b']);
  cluster.eject('a');
  assert.deepEqual(take(), ['a']);
  cluster.node('a').counters.bytesFromNode += 5;
  assert.deepEqual(take(), ['a']);
});

void test('balancers are reported when their counters change', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a')]);
  const journal = new BalancersJournal();
  const take = (): unknown => journal.take(cluster.view.balancers);
  assert.equal((take() as unknown[]).length, 1);
  assert.deepEqual(take(), []);
  cluster.request();
  const [shop, ...others] = journal.take(cluster.view.balancers);
  assert.deepEqual([shop!.name, shop!.stickyResults, others], ['shop', [1, 0, 0, 0], []]);
  cluster.view.balancers.get(shop!.name)!.counters.unavailable++;
  assert.equal(journal.take(cluster.view.balancers)[0]?.unavailable, 1);
  assert.deepEqual(take(), []);
});

void test('with many nodes each call reports a part of them in turn, and leaving nodes at once', () => {
  const cluster = new TestCluster();
  const nodes = Array.from({ length: 300 }, (_, i) => feedNode(`n${i}`));
  cluster.fill(
    nodes.with(299, { ...nodes[299]!, contexts: [{ path: nodes[299]!.contexts[0]!.path, status: 'draining' }] }),
  );
  const journal = new CountersJournal();
  const all = [...cluster.view.nodes.values()];
  const take = (): string[] => journal.take(all, cluster.clock.nowMs(), partOf(all.length)).map(({ id }) => id);
  const calls = [take(), take(), take()];
  assert.deepEqual(calls[0]!.slice(0, 2), ['n299', 'n0']);
  assert.deepEqual(
    calls.map(({ length }) => length),
    [101, 100, 99],
  );
  assert.equal(new Set(calls.flat()).size, 300);
  cluster.node('n299').counters.requests++;
  cluster.node('n150').counters.requests++;
  assert.deepEqual(take(), ['n299']);
  assert.deepEqual(take(), ['n150']);
  assert.equal(partOf(10_000), 1_250);
});

void test('each session is sent once, at most 128 KiB a second, and each node is sent in the end', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b'), feedNode('c')]);
  for (const id of ['a', 'b', 'c'])
    for (let i = 0; i < 20_000; i++) cluster.node(id).sessions.see(`${id}${i}`, cluster.clock.nowMs());
  const journal = new SessionsJournal();
  const reported = new Map<string, number>();
  for (let second = 0; second < 4; second++) {
    const nodes = journal.take([...cluster.view.nodes.values()], cluster.clock.nowMs(), 100, 16_384);
    const octets = encodeFeed({ type: 'sessions', nodes }).length;
    assert.ok(octets <= 16_384 * 8 + 300 * nodes.length, `${octets} octets`);
    for (const { id, seen } of nodes)
      for (const [, hashes] of seen) reported.set(id, (reported.get(id) ?? 0) + hashes.length / 8);
  }
  assert.deepEqual([...reported.values()], [20_000, 20_000, 20_000]);
  assert.deepEqual(journal.take([...cluster.view.nodes.values()], cluster.clock.nowMs(), 100, 16_384), []);
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
