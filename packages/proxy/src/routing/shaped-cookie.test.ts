import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routeCookieMark } from '@rollcall/core';
import { FIRST_ROUTE_COOKIE, parseBalancerName, type RouteCookie } from '@rollcall/protocol';
import { cookieOf, feedBalancer, feedNode, goneChange, type Routed, TestCluster } from '../cluster/cluster.fixture.ts';
import { newRoutingDecision } from '../engine/router.ts';
import { RequestHead } from '../http1/request-head.ts';

const MARK = routeCookieMark(parseBalancerName('shop')!);
const ID = `${MARK}0123456789abcdef`;
const NAME = 'rc_route_0123ab';
const HOUR_MS = 3_600_000;

function clusterWith(routeCookie: Partial<RouteCookie>): TestCluster {
  const cluster = new TestCluster();
  const cookie = { ...FIRST_ROUTE_COOKIE, name: NAME, earlierNames: ['rc_route'], ...routeCookie };
  cluster.fill([feedNode('a'), feedNode('b')], { balancers: [feedBalancer({ routeCookie: cookie })] });
  return cluster;
}

/** A request that the node answers with these `Set-Cookie` fields. */
function answered(cluster: TestCluster, cookie: string, fields: readonly string[]): Routed {
  const result = cluster.ask(cookie);
  cluster.router.onSend(result.decision, 0);
  for (const field of fields) if (result.decision.watchesCookies) cluster.router.onSetCookie(result.decision, field);
  cluster.router.onResponseHead(result.decision, 200, 1, '', 0);
  cluster.router.onEnd(result.decision, 'ok', 0);
  return result;
}

void test('a cookie of an earlier name keeps its session and is replaced, once', () => {
  const cluster = clusterWith({});
  const first = cluster.request(`rc_route=${ID}.b`);
  assert.deepEqual([first.node, cookieOf(first.setCookie)], ['b', `${NAME}=${ID}.b`]);
  assert.match(first.decision.removeCookie, /^rc_route=; Max-Age=0; Path=\/;/);
  for (const cookie of [`${NAME}=${ID}.b`, `${NAME}=${ID}.b; rc_route=${ID}.a`, 'rc_route=b']) {
    const next = cluster.request(cookie);
    assert.deepEqual([next.node, next.setCookie, next.decision.removeCookie], ['b', '', ''], cookie);
  }
  assert.equal(cluster.node('b').sessions.count(0), 2, 'the session, and the bare route');
});

void test('other settings are in force for the next cookie', () => {
  const cluster = clusterWith({});
  assert.match(cluster.ask().setCookie, new RegExp(`^${NAME}=.*; Path=/; HttpOnly; SameSite=Lax$`));
  const shaped = { ...FIRST_ROUTE_COOKIE, name: 'id', sameSite: 'None', secure: 'always', partitioned: true } as const;
  cluster.change({ type: 'balancer', balancer: feedBalancer({ routeCookie: shaped }) });
  assert.match(cluster.ask().setCookie, /^id=.*; Path=\/; HttpOnly; SameSite=None; Secure; Partitioned$/);
});

void test('an idle lifetime begins anew with requests, and ends without them', () => {
  const cluster = clusterWith({ lifetime: { ends: 'idle', afterMs: HOUR_MS } });
  const first = cluster.request();
  const cookie = cookieOf(first.setCookie);
  assert.match(first.setCookie, /; Max-Age=3960;/);
  cluster.clock.advance(HOUR_MS / 20);
  assert.equal(cluster.request(cookie).setCookie, '');
  cluster.clock.advance(HOUR_MS / 20);
  const renewed = cluster.request(cookie);
  assert.deepEqual([renewed.node, renewed.decision.stickyResult], [first.node, 'sticky']);
  assert.notEqual(cookieOf(renewed.setCookie), cookie);
  assert.equal(cluster.node(first.node).sessions.count(cluster.clock.nowMs()), 1, 'still one session');
  cluster.clock.advance(1.2 * HOUR_MS);
  assert.equal(cluster.request(cookieOf(renewed.setCookie)).decision.stickyResult, 'new');
});

void test('the whole life of a session ends, also when it has moved', () => {
  const cluster = clusterWith({ lifetime: { ends: 'whole', afterMs: HOUR_MS } });
  const first = cluster.request();
  cluster.clock.advance(HOUR_MS / 2);
  assert.equal(cluster.request(cookieOf(first.setCookie)).setCookie, '');
  cluster.change(goneChange(first.node));
  const moved = cluster.request(cookieOf(first.setCookie));
  assert.equal(moved.decision.stickyResult, 'moved');
  assert.match(moved.setCookie, /; Max-Age=1(?:800|79[0-9]);/);
  cluster.clock.advance(HOUR_MS / 2 + 1_000);
  assert.equal(cluster.request(cookieOf(moved.setCookie)).decision.stickyResult, 'new');
});

void test('the cookie ends with the session cookie of the application, if it is set so', () => {
  const removed = 'connect.sid=; Path=/; Max-Age=0';
  const renewed = 'connect.sid=s%3Anew; Path=/';
  const other = 'theme=; Max-Age=0';
  const kept = `${NAME}=${ID}.b`;
  for (const [cookie, fields, expected] of [
    [kept, [removed], /^rc_route_0123ab=; Max-Age=0; Path=\/;/],
    [kept, [removed, 'PHPSESSID=; Max-Age=0'], /^rc_route_0123ab=; Max-Age=0;/],
    [kept, [removed, renewed], /^$/],
    [kept, [renewed, removed], /^$/],
    [kept, [renewed], /^$/],
    [kept, [other], /^$/],
    [kept, [], /^$/],
    ['', [removed], /^$/],
    ['', [removed, 'JSESSIONID=; Max-Age=0', renewed], /^rc_route_0123ab=[^;]{18}\./],
    ['', [renewed], /^rc_route_0123ab=[^;]{18}\./],
    [`rc_route=${ID}.b`, [removed], /^rc_route_0123ab=; Max-Age=0;/],
  ] as const) {
    const result = answered(clusterWith({ lifetime: { ends: 'application' } }), cookie, fields);
    assert.match(result.decision.setCookie, expected, JSON.stringify([cookie, fields]));
    const unset = answered(clusterWith({}), cookie, fields);
    assert.equal(unset.decision.watchesCookies, false);
  }
});

void test('preflights, and HEAD without cookies, open no session in any mode', () => {
  for (const [method, cookie, isPreflight, isNew] of [
    ['OPTIONS', '', true, false],
    ['OPTIONS', '', false, true],
    ['HEAD', '', false, false],
    ['HEAD', 'theme=dark', false, true],
    ['GET', '', false, true],
    ['POST', '', false, true],
  ] as const)
    for (const mode of ['insert', 'suffix', 'rewrite'] as const) {
      const cluster = new TestCluster();
      cluster.fill([feedNode('a')], { balancers: [feedBalancer({ mode })] });
      const result = cluster.answer(cluster.ask(cookie, '/', { method, isPreflight }));
      const label = `${mode} ${method} ${cookie} ${isPreflight}`;
      assert.deepEqual([result.node, result.decision.stickyResult], ['a', isNew ? 'new' : 'none'], label);
      assert.equal(result.setCookie !== '', isNew && mode === 'insert', label);
      assert.equal(cluster.node('a').counters.newSessions, isNew ? 1 : 0, label);
    }
  const cluster = clusterWith({});
  assert.equal(cluster.ask(`${NAME}=${ID}.b`, '/', { method: 'OPTIONS', isPreflight: true }).node, 'b');
});

void test('a preflight is OPTIONS with Origin and Access-Control-Request-Method', () => {
  const origin = 'Origin: https://a.example\r\n';
  const asked = 'access-control-request-METHOD: POST\r\n';
  for (const [method, fields, isPreflight] of [
    ['OPTIONS', origin + asked, true],
    ['OPTIONS', asked + origin, true],
    ['OPTIONS', origin, false],
    ['OPTIONS', asked, false],
    ['OPTIONS', '', false],
    ['POST', origin + asked, false],
  ] as const) {
    const head = new RequestHead();
    const octets = Buffer.from(`${method} / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
    assert.equal(
      head.read(octets, 0, octets.length - 4, { maxLineBytes: 999, maxFieldBytes: 999, maxFields: 9 }),
      undefined,
    );
    assert.equal(head.isPreflight, isPreflight, `${method} ${fields}`);
  }
});

void test('clients with a session of the application and no route are counted apart from clients without cookies', () => {
  const cluster = clusterWith({});
  const decision = newRoutingDecision();
  for (const cookie of [
    '',
    'connect.sid=a',
    'connect.sid=a',
    `${NAME}=${ID}.unknown; connect.sid=a`,
    `${NAME}=${ID}.a`,
  ])
    cluster.answer(cluster.ask(cookie, '/', { decision }));
  const { fresh, routeless, routelessName, refused } = [...cluster.view.balancers.values()][0]!.watch.sample();
  assert.deepEqual([fresh, routeless, routelessName, refused], [1, 2, 'connect.sid', 0]);
});
