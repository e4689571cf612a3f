import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StickySample } from '@rollcall/feed';
import type { StickyMode } from '@rollcall/protocol';
import { cookieOf, feedBalancer, feedNode, goneChange, TestCluster } from '../cluster/cluster.fixture.ts';
import { newRoutingDecision } from '../engine/router.ts';

function clusterIn(mode: StickyMode): TestCluster {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b')], { balancers: [feedBalancer({ mode })] });
  return cluster;
}

function seen(cluster: TestCluster): StickySample {
  return [...cluster.view.balancers.values()][0]!.watch.sample();
}

/** A request whose answer sets a cookie; `NODE` in it is the route of the answering node. */
function answer(cluster: TestCluster, setCookie: string, cookie = '', target = '/'): boolean {
  const { decision, node } = cluster.ask(cookie, target);
  cluster.router.onSend(decision, 0);
  if (decision.watchesCookies) cluster.router.onSetCookie(decision, setCookie.replace('NODE', node));
  cluster.router.onResponseHead(decision, 200, 1, '', 0);
  cluster.router.onEnd(decision, 'ok', 0);
  return decision.watchesCookies;
}

void test('answers are checked in suffix and rewrite mode only', () => {
  for (const [mode, isWatched] of [
    ['suffix', true],
    ['rewrite', true],
    ['insert', false],
    ['none', false],
  ] as const)
    assert.equal(answer(clusterIn(mode), 'JSESSIONID=some-session-id'), isWatched, mode);
});

void test('ids that programs write are compared with the node that answers', () => {
  const cluster = clusterIn('suffix');
  answer(cluster, 'JSESSIONID=first-session.NODE');
  answer(cluster, 'JSESSIONID=second-session');
  answer(cluster, 'JSESSIONID=third-session.b', 'JSESSIONID=third-session.a');
  answer(cluster, 'JSESSIONID=fourth-session.b', 'JSESSIONID=fourth-session.b');
  const { routed, unrouted, strange, writes } = seen(cluster);
  assert.deepEqual(
    [routed, unrouted, strange, writes.map(({ node, route }) => `${node} ${route}`)],
    [2, 1, 1, ['a b']],
  );
});

void test('a session of suffix or rewrite mode counts from the answer that opens it, and once', () => {
  for (const [mode, field, cookie] of [
    ['suffix', 'JSESSIONID=first-session.NODE; Path=/', 'JSESSIONID=first-session.NODE'],
    ['rewrite', 'JSESSIONID=first-session; Path=/', 'JSESSIONID=first-session.NODE'],
  ] as const) {
    const cluster = new TestCluster();
    cluster.fill([feedNode('a')], { balancers: [feedBalancer({ mode })] });
    const { sessions } = cluster.node('a');
    answer(cluster, field);
    assert.equal(sessions.count(0), 1, mode);
    assert.equal(sessions.once(0), 1, mode);
    answer(cluster, field, cookie.replace('NODE', 'a'));
    assert.deepEqual([sessions.again(0), sessions.once(0)], [1, 0], mode);
    answer(cluster, 'JSESSIONID=other-session.unknown', '');
    assert.equal(sessions.count(0), mode === 'suffix' ? 1 : 2, mode);
    assert.deepEqual([seen(cluster).returned, seen(cluster).refused], [0, 0]);
  }
});

void test('sessions in links are counted in requests, each once', () => {
  const cluster = clusterIn('suffix');
  for (let i = 0; i < 3; i++) {
    cluster.request('', '/?_s=a-session-of-seaside');
    cluster.request('', '/?_s=another-session.a');
    cluster.request('', '/shop;jsessionid=a-third-session.b');
    cluster.request('JSESSIONID=a-session-in-a-cookie.b');
  }
  const { routed, unrouted, name } = seen(cluster);
  assert.deepEqual([routed, unrouted, name], [2, 1, '_s']);
});

void test('a client that received the route cookie returns it with its next request, or is counted once per connection', () => {
  const cluster = clusterIn('insert');
  const good = newRoutingDecision();
  const bad = newRoutingDecision();
  const run = (decision: typeof good, cookie: string): string => {
    const routed = cluster.ask(cookie, '/', { decision });
    cluster.router.onSend(decision, 0);
    cluster.router.onResponseHead(decision, 200, 1, '', 0);
    cluster.router.onEnd(decision, 'ok', 0);
    return cookieOf(routed.setCookie);
  };
  const cookie = run(good, '');
  for (let i = 0; i < 3; i++) run(good, cookie);
  for (let i = 0; i < 5; i++) run(bad, '');
  // The cookie of an unknown route was sent back.
  const lost = newRoutingDecision();
  run(lost, '');
  run(lost, 'rc_route=abcdefghijklmnop.unknown');
  const { returned, refused } = seen(cluster);
  assert.deepEqual([returned, refused], [1, 1]);
});

void test('a node that has restarted begins a new window', () => {
  const cluster = clusterIn('suffix');
  answer(cluster, 'JSESSIONID=first-session');
  assert.equal(seen(cluster).unrouted, 1);
  cluster.change({ type: 'node', node: feedNode('a', { incarnation: 2 }) });
  assert.equal(seen(cluster).unrouted, 0);
  answer(cluster, 'JSESSIONID=second-session');
  cluster.change(goneChange('a', 'left'));
  assert.equal(seen(cluster).unrouted, 1);
  cluster.change({ type: 'node', node: feedNode('a', { incarnation: 3 }) });
  assert.equal(seen(cluster).unrouted, 0);
});
