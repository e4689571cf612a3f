import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeReport } from '@rollcall/core';
import type { FeedNode } from '@rollcall/feed';
import { parseBalancerName } from '@rollcall/protocol';
import { decodeSnapshot } from '../snapshot/snapshot-file.ts';
import {
  feedBalancer,
  feedNode,
  goneChange,
  rememberedContext,
  rememberedRoute,
  TestCluster,
} from './cluster.fixture.ts';

function ids(cluster: TestCluster): string[] {
  return [...cluster.view.nodes.keys()].sort();
}

void test('an unsettled coordinator adds and updates, and removes only nodes that it reports as gone', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b'), feedNode('c')]);
  cluster.fill([feedNode('a'), feedNode('d')], { epoch: 'e2', isSettled: false, learningMs: 10_000 });
  assert.deepEqual(ids(cluster), ['a', 'b', 'c', 'd']);
  assert.equal(cluster.ask('rc_route=x.b').node, 'b');
  cluster.change(goneChange('c'), { type: 'node', node: feedNode('b') });
  assert.deepEqual(ids(cluster), ['a', 'b', 'd']);
});

void test('nodes that an unsettled coordinator never named are removed when it has settled', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b')]);
  cluster.fill([feedNode('a')], { epoch: 'e2', isSettled: false, learningMs: 10_000 });
  cluster.change({ type: 'settled', isSettled: true, learningMs: 0 });
  assert.deepEqual(ids(cluster), ['a']);
  assert.ok(cluster.reported.includes('gone b'));
  assert.equal(cluster.ask('rc_route=x.b').decision.stickyResult, 'moved');
});

void test('a settled snapshot replaces the whole state', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b')], { remembered: [rememberedRoute('old', false)] });
  cluster.fill([feedNode('a')], { epoch: 'e2', remembered: [rememberedRoute('kept', false)] });
  assert.deepEqual(ids(cluster), ['a']);
  assert.equal(cluster.ask('rc_route=x.old').decision.stickyResult, 'new');
  assert.equal(cluster.ask('rc_route=x.kept').decision.stickyResult, 'moved');
});

const LOST = rememberedContext('/lost', 60_000);
/** How a worker receives contexts without nodes. Node a serves `/`. */
const SOURCES: Readonly<Record<string, (cluster: TestCluster) => void>> = {
  'a snapshot': (cluster) => cluster.fill([feedNode('a')], { contexts: [LOST] }),
  'a change': (cluster) => {
    cluster.fill([feedNode('a')]);
    cluster.change({ type: 'context-remembered', context: LOST });
  },
  'its own table, saved and read by the next worker': (cluster) => {
    const earlier = new TestCluster();
    earlier.fill([feedNode('a')], { contexts: [LOST] });
    const saved = { format: 1, writtenAtUnixMs: 1, epoch: 'e', revision: 1 };
    const read = decodeSnapshot(JSON.stringify({ ...saved, ...earlier.view.snapshot(earlier.clock.nowMs()) }));
    assert.ok(typeof read === 'object');
    cluster.fill(read.snapshot.nodes, { contexts: read.snapshot.contexts ?? [] });
  },
};

for (const [source, receive] of Object.entries(SOURCES))
  void test(`a context without nodes from ${source} is not served by an enclosing one, until it is forgotten`, () => {
    const cluster = new TestCluster();
    receive(cluster);
    assert.equal(cluster.ask('', '/').node, 'a');
    assert.deepEqual([cluster.ask('', '/lost').choice, cluster.ask('', '/lost').node], ['unavailable', '']);
    cluster.change({ type: 'contexts-forgotten', path: LOST.path });
    assert.equal(cluster.ask('', '/lost').node, 'a');
  });

void test('a node that was stopped begins without sessions, and one that was drained keeps them', () => {
  for (const [status, left] of [
    ['stopped', 0],
    ['draining', 1],
  ] as const) {
    const cluster = new TestCluster();
    cluster.fill([feedNode('a'), feedNode('b')]);
    cluster.node('a').sessions.see('x', cluster.clock.nowMs());
    cluster.change({ type: 'node', node: feedNode('a', { status }) });
    assert.equal(cluster.node('a').sessions.count(cluster.clock.nowMs()), 1, status);
    cluster.change({ type: 'node', node: feedNode('a') });
    assert.equal(cluster.node('a').sessions.count(cluster.clock.nowMs()), left, status);
  }
});

void test('a forgotten route is unknown', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b')]);
  cluster.change(goneChange('b'));
  assert.equal(cluster.ask('rc_route=x.b').decision.stickyResult, 'moved');
  const { balancer, route } = rememberedRoute('b', false);
  cluster.change({ type: 'forgotten', balancer, route });
  assert.equal(cluster.ask('rc_route=x.b').decision.stickyResult, 'new');
});

void test('node objects survive swaps and snapshots as long as they keep their address', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a')]);
  const a = cluster.node('a');
  a.live.inFlight = 3;
  cluster.change({ type: 'node', node: feedNode('a', { status: 'draining' }) });
  cluster.fill([feedNode('a')], { epoch: 'e2' });
  assert.equal(cluster.node('a'), a);
  assert.equal(a.live.inFlight, 3);
  a.counters.requests = 7;
  cluster.change({ type: 'node', node: feedNode('a', { port: 4_000 }) });
  assert.notEqual(cluster.node('a'), a);
  assert.equal(cluster.node('a').counters.requests, 7);
  assert.ok(cluster.reported.includes('gone a'));
  assert.equal(cluster.ask('rc_route=x.a').decision.node?.port, 4_000);
});

void test('an observation of a node changes its tier in place; a change of its registration needs another table', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b')]);
  const { table } = cluster.view;
  const ready = (): string[] => cluster.view.table.contexts[0]!.forNew.map(({ id }) => id);
  const unready = feedNode('a', { isReady: false, isConnected: false });
  cluster.change({ type: 'node', node: unready });
  assert.equal(cluster.view.table, table);
  assert.deepEqual(ready(), ['b']);
  cluster.change({ type: 'node', node: feedNode('a') });
  assert.equal(cluster.view.table, table);
  assert.deepEqual(ready(), ['b', 'a']);
  for (const other of [{ status: 'draining' }, { weight: 3 }, { route: 'other' }] as const) {
    const before = cluster.view.table;
    cluster.reported.length = 0;
    cluster.change({ type: 'node', node: feedNode('a', other) });
    assert.notEqual(cluster.view.table, before, JSON.stringify(other));
    assert.ok(cluster.reported.includes('change'), JSON.stringify(other));
  }
});

void test('a newer incarnation is another process: its ejection is reset', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b')]);
  cluster.refuse('a');
  cluster.eject('a');
  cluster.change({ type: 'node', node: feedNode('a') });
  assert.deepEqual([cluster.node('a').verdict, cluster.node('a').isEjected], ['park', true]);
  cluster.change({ type: 'node', node: feedNode('a', { incarnation: 2 }) });
  assert.deepEqual([cluster.node('a').verdict, cluster.node('a').isEjected], ['forward', false]);
  assert.equal(cluster.ask('rc_route=x.a').node, 'a');
});

void test('a new process of a node is known before the table is swapped', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a')]);
  cluster.refuse('a');
  cluster.view.applyChanges(2, [{ type: 'node', node: feedNode('a', { incarnation: 2 }) }], cluster.clock.nowMs());
  assert.equal(cluster.ask().node, 'a');
});

void test('loads reach nodes by index, and unknown numbers and indexes change nothing', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a', { index: 7, load: 0.2, sessions: 4 })]);
  const { live } = cluster.node('a');
  assert.deepEqual([live.load, live.sessions], [0.2, 4]);
  live.placed = 9;
  cluster.view.applyLoads(
    [
      [7, 0.5, -1],
      [99, 1, 1],
    ],
    cluster.clock.nowMs(),
  );
  assert.deepEqual([live.load, live.sessions, live.placed], [0.5, 4, 9]);
  cluster.view.applyLoads([[7, -1, 12]], cluster.clock.nowMs());
  assert.deepEqual([live.load, live.sessions, live.placed], [0.5, 12, 0]);
  cluster.fill([feedNode('a', { index: 1 })], { epoch: 'e2' });
  cluster.view.applyLoads([[7, 0.9, 1]], cluster.clock.nowMs());
  assert.equal(live.load, 0.5, 'indexes are of one epoch');
});

void test('a change of a node does not repeat its old load and sessions as new', () => {
  const cluster = new TestCluster();
  const { clock } = cluster;
  cluster.fill([feedNode('a', { index: 7 })]);
  cluster.view.applyLoads([[7, 0.5, 10]], clock.nowMs());
  const toldAtMs = clock.nowMs();
  const { live } = cluster.node('a');
  live.placed = 3;
  clock.advance(2_000);
  cluster.change({
    type: 'node',
    node: feedNode('a', { index: 7, weight: 2, load: 0.5, sessions: 10, loadAgeMs: 2_250 }),
  });
  assert.deepEqual([live.load, live.loadAtMs, live.sessions, live.placed], [0.5, toldAtMs, 10, 3]);
  clock.advance(1_000);
  cluster.change({ type: 'node', node: feedNode('a', { index: 7, load: 0.9, sessions: 12, loadAgeMs: 500 }) });
  assert.deepEqual([live.load, live.loadAtMs, live.sessions, live.placed], [0.9, clock.nowMs() - 500, 12, 0]);
});

void test('a report from before the start of the worker keeps its age', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a', { load: 0.5, loadAgeMs: 14_000 })]);
  assert.equal(cluster.node('a').live.loadAtMs, cluster.clock.nowMs() - 14_000);
});

void test('a node that is newer than the saved snapshot has the age that the feed reports, and joins only if that is little', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('saved')], { isSettled: false });
  cluster.clock.advance(1_000);
  const nowMs = cluster.clock.nowMs();
  cluster.fill([feedNode('saved'), feedNode('older', { ageMs: 50_000 }), feedNode('untold')]);
  cluster.change({ type: 'node', node: feedNode('joining', { ageMs: 40 }) });
  const upAtMs = ['saved', 'older', 'untold', 'joining'].map((id) => cluster.node(id).upAtMs);
  assert.deepEqual(upAtMs, [Number.NEGATIVE_INFINITY, nowMs - 50_000, nowMs, nowMs - 40]);
  cluster.change({ type: 'node', node: feedNode('older', { incarnation: 2, ageMs: 20 }) });
  assert.equal(cluster.node('older').upAtMs, nowMs - 20, 'another process');
});

void test('the algorithms of each context receive each report of a node once, with NaN for absent numbers', () => {
  const cluster = new TestCluster();
  cluster.fill([
    feedNode('a', { index: 7, paths: ['/', '/app'], hosts: ['a.test', 'b.test'] }),
    feedNode('b', { index: 8, paths: ['/other'], hosts: ['a.test'] }),
  ]);
  const heard: [string, string, NodeReport][] = [];
  for (const { attached, path } of cluster.view.table.contexts)
    attached.algorithm.onReport = ({ id }, report) => void heard.push([path, id, report]);
  cluster.view.applyLoads([[7, 0.5, -1, -1, 3, 12.5]], cluster.clock.nowMs());
  const report = { load: 0.5, sessions: Number.NaN, inFlight: 3, serviceMs: 12.5, isBesideAnswer: false };
  assert.deepEqual(heard.splice(0).sort(), [
    ['/', 'a', report],
    ['/app', 'a', report],
  ]);
  cluster.view.applyLoads([[8, -1, -1, 4]], cluster.clock.nowMs());
  assert.deepEqual(heard, [], 'sessions that the workers have counted are not a report of the node');
});

void test('the worker knows its share of the requests of each balancer, also for nodes that come later', () => {
  const cluster = new TestCluster();
  const wiki = parseBalancerName('wiki')!;
  cluster.fill([feedNode('a'), feedNode('w', { balancer: 'wiki', paths: ['/wiki'] })]);
  assert.equal(cluster.node('a').live.share, 1);
  cluster.view.applyShares([[cluster.node('a').balancer, 0.25]]);
  cluster.change({ type: 'node', node: feedNode('b') });
  cluster.view.applyShares([[wiki, 0.5]]);
  assert.deepEqual(
    ['a', 'b', 'w'].map((id) => cluster.node(id).live.share),
    [0.25, 0.25, 0.5],
  );
  cluster.view.applyShares([[cluster.node('a').balancer, 1]]);
  assert.ok(!cluster.view.isAlone, 'another worker serves the wiki as well');
  cluster.change(goneChange('w'));
  assert.ok(cluster.view.isAlone, 'the share of a balancer without nodes has no effect');
  cluster.fill([feedNode('a')], { epoch: 'e2' });
  cluster.change({ type: 'node', node: feedNode('w', { balancer: 'wiki', paths: ['/wiki'] }) });
  assert.equal(cluster.node('w').live.share, 1, 'the share of a balancer that was forgotten is forgotten');
});

void test('a route may move to another node', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a', { route: 'r1' }), feedNode('b', { route: 'r2' })]);
  cluster.change(
    { type: 'node', node: feedNode('a', { route: 'r3' }) },
    { type: 'node', node: feedNode('b', { route: 'r1' }) },
  );
  assert.equal(cluster.ask('rc_route=x.r1').node, 'b');
  assert.equal(cluster.ask('rc_route=x.r3').node, 'a');
  cluster.change(goneChange('a'));
  assert.equal(cluster.ask('rc_route=x.r1').node, 'b');
});

void test('other settings apply at once, and algorithms that are unchanged keep their state', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b')]);
  const placement = cluster.view.table.contexts[0]!.attached;
  const { algorithm } = placement;
  assert.equal(algorithm.name, 'session');
  cluster.change({ type: 'balancer', balancer: feedBalancer({ mode: 'suffix' }, { algorithm: 'round-robin' }) });
  assert.equal(placement.algorithm, algorithm);
  cluster.change({
    type: 'balancer',
    balancer: feedBalancer({ mode: 'none' }, { algorithm: 'round-robin', sessionIdleMs: 60_000 }),
  });
  assert.equal(cluster.ask('rc_route=a').setCookie, '');
  assert.equal(placement.algorithm.name, 'round-robin');
  cluster.change({ type: 'balancer', balancer: feedBalancer({ mode: 'none' }, { algorithm: 'no-such' }) });
  assert.equal(placement.algorithm.name, 'adaptive');
  cluster.change({ type: 'balancer', balancer: feedBalancer({}, { sessionAlgorithm: 'no-such' }) });
  assert.equal(placement.algorithm.name, 'session');
});

void test('a snapshot that was saved and applied again gives the same cluster', () => {
  const cluster = new TestCluster();
  const nodes = [
    feedNode('a', { group: 'eu', sessions: 3, load: 0.5, weight: 2, loadAgeMs: 400 }),
    feedNode('b', { status: 'draining', ageMs: 3_000 }),
  ];
  cluster.fill(nodes, { balancers: [feedBalancer({ mode: 'suffix' })], remembered: [rememberedRoute('old', false)] });
  const saved = cluster.view.snapshot(cluster.clock.nowMs());
  const other = new TestCluster();
  other.fill(saved.nodes, saved);
  assert.deepEqual(other.view.snapshot(other.clock.nowMs()), saved);
  assert.deepEqual(saved.nodes, nodes);
});

void test('a context whose last node is gone answers 503 and not 404', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('root', { balancer: 'root' }), feedNode('a', { paths: ['/app'] })]);
  cluster.change(goneChange('a', 'left'));
  cluster.clock.advance(60_000);
  assert.equal(cluster.ask('', '/app/x').choice, 'unavailable');
  cluster.clock.advance(600_000);
  cluster.change({ type: 'node', node: feedNode('root', { balancer: 'root', weight: 2 }) });
  assert.equal(cluster.ask('', '/app/x').node, 'root');
});

void test('remembered routes are bounded: the oldest is dropped first, a route with a node never', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a')]);
  const shop = cluster.view.balancer(cluster.node('a').balancer);
  for (let i = 0; i < 100_010; i++) shop.remember(rememberedRoute(`old${i}`, false).route, false);
  assert.equal(shop.routes.size, 100_000);
  assert.ok(shop.routes.has('a') && shop.routes.has('old100009') && !shop.routes.has('old0'));
});

/** Every field that a feed node can have, none of them at its default. */
const EVERY_FIELD: Required<FeedNode> = {
  ...(feedNode('a', {
    group: 'east',
    redirectTo: 'b',
    hosts: ['shop.example'],
    status: 'draining',
  }) as Required<FeedNode>),
  weight: 7,
  incarnation: 12,
  instance: '0123456789abcdef0123456789abcdef',
  liveness: 'suspect',
  hasAgent: true,
  isConnected: false,
  isReady: false,
  silentMs: 4_000,
  probe: 'head',
  probePath: '/alive',
  standby: true,
  flapping: true,
  keepAliveMs: 5_000,
  publicUrl: 'https://a.example',
  cores: 16,
  loadHeader: true,
  ageMs: 90_000,
  load: 0.4,
  sessions: 31,
  loadAgeMs: 2_000,
};

for (const field of Object.keys(EVERY_FIELD) as (keyof FeedNode)[])
  void test(`a saved snapshot keeps the field ${field} of a node`, () => {
    const cluster = new TestCluster();
    cluster.fill([EVERY_FIELD, feedNode('b')]);
    const { nodes } = cluster.view.snapshot(cluster.clock.nowMs());
    const saved = { format: 1, writtenAtUnixMs: 1, epoch: 'e', revision: 1, balancers: [], remembered: [], nodes };
    const read = decodeSnapshot(JSON.stringify(saved));
    assert.ok(typeof read === 'object', String(read));
    assert.deepEqual(read.snapshot.nodes.find(({ id }) => id === 'a')?.[field], EVERY_FIELD[field]);
  });

for (const { name, messages, told } of [
  { name: 'a deadline', messages: [[0, 60_000]], told: [60_000] },
  {
    name: 'a repeat, with the time that is left',
    messages: [
      [0, 60_000],
      [20_000, 40_050],
    ],
    told: [60_000],
  },
  {
    name: 'an earlier deadline',
    messages: [
      [0, 60_000],
      [20_000, 5_000],
    ],
    told: [60_000, 25_000],
  },
  {
    name: 'a withdrawn drain',
    messages: [
      [0, 60_000],
      [20_000, undefined],
    ],
    told: [60_000, Number.POSITIVE_INFINITY],
  },
  {
    name: 'a deadline that has passed',
    messages: [
      [0, 60_000],
      [61_000, 0],
      [62_000, 0],
    ],
    told: [60_000],
  },
  {
    name: 'no deadline',
    messages: [
      [0, undefined],
      [5_000, undefined],
    ],
    told: [],
  },
] as const)
  test(`the deadline of a drain is reported once: ${name}`, () => {
    const cluster = new TestCluster();
    cluster.fill([feedNode('a')]);
    const startMs = cluster.clock.nowMs();
    for (const [atMs, drainMs] of messages) {
      cluster.clock.advance(startMs + atMs - cluster.clock.nowMs());
      cluster.change({ type: 'node', node: feedNode('a', { drainMs }) });
    }
    assert.deepEqual(
      cluster.reported.filter((line) => line.startsWith('drains')),
      told.map((ms) => `drains a until ${startMs + ms}`),
    );
  });
