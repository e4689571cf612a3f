import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALGORITHMS, seededRng } from '@rollcall/core';
import type { ExplainedCandidate } from '@rollcall/feed';
import { parseContextPath, parseHostPattern } from '@rollcall/protocol';
import { feedBalancer, feedNode, goneChange, rememberedRoute, TestCluster } from '../cluster/cluster.fixture.ts';
import { FAILURE } from '../engine/failure.ts';
import { ManualDelays } from '../feed/delay.fixture.ts';
import { DecisionWatch } from './decision-watch.ts';
import { explain } from './explanation.ts';

function ask(cluster: TestCluster, cookie = '', target = '/', host = 'Site.example:8080') {
  return explain(cluster.router, { type: 'explain', host, target, cookie }, cluster.clock.nowMs());
}

void test('explain reports the source of a session, its node, and why other nodes are not eligible', () => {
  const cluster = new TestCluster();
  cluster.fill([
    feedNode('a', { hosts: ['site.example'] }),
    feedNode('b', { hosts: ['site.example'], status: 'draining' }),
    feedNode('c', { hosts: ['site.example'], standby: true }),
  ]);
  const answer = ask(cluster, 'x=secret; JSESSIONID=topsecret.b');
  assert.deepEqual(
    [answer.outcome, answer.chosen, answer.routeFrom, answer.route, answer.balancer, answer.contextHost],
    ['forward', 'b', 'cookie JSESSIONID', 'b', 'shop', 'site.example'],
  );
  assert.deepEqual(
    answer.candidates.map(({ id, isEligible }) => [id, isEligible]),
    [
      ['a', true],
      ['b', true],
      ['c', false],
    ],
  );
  assert.match(answer.candidates[2]!.reason, /standby/);
  assert.deepEqual([answer.candidates[0]!.reason, answer.candidates[1]!.reason], ['', 'it has the session']);
  assert.ok(!JSON.stringify(answer).includes('secret'));
});

void test('explain counts and places nothing', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b')]);
  const answer = ask(cluster, 'rc_route=x.unknown');
  assert.equal(answer.outcome, 'forward');
  assert.match(answer.because, /no known route.*new session, placed by session/);
  assert.ok(answer.candidates.every(({ score }) => score !== undefined));
  for (const id of ['a', 'b'])
    assert.deepEqual([cluster.node(id).live.placed, cluster.node(id).sessions.count(0)], [0, 0]);
  assert.ok(!cluster.reported.includes('unknown route'));
});

void test('explain reports the reasons for which nothing is forwarded', () => {
  const cluster = new TestCluster();
  assert.deepEqual([ask(cluster).outcome, ask(cluster).because], ['unavailable', 'no node is registered']);
  cluster.fill([feedNode('a', { paths: ['/app'] })], {
    remembered: [rememberedRoute('b', true)],
    learningMs: 10_000,
    isSettled: false,
  });
  assert.match(ask(cluster, 'rc_route=x.b', '/app').because, /expected back \(waits up to 5000 ms, then 503\)/);
  cluster.change({ type: 'settled', isSettled: true, learningMs: 0 });
  assert.equal(ask(cluster, '', '/').outcome, 'not-found');
  assert.equal(ask(cluster, '', '/app/..').outcome, 'bad-request');
  cluster.change(goneChange('a'));
  assert.equal(ask(cluster, '', '/app').outcome, 'unavailable');
});

void test('explain reports why a context has no node, and the remedy', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a')]);
  cluster.change(goneChange('a', 'refused'));
  cluster.clock.advance(40_000);
  const { outcome, because } = ask(cluster);
  assert.equal(outcome, 'unavailable');
  assert.match(because, /^no node is eligible: .*crashed.*\(a\); to do: start the programs again/);
});

void test('explain names a node whose certificate is not accepted, and the flags', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a')]);
  cluster.node('a').tlsProblem = 'DEPTH_ZERO_SELF_SIGNED_CERT';
  cluster.change({ type: 'node', node: feedNode('a', { status: 'stopped' }) });
  assert.match(
    ask(cluster).because,
    /: no TLS connection to a \(DEPTH_ZERO_SELF_SIGNED_CERT\).*--upstream-ca FILE.*--upstream-name/,
  );
  cluster.node('a').tlsProblem = undefined;
  assert.doesNotMatch(ask(cluster).because, /TLS/);
});

/** The nodes of 400 requests, half of them of sessions at a hot node; now and then `questions` are asked. */
function placements(algorithm: string, mode: 'insert' | 'none', questions: number): string[] {
  const cluster = new TestCluster();
  const nodes = ['a', 'b', 'c', 'd'].map((id, i) =>
    feedNode(id, { weight: 1 + (i % 2), ageMs: i === 0 ? 0 : 100_000 }),
  );
  cluster.fill(nodes, { balancers: [feedBalancer({ mode, movable: true }, { algorithm })] });
  cluster.node('a').live.inFlight = 60;
  const places: string[] = [];
  for (let i = 0; i < 400; i++) {
    if (i % 40 === 0) for (let n = 0; n < questions; n++) ask(cluster, n % 2 === 0 ? '' : `rc_route=x${n}.a`);
    const routed = cluster.request(i % 2 === 0 ? '' : `rc_route=s${i}.a`, '/', {
      latencyMs: 5 + (i % 7),
      loadField: 'load=0.3',
    });
    places.push(routed.node);
    cluster.clock.advance(i % 5 === 0 ? 60 : 3);
  }
  return places;
}

for (const algorithm of Object.keys(ALGORITHMS))
  for (const mode of ['insert', 'none'] as const)
    void test(`1,000 questions between placements by ${algorithm}, mode ${mode}, change no placement`, () => {
      assert.deepEqual(placements(algorithm, mode, 1_000), placements(algorithm, mode, 0));
    });

/** Nodes of different weights, loads, sessions, latencies and ages; some have failed, and some have been ejected for it. */
function randomCluster(algorithm: string, mode: 'insert' | 'none', rng: () => number): TestCluster {
  const cluster = new TestCluster();
  const ids = Array.from({ length: 2 + Math.floor(rng() * 6) }, (_, i) => `n${i}`);
  const nodes = ids.map((id) =>
    feedNode(id, { weight: 1 + Math.floor(rng() * 3), ageMs: rng() < 0.3 ? 100 : 100_000, standby: rng() < 0.1 }),
  );
  cluster.fill(nodes, { balancers: [feedBalancer({ mode }, { algorithm, sessionAlgorithm: algorithm })] });
  for (const id of ids) {
    const { live } = cluster.node(id);
    live.sessions = Math.floor(rng() * 30);
    live.inFlight = Math.floor(rng() * 9);
  }
  for (let i = 0; i < 40; i++) {
    const asked = cluster.ask(rng() < 0.5 ? '' : `rc_route=s${i}.${ids[i % ids.length]}`);
    if (asked.choice === 'forward' && asked.node === ids[0] && rng() < 0.6) cluster.fail(asked, FAILURE.headTimeout);
    else cluster.answer(asked, { latencyMs: asked.node === ids[1] ? 400 : 1 + 9 * rng() });
    cluster.clock.advance(rng() * 50);
  }
  return cluster;
}

for (const algorithm of Object.keys(ALGORITHMS))
  void test(`the printed scores of ${algorithm} always name the chosen node`, async () => {
    const rng = seededRng(5);
    let compared = 0;
    const check = (chosen: string | undefined, candidates: readonly ExplainedCandidate[]): void => {
      const scores = candidates.flatMap(({ score }) => score ?? []);
      if (scores.length < 2) return;
      compared++;
      assert.equal(candidates.find(({ id }) => id === chosen)?.score, Math.min(...scores));
    };
    for (let round = 0; round < 100; round++) {
      const cluster = randomCluster(algorithm, rng() < 0.5 ? 'insert' : 'none', rng);
      const delay = new ManualDelays();
      const watch = new DecisionWatch({ router: cluster.router, delay: delay.delay, nowUnixMs: () => 0 });
      const watched = watch.watch({ count: 5, forMs: 1_000, onlyPicks: true });
      for (let i = 0; i < 5; i++) {
        const { chosen, candidates } = ask(cluster);
        check(chosen, candidates);
        cluster.request();
        cluster.clock.advance(rng() * 30);
      }
      for (const { chosen, candidates } of (await watched).decisions) check(chosen, candidates);
    }
    assert.ok(compared > 500, `only ${compared} answers have scores`);
  });

void test('explain reports the reason of an ejection', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b'), feedNode('c')]);
  cluster.ejections.observe(cluster.node('a'), 'outlier', 0, 'it takes ten times as long');
  assert.equal(
    ask(cluster).candidates[0]?.reason,
    'ejected, because it takes ten times as long: chosen only when no ready node is eligible',
  );
});

void test('explain names a node that the algorithm would take', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b'), feedNode('c')], { balancers: [feedBalancer({ mode: 'none' })] });
  for (const id of ['a', 'c']) cluster.node(id).live.inFlight = 9;
  assert.equal(ask(cluster).chosen, 'b');
  assert.equal(cluster.ask().node, 'b');
});

void test('explain and the answer name a joining node that a request waits for, unless a context is served that is as long', () => {
  const waits = 'context /shop of balancer shop waits for node j, which is joining';
  for (const [what, nodes, target, because, status, detail] of [
    ['no node', [], '/shop', `no node is registered; ${waits}`, 503, waits],
    ['another context', ['/x'], '/shop/cart', `no context matches host and path; ${waits}`, 404, waits],
    ['an enclosing context', ['/'], '/shop', `new session, placed by session; ${waits}`, 200, ''],
    ['the same context', ['/shop'], '/shop', 'new session, placed by session', 200, ''],
    ['the context of another request', ['/x'], '/y', 'no context matches host and path', 404, 'no context matches'],
  ] as const) {
    const cluster = new TestCluster();
    cluster.fill(nodes.map((path) => feedNode('a', { paths: [path] })));
    const path = parseContextPath('/shop')!;
    cluster.change({ type: 'joining', contexts: [{ host: parseHostPattern('*')!, path, message: waits }] });
    assert.equal(ask(cluster, '', target).because, because, what);
    const head = { method: 'GET', host: 'site.example', target, cookie: '' };
    const { decision } = cluster.ask('', target);
    const answer = { status, head, limit: undefined, nowMs: cluster.clock.nowMs() };
    assert.ok(cluster.router.operatorDetail(decision, answer).startsWith(detail), what);
  }
});

void test('a joining node is named before the end of the earlier nodes of its context', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a', { paths: ['/shop'] })]);
  cluster.change(goneChange('a', 'removed'));
  const path = parseContextPath('/shop')!;
  assert.match(ask(cluster, '', '/shop').because, /removed/);
  cluster.change({ type: 'joining', contexts: [{ host: parseHostPattern('*')!, path, message: 'node j is joining' }] });
  assert.equal(ask(cluster, '', '/shop').because, 'node j is joining');
  cluster.change({ type: 'joining', contexts: [] });
  assert.match(ask(cluster, '', '/shop').because, /removed/);
});
