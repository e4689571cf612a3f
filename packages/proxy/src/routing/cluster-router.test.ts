import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routeCookieMark } from '@rollcall/core';
import {
  cookieOf,
  feedBalancer,
  feedNode,
  goneChange,
  rememberedRoute,
  TestCluster,
} from '../cluster/cluster.fixture.ts';
import { FAILURE } from '../engine/failure.ts';
import { newRoutingDecision } from '../engine/router.ts';
import type { RequestState } from './request-state.ts';

/** The node of the balancer shop. */
const MARK = routeCookieMark(feedBalancer().name);

function shop(...ids: string[]): TestCluster {
  const cluster = new TestCluster();
  cluster.fill(ids.map((id) => feedNode(id)));
  return cluster;
}

void test('requests are unavailable before any node is known, and not found afterwards if no context matches', () => {
  const cluster = new TestCluster();
  assert.equal(cluster.ask().choice, 'unavailable');
  cluster.fill([feedNode('a', { paths: ['/app'] })]);
  assert.equal(cluster.ask('', '/other').choice, 'not-found');
  assert.equal(cluster.ask('', '/app/%2e%2e/other').choice, 'ambiguous');
  const { choice, decision } = cluster.ask('', '/app/x');
  assert.deepEqual([choice, decision.balancer, decision.retriesLeft], ['forward', 'shop:/app', 2]);
});

void test('insert: a new session gets our cookie, and with it comes back to its node', () => {
  const cluster = shop('a', 'b', 'c');
  for (let i = 0; i < 30; i++) {
    const first = cluster.request();
    assert.match(
      first.setCookie,
      new RegExp(`^rc_route=${MARK}session[0-9]{9}\\.${first.node}; Path=/; HttpOnly; SameSite=Lax$`),
    );
    assert.equal(first.decision.stickyResult, 'new');
    for (let again = 0; again < 3; again++) {
      const next = cluster.request(cookieOf(first.setCookie));
      assert.deepEqual([next.node, next.setCookie, next.decision.stickyResult], [first.node, '', 'sticky']);
    }
  }
});

void test('insert: the cookie is secure for clients on TLS', () => {
  assert.match(shop('a').ask('', '/', { isSecure: true }).setCookie, /; Secure$/);
});

void test('insert: new sessions are distributed evenly, and counted once per node', () => {
  const cluster = shop('a', 'b', 'c');
  for (let i = 0; i < 30; i++) cluster.request(cookieOf(cluster.request().setCookie));
  for (const id of ['a', 'b', 'c']) {
    const { counters, sessions, live } = cluster.node(id);
    assert.deepEqual(
      [counters.newSessions, counters.requests, sessions.count(cluster.clock.nowMs()), live.inFlight],
      [10, 20, 10, 0],
    );
  }
});

void test('insert: a session is seen once when an answer opens it, and again when a request sends its id', () => {
  const cluster = shop('a', 'b');
  const { sessions } = cluster.node('a');
  const seen = (): number[] => [sessions.again(cluster.clock.nowMs()), sessions.once(cluster.clock.nowMs())];
  const cookies: string[] = [];
  for (let i = 0; i < 6; i++) {
    const { node, setCookie } = cluster.request();
    if (node === 'a') cookies.push(cookieOf(setCookie));
  }
  assert.deepEqual(seen(), [0, 3]);
  cluster.request(cookies[0]);
  assert.deepEqual(seen(), [1, 2]);
  cluster.request(cookies[0]);
  assert.deepEqual(seen(), [1, 2]);
  cluster.request('rc_route=x.a');
  assert.deepEqual(seen(), [2, 2], 'a session that this worker has not opened');
});

void test('a session that fails over is seen again at its new node: its request has sent the id', () => {
  const cluster = shop('a', 'b');
  const { node: home, setCookie } = cluster.request();
  const other = home === 'a' ? 'b' : 'a';
  cluster.change(goneChange(home, 'left'));
  assert.equal(cluster.request(cookieOf(setCookie)).node, other);
  const { sessions } = cluster.node(other);
  assert.deepEqual([sessions.again(cluster.clock.nowMs()), sessions.once(cluster.clock.nowMs())], [1, 0]);
});

void test('a bare known route in our cookie and a route in an application cookie are honoured', () => {
  const cluster = shop('a', 'b');
  for (let i = 0; i < 5; i++) {
    assert.equal(cluster.ask('rc_route=b').node, 'b');
    assert.equal(cluster.ask('JSESSIONID=x.a').node, 'a');
    assert.equal(cluster.ask('', '/;jsessionid=x.b').node, 'b');
    assert.equal(cluster.ask('', '/?_s=x.a').node, 'a');
    assert.equal(cluster.ask('connect.sid=s%3Ax.b.sig%2F').node, 'b');
  }
});

void test('a session id with an unknown route is a new session, and counted as such', () => {
  const cluster = shop('a');
  const result = cluster.ask(`rc_route=${MARK}0123456789abcdef.gone`);
  assert.equal(result.decision.stickyResult, 'new');
  assert.notEqual(result.setCookie, '');
  assert.ok(!result.setCookie.includes('0123456789abcdef'));
  assert.deepEqual(cluster.reported.filter((line) => line === 'unknown route').length, 1);
});

void test('an operator can switch stickiness off: requests go by the request algorithm and get no cookie', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b')], {
    balancers: [feedBalancer({ mode: 'none' }, { algorithm: 'round-robin' })],
  });
  const turns = Array.from({ length: 4 }, () => cluster.request('rc_route=a'));
  assert.deepEqual(turns.map(({ node }) => node).sort(), ['a', 'a', 'b', 'b']);
  assert.ok(turns.every(({ setCookie, decision }) => setCookie === '' && decision.stickyResult === 'none'));
});

void test('suffix: nothing is added to the response, and requests without a session are placed by the session algorithm', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a', { sessions: 100 }), feedNode('b', { sessions: 0 })], {
    balancers: [feedBalancer({ mode: 'suffix' })],
  });
  for (let i = 0; i < 20; i++) {
    const result = cluster.request();
    assert.deepEqual([result.node, result.setCookie], ['b', '']);
  }
  assert.equal(cluster.request('connect.sid=s%3Ax.a.sig').node, 'a');
});

void test('rewrite: the route is stripped on the way in and named for the way out', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a')], {
    balancers: [feedBalancer({ mode: 'rewrite', cookies: ['SID'], parameters: ['sid'] })],
  });
  const fresh = cluster.ask('x=1');
  assert.deepEqual(
    [fresh.decision.forwardCookie, fresh.decision.rewriteCookies, fresh.decision.rewriteRoute],
    [undefined, ['SID'], 'a'],
  );
  const known = cluster.ask('x=1; SID=id.a', '/p;sid=id.a?q=1');
  assert.deepEqual(
    [known.decision.forwardCookie, known.decision.forwardTarget, known.decision.stickyResult],
    ['x=1; SID=id', '/p;sid=id?q=1', 'sticky'],
  );
});

void test('a draining node, and a suspect one that answers, keep their sessions and get no new ones', () => {
  for (const spec of [{ status: 'draining' }, { liveness: 'suspect' }] as const) {
    const cluster = new TestCluster();
    cluster.fill([feedNode('a', spec), feedNode('b')]);
    cluster.probed('a');
    assert.equal(cluster.ask('rc_route=x.a').node, 'a');
    for (let i = 0; i < 10; i++) assert.equal(cluster.ask().node, 'b');
  }
});

void test('a suspect node gets no new sessions before the table is swapped', () => {
  const cluster = shop('a', 'b');
  cluster.view.applyChanges(
    2,
    [{ type: 'node', node: { ...feedNode('a'), liveness: 'suspect' } }],
    cluster.clock.nowMs(),
  );
  for (let i = 0; i < 10; i++) assert.equal(cluster.ask().node, 'b');
});

void test('a gone node gets nothing before the table is swapped', () => {
  const cluster = shop('a', 'b');
  cluster.view.applyChanges(2, [goneChange('a')], cluster.clock.nowMs());
  for (let i = 0; i < 10; i++) assert.equal(cluster.ask(i % 2 === 0 ? 'rc_route=x.a' : '').node, 'b');
});

void test('sessions of a gone node move for good: all of one session to the same node, with a new cookie and the same id', () => {
  const cluster = shop('a', 'b', 'c', 'd');
  cluster.change(goneChange('a', 'left'));
  const taken = new Set<string>();
  for (let i = 0; i < 50; i++) {
    const id = `${MARK}abcdefghijkl${String(i).padStart(4, '0')}`;
    const results = Array.from({ length: 4 }, () => cluster.request(`rc_route=${id}.a`));
    const [{ node }] = results as [(typeof results)[number]];
    taken.add(node);
    for (const result of results) {
      assert.equal(result.node, node);
      assert.equal(cookieOf(result.setCookie), `rc_route=${id}.${node}`);
      assert.equal(result.decision.stickyResult, 'moved');
    }
  }
  assert.deepEqual([...taken].sort(), ['b', 'c', 'd']);
});

void test('sessions of a node whose port refuses move for good, and do not return with it', () => {
  const cluster = shop('a', 'b', 'c');
  cluster.change({ type: 'node', node: feedNode('a', { liveness: 'suspect', isConnected: false }) });
  cluster.refuse('a');
  const id = `${MARK}0123456789abcdef`;
  const moved = Array.from({ length: 5 }, () => cluster.request(`rc_route=${id}.a`));
  const [{ node }] = moved as [(typeof moved)[number]];
  assert.ok(node === 'b' || node === 'c');
  for (const result of moved)
    assert.deepEqual([result.node, cookieOf(result.setCookie)], [node, `rc_route=${id}.${node}`]);
  cluster.change({ type: 'node', node: feedNode('a', { incarnation: 2 }) });
  assert.equal(cluster.request(`rc_route=${id}.a`).node, node, 'also while the client still names the old route');
  assert.deepEqual(
    cluster.reported.filter((line) => line.startsWith('failover')),
    ['failover a refused'],
    'one session has moved once',
  );
  cluster.clock.advance(60_000);
  assert.equal(cluster.request(`rc_route=${id}.a`).node, 'a', 'the move is remembered for a minute');
});

void test('sessions of a node that lost its id, route or context to a node of another coordinator are counted as such', () => {
  const cluster = shop('a', 'b');
  cluster.change(goneChange('a', 'claim-lost'));
  assert.equal(cluster.request(`rc_route=${MARK}0123456789abcdef.a`).node, 'b');
  assert.deepEqual(
    cluster.reported.filter((line) => line.startsWith('failover')),
    ['failover a claim-lost'],
  );
});

void test('a session that moves away and back does not swing between the two nodes', () => {
  const cluster = shop('a', 'b');
  const id = `${MARK}0123456789abcdef`;
  const stop = (node: string, status: 'stopped' | 'enabled'): void =>
    cluster.change({ type: 'node', node: feedNode(node, { status }) });
  stop('a', 'stopped');
  assert.equal(cluster.request(`rc_route=${id}.a`).node, 'b');
  stop('a', 'enabled');
  stop('b', 'stopped');
  assert.equal(cluster.request(`rc_route=${id}.b`).node, 'a');
  stop('b', 'enabled');
  for (let i = 0; i < 3; i++) assert.equal(cluster.request(`rc_route=${id}.a`).node, 'a');
});

void test('requests of a node that has heartbeats and refuses wait three seconds, then move', () => {
  const cluster = shop('a', 'b');
  cluster.refuse('a');
  const waiting = cluster.ask('rc_route=x.a');
  assert.deepEqual([waiting.choice, waiting.decision.waitKind, waiting.decision.waitNode?.id], ['wait', 'node', 'a']);
  cluster.clock.advance(3_000);
  cluster.refresh('a');
  assert.equal(cluster.ask('rc_route=x.a').node, 'b');
});

void test('requests of a node that does not answer wait for it, of whatever method, and new work goes elsewhere', () => {
  const cluster = shop('a', 'b');
  cluster.silence('a');
  for (const method of ['GET', 'POST']) {
    const waiting = cluster.ask('rc_route=x.a', '/', { method });
    assert.deepEqual([waiting.choice, waiting.decision.waitKind, waiting.decision.waitMs], ['wait', 'node', 30_000]);
  }
  for (let i = 0; i < 10; i++) assert.equal(cluster.ask().node, 'b');
  cluster.probed('a');
  assert.equal(cluster.ask('rc_route=x.a').node, 'a');
});

void test('while all nodes of a context only do not answer, new work waits for them as well', () => {
  const cluster = shop('a', 'b');
  cluster.silence('a');
  cluster.silence('b');
  const waiting = cluster.ask();
  assert.deepEqual([waiting.choice, waiting.decision.waitKind, waiting.decision.waitMs], ['wait', 'node', 30_000]);
  assert.equal(waiting.decision.waitFor, cluster.view.table.contexts[0]!.attached);
});

void test('a suspect node is probed before it gets a request', () => {
  const cluster = shop('a', 'b');
  cluster.change({ type: 'node', node: feedNode('a', { liveness: 'suspect', silentMs: 3_000 }) });
  assert.equal(cluster.ask('rc_route=x.a').choice, 'wait');
  cluster.probed('a');
  assert.equal(cluster.ask('rc_route=x.a').node, 'a');
});

void test('a node that is not ready keeps its sessions, and gets new work only when no ready node is there', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a', { isReady: false }), feedNode('b')]);
  assert.equal(cluster.ask('rc_route=x.a').node, 'a');
  for (let i = 0; i < 10; i++) assert.equal(cluster.ask().node, 'b');
  cluster.change({ type: 'node', node: feedNode('b', { isReady: false }) });
  assert.equal(cluster.ask().choice, 'forward');
});

void test('a session request that was refused waits for the probe: it moves, or is sent once more, or fails', () => {
  const cookie = 'rc_route=x.a';
  const cluster = shop('a', 'b');
  const asked = cluster.fail(cluster.ask(cookie), FAILURE.refused, cookie);
  assert.deepEqual(
    [asked.choice, asked.decision.waitKind, asked.decision.waitMs],
    ['wait', 'probe', cluster.router.parkMs(cluster.view.limits)],
  );
  const head = { method: 'GET', host: 'site.example', target: '/', cookie };
  cluster.clock.advance(300);
  cluster.probed('a', cluster.clock.nowMs());
  assert.equal(cluster.router.askAgain(head, asked.decision, cluster.clock.nowMs()), 'forward');
  assert.equal(asked.decision.node?.id, 'a');
  const again = cluster.fail(asked, FAILURE.refused, cookie);
  assert.equal(again.choice, 'wait');
  cluster.clock.advance(300);
  cluster.probed('a', cluster.clock.nowMs());
  assert.equal(cluster.router.askAgain(head, again.decision, cluster.clock.nowMs()), 'failed');

  const other = shop('a', 'b');
  const doubted = other.fail(other.ask(cookie), FAILURE.refused, cookie);
  other.change({ type: 'node', node: feedNode('a', { liveness: 'suspect', isConnected: false }) });
  assert.equal(other.router.askAgain(head, doubted.decision, other.clock.nowMs()), 'forward');
  assert.equal(doubted.decision.node?.id, 'b');
});

void test('refusals from before a node was unreachable do not fail the request after its return', () => {
  const cookie = 'rc_route=x.a';
  const head = { method: 'GET', host: 'site.example', target: '/', cookie };
  const cluster = shop('a');
  const first = cluster.fail(cluster.ask(cookie), FAILURE.refused, cookie);
  cluster.clock.advance(10);
  cluster.probed('a', cluster.clock.nowMs());
  assert.equal(cluster.router.askAgain(head, first.decision, cluster.clock.nowMs()), 'forward');
  const second = cluster.fail(first, FAILURE.refused, cookie);
  assert.equal(second.choice, 'wait');
  cluster.change({ type: 'node', node: feedNode('a', { liveness: 'suspect', silentMs: 3_000 }) });
  cluster.silence('a');
  assert.equal(cluster.router.askAgain(head, second.decision, cluster.clock.nowMs()), 'wait');
  cluster.change({ type: 'node', node: feedNode('a') });
  cluster.clock.advance(3_000);
  cluster.probed('a');
  assert.equal(cluster.router.askAgain(head, second.decision, cluster.clock.nowMs()), 'forward');
});

void test('refusals of one process do not fail the request at another', () => {
  const cookie = 'rc_route=x.a';
  const cluster = shop('a', 'b');
  const head = { method: 'GET', host: 'site.example', target: '/', cookie };
  let asked = cluster.fail(cluster.ask(cookie), FAILURE.refused, cookie);
  cluster.change(goneChange('a', 'refused'));
  assert.equal(cluster.router.askAgain(head, asked.decision, cluster.clock.nowMs()), 'forward');
  assert.equal(asked.decision.node?.id, 'b');
  asked = cluster.fail(asked, FAILURE.refused, cookie);
  cluster.change(goneChange('b', 'refused'));
  assert.equal(cluster.router.askAgain(head, asked.decision, cluster.clock.nowMs()), 'wait');
  cluster.change({ type: 'node', node: feedNode('a', { incarnation: 2 }) });
  assert.equal(cluster.router.askAgain(head, asked.decision, cluster.clock.nowMs()), 'forward');
  assert.equal(asked.decision.node?.id, 'a');
});

void test('late answers on connections from before a refusal leave the request to the probe', () => {
  const cookie = 'rc_route=x.a';
  const head = { method: 'GET', host: 'site.example', target: '/', cookie };
  const cluster = shop('a', 'b');
  const asked = cluster.fail(cluster.ask(cookie), FAILURE.refused, cookie);
  for (let i = 0; i < 3; i++) {
    cluster.clock.advance(10);
    cluster.probed('a');
    assert.equal(cluster.router.askAgain(head, asked.decision, cluster.clock.nowMs()), 'wait');
    assert.equal(asked.decision.waitKind, 'probe');
  }
  cluster.change(goneChange('a', 'refused'));
  assert.equal(cluster.router.askAgain(head, asked.decision, cluster.clock.nowMs()), 'forward');
  assert.equal(asked.decision.node?.id, 'b');
});

void test('a session request whose connect timed out waits for its node', () => {
  const cluster = shop('a', 'b');
  const result = cluster.fail(cluster.ask('rc_route=x.a'), FAILURE.connectTimeout, 'rc_route=x.a');
  assert.deepEqual([result.choice, result.decision.waitKind, result.decision.waitNode?.id], ['wait', 'node', 'a']);
});

void test('rewrite: a moved session gets its new route with our own cookie, unless the program sets that cookie', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b')], { balancers: [feedBalancer({ mode: 'rewrite', cookies: ['SID'] })] });
  assert.equal(cluster.ask('SID=id7.a').setCookie, '');
  cluster.change(goneChange('a', 'refused'));
  const moved = cluster.ask('SID=id7.a');
  assert.equal(moved.setCookie, 'SID=id7.b; Path=/; HttpOnly; SameSite=Lax');
  assert.equal(moved.decision.setCookieUnless, 'SID');
  assert.equal(moved.decision.forwardCookie, 'SID=id7');
  assert.equal(cluster.ask('SID="i d".a').setCookie, '', 'a value that is no plain id is not sent back');
});

void test('sessions of a stopped node move for good', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a', { status: 'stopped' }), feedNode('b')]);
  const result = cluster.ask(`rc_route=${MARK}0123456789abcdef.a`);
  assert.deepEqual([result.node, cookieOf(result.setCookie)], ['b', `rc_route=${MARK}0123456789abcdef.b`]);
});

void test('failover prefers the group of the lost node, group insists on it', () => {
  for (const failover of ['any', 'group'] as const) {
    const cluster = new TestCluster();
    const nodes = [feedNode('a', { group: 'eu' }), feedNode('b', { group: 'us' }), feedNode('c', { group: 'eu' })];
    cluster.fill(nodes, { balancers: [feedBalancer({ failover })] });
    cluster.change(goneChange('a'));
    assert.equal(cluster.ask('rc_route=x.a').node, 'c');
    cluster.change(goneChange('c'));
    assert.equal(cluster.ask('rc_route=x.a').node, failover === 'any' ? 'b' : '');
  }
});

void test('failover none: 503 when the node is gone, a short wait while it is only refused', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b')], { balancers: [feedBalancer({ failover: 'none' })] });
  cluster.refuse('a');
  cluster.clock.advance(3_000);
  cluster.refresh('a');
  const refused = cluster.ask('rc_route=x.a');
  assert.deepEqual([refused.choice, refused.decision.waitMs], ['wait', 1_000]);
  cluster.change(goneChange('a'));
  const gone = cluster.ask('rc_route=x.a');
  assert.deepEqual([gone.choice, gone.setCookie], ['unavailable', '']);
  assert.equal(cluster.ask().node, 'b', 'new sessions are served');
});

void test('remove strips the ids of a session that has moved', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b')], { balancers: [feedBalancer({ mode: 'suffix', remove: true })] });
  assert.equal(cluster.ask('x=1; JSESSIONID=id.a').decision.forwardCookie, undefined);
  cluster.change(goneChange('a'));
  const moved = cluster.ask('x=1; JSESSIONID=id.a', '/p?_s=1&q=2');
  assert.deepEqual([moved.decision.forwardCookie, moved.decision.forwardTarget], ['x=1', '/p?q=2']);
});

void test('failover eager: sessions leave a node that does not answer at once and for good; draining ones stay', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('b'), feedNode('c', { status: 'draining' })], {
    balancers: [feedBalancer({ failover: 'eager' })],
  });
  cluster.silence('a');
  for (const method of ['GET', 'POST']) {
    const moved = cluster.ask('rc_route=x.a', '/', { method });
    assert.deepEqual([moved.node, moved.decision.stickyResult], ['b', 'moved']);
  }
  assert.equal(cluster.ask('rc_route=x.c').node, 'c');
  cluster.probed('a');
  assert.equal(cluster.ask('rc_route=x.a').node, 'b');
});

void test('failover eager: without another node the requests of a silent one wait', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a')], { balancers: [feedBalancer({ failover: 'eager' })] });
  cluster.silence('a');
  assert.equal(cluster.ask('rc_route=x.a').choice, 'wait');
});

void test('with a secret only a sealed cookie determines the node, also if other values name one', () => {
  const seal = {
    sealOf: (text: string) => `seal-${text.length}`,
    isSealOf: (text: string, seal: string) => seal === `seal-${text.length}`,
  };
  const cluster = new TestCluster(seal);
  cluster.fill(['a', 'b', 'c'].map((id) => feedNode(id)));
  for (let i = 0; i < 10; i++) {
    const first = cluster.request();
    const cookie = cookieOf(first.setCookie);
    assert.match(cookie, new RegExp(`^rc_route=${MARK}session[0-9]{9}\\.${first.node}\\.seal-20$`));
    const next = cluster.request(cookie);
    assert.deepEqual([next.node, next.setCookie], [first.node, '']);
  }
  const before = cluster.reported.filter((word) => word === 'unknown route').length;
  const forged = [
    `rc_route=${MARK}session000000001.a`,
    'rc_route=a',
    `rc_route=${MARK}session000000001.a.seal-17`,
    'JSESSIONID=x.a',
  ];
  for (const cookie of forged) assert.equal(cluster.request(cookie).decision.stickyResult, 'new', cookie);
  assert.equal(cluster.request('', '/p;jsessionid=x.a').decision.stickyResult, 'new');
  assert.equal(
    cluster.reported.filter((word) => word === 'unknown route').length,
    before + 3,
    'forged ones are counted',
  );
  const home = cluster.request();
  assert.equal(
    cluster.request(`rc_route=forged; ${cookieOf(home.setCookie)}`).node,
    home.node,
    'all cookies of the name are read',
  );
});

void test('the cookie of an outer context is not taken for one of the inner, whatever their routes are called', () => {
  const cluster = new TestCluster();
  const both = (balancer: string, paths: string[]) =>
    [1, 2].map((number) =>
      feedNode(`${balancer}-${number}`, { balancer, paths, route: `r${number}`, port: 3_000 + number }),
    );
  cluster.fill([...both('outer', ['/']), ...both('inner', ['/app'])], {
    balancers: [feedBalancer({}, {}, 'outer'), feedBalancer({}, {}, 'inner')],
  });
  for (let i = 0; i < 4; i++) {
    const outer = cookieOf(cluster.request('', '/').setCookie);
    const first = cluster.request(outer, '/app');
    assert.equal(first.decision.stickyResult, 'new');
    const inner = cookieOf(first.setCookie);
    for (const cookies of [`${inner}; ${outer}`, `${outer}; ${inner}`])
      assert.deepEqual(
        [cluster.request(cookies, '/app').node, cluster.request(cookies, '/').decision.stickyResult],
        [first.node, 'sticky'],
      );
  }
});

void test('a node that has restarted counts only the sessions of its new process', () => {
  const cluster = shop('a', 'b');
  for (let i = 0; i < 40; i++) cluster.request();
  assert.equal(cluster.node('a').sessions.count(cluster.clock.nowMs()), 20);
  cluster.change({ type: 'node', node: feedNode('a', { incarnation: 2 }) });
  assert.equal(cluster.node('a').sessions.count(cluster.clock.nowMs()), 0);
  cluster.change({ type: 'node', node: feedNode('b', { incarnation: 2, port: 3_001 }) });
  assert.equal(cluster.node('b').sessions.count(cluster.clock.nowMs()), 0);
});

void test('redirected sessions go to the other node and stay there', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a', { redirectTo: 'b' }), feedNode('b'), feedNode('c')]);
  const result = cluster.ask(`rc_route=${MARK}0123456789abcdef.a`);
  assert.deepEqual([result.node, cookieOf(result.setCookie)], ['b', `rc_route=${MARK}0123456789abcdef.b`]);
  cluster.change(goneChange('b'));
  assert.equal(
    cluster.ask(`rc_route=${MARK}0123456789abcdef.a`).node,
    'a',
    'without the other node nothing is redirected',
  );
});

void test('learning: a session whose node is expected back waits, then is served by it; new sessions are served', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a')], { remembered: [rememberedRoute('b', true)], isSettled: false, learningMs: 10_000 });
  const waiting = cluster.ask('rc_route=x.b');
  assert.deepEqual([waiting.choice, waiting.decision.waitMs], ['wait', 5_000]);
  assert.equal(cluster.ask('rc_route=x.never-seen').choice, 'wait');
  assert.equal(cluster.ask().node, 'a');
  cluster.change({ type: 'node', node: feedNode('b') });
  assert.equal(cluster.ask('rc_route=x.b', '/', { decision: waiting.decision }).node, 'b');
});

void test('learning: when the window is over a missing node is a lost one, and an unknown route a new session', () => {
  for (const end of ['time', 'word'] as const) {
    const cluster = new TestCluster();
    cluster.fill([feedNode('a')], { remembered: [rememberedRoute('b', true)], isSettled: false, learningMs: 10_000 });
    if (end === 'time') cluster.clock.advance(10_000);
    else cluster.change({ type: 'settled', isSettled: true, learningMs: 0 });
    assert.equal(cluster.ask('rc_route=x.b').decision.stickyResult, 'moved');
    assert.equal(cluster.ask('rc_route=x.never-seen').decision.stickyResult, 'new');
  }
});

void test('learning: a request waits for a context that is not registered yet', () => {
  const cluster = new TestCluster();
  cluster.view.expectRoutes([rememberedRoute('a', true)], 10_000, cluster.clock.nowMs());
  assert.equal(cluster.ask('rc_route=x.a').choice, 'wait');
  cluster.fill([], { isSettled: false, learningMs: 5_000 });
  assert.equal(cluster.ask('', '/app').choice, 'wait');
  cluster.clock.advance(5_000);
  assert.equal(cluster.ask('', '/app').choice, 'unavailable');
});

void test('routes that are remembered and not expected are failed over at once', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a')], { remembered: [rememberedRoute('old', false)], isSettled: false, learningMs: 10_000 });
  assert.equal(cluster.ask('rc_route=x.old').decision.stickyResult, 'moved');
});

void test('without an eligible node a request waits ten seconds after the last one was lost, otherwise one, if one may come', () => {
  const cluster = shop('a');
  cluster.refuse('a');
  const waiting = cluster.ask();
  assert.deepEqual([waiting.choice, waiting.decision.waitKind, waiting.decision.waitMs], ['wait', 'node', 30_000]);
  cluster.clock.advance(3_000);
  cluster.refresh('a');
  assert.deepEqual([cluster.ask().choice, cluster.ask().decision.waitMs], ['wait', 10_000]);
  cluster.clock.advance(30_000);
  assert.deepEqual([cluster.ask().choice, cluster.ask().decision.waitMs], ['wait', 1_000]);
  cluster.change(goneChange('a', 'left'));
  assert.deepEqual([cluster.ask().choice, cluster.ask().decision.waitMs], ['wait', 10_000]);
  cluster.clock.advance(30_000);
  assert.equal(cluster.ask().choice, 'unavailable');
  const stopped = new TestCluster();
  stopped.fill([feedNode('a', { status: 'stopped' })]);
  assert.equal(stopped.ask('rc_route=x.a').choice, 'unavailable');
});

void test('a new session that could not be placed is placed elsewhere and counted there only', () => {
  const cluster = shop('a', 'b');
  const first = cluster.ask();
  const second = cluster.fail(first, FAILURE.refused);
  assert.equal(second.choice, 'forward');
  assert.notEqual(second.node, first.node);
  assert.equal(second.decision.retriesLeft, 1);
  assert.ok(cookieOf(second.setCookie).endsWith(`.${second.node}`));
  const tried = cluster.node(first.node);
  assert.deepEqual([tried.live.placed, tried.live.inFlight, tried.counters.failures], [0, 0, 1]);
  assert.equal(cluster.node(second.node).live.placed, 1);
  assert.equal(cluster.fail(second, FAILURE.refused).choice, 'wait', 'no other node is left, and both may return soon');
});

void test('a session request is never repeated at another node while its own one lives', () => {
  const cluster = shop('a', 'b', 'c');
  const cookie = `rc_route=${MARK}0123456789abcdef.a`;
  const asked = cluster.ask(cookie);
  assert.equal(asked.decision.isBound, true);
  const result = cluster.fail(asked, FAILURE.closed, cookie);
  assert.deepEqual([result.choice, result.node, result.setCookie], ['forward', 'a', '']);
});

void test('new work and requests without a session are not bound', () => {
  const cluster = shop('a', 'b');
  assert.equal(cluster.ask().decision.isBound, false);
});

void test('failures that the other nodes do not have eject a node from new work, never the last one nor more than half', () => {
  const cluster = shop('a', 'b', 'c');
  for (let i = 0; i < 30; i++) for (const id of ['a', 'b', 'c']) cluster.request(`rc_route=x.${id}`);
  const fail = (id: string): void => {
    for (let i = 0; i < 60; i++) {
      cluster.clock.advance(1);
      cluster.fail(cluster.ask(`rc_route=x.${id}`), FAILURE.closed, `rc_route=x.${id}`);
    }
  };
  fail('a');
  assert.equal(cluster.node('a').isEjected, true);
  assert.equal(cluster.ask('rc_route=x.a').node, 'a', 'its sessions stay');
  for (let i = 0; i < 10; i++) assert.notEqual(cluster.ask().node, 'a');
  fail('b');
  assert.equal(cluster.node('b').isEjected, false, 'two of three would be too many');
});

void test('failures that the node has not caused are not counted', () => {
  const cluster = shop('a', 'b');
  for (let i = 0; i < 30; i++) for (const id of ['a', 'b']) cluster.request(`rc_route=x.${id}`);
  for (const failure of [FAILURE.idle, FAILURE.tooLarge, FAILURE.local, FAILURE.client])
    for (let i = 0; i < 60; i++) {
      cluster.clock.advance(1);
      const { decision } = cluster.ask('rc_route=x.a');
      cluster.router.onSend(decision, cluster.clock.nowMs());
      cluster.router.onEnd(decision, 'client', cluster.clock.nowMs(), failure);
    }
  assert.deepEqual([cluster.node('a').isEjected, cluster.node('a').counters.failures], [false, 0]);
});

void test('failures that one sweep of deadlines finds count as one', () => {
  const cluster = shop('a', 'b');
  for (let i = 0; i < 30; i++) for (const id of ['a', 'b']) cluster.request(`rc_route=x.${id}`);
  for (let i = 0; i < 60; i++) cluster.fail(cluster.ask('rc_route=x.a'), FAILURE.headTimeout, 'rc_route=x.a');
  assert.equal(cluster.node('a').isEjected, false);
});

void test('a node on trial gets one request of new work, and its answer readmits it', () => {
  const cluster = shop('a', 'b');
  cluster.eject('a');
  cluster.clock.advance(1_000);
  cluster.ejections.observe(cluster.node('a'), 'due', cluster.clock.nowMs());
  let trial = cluster.ask();
  while (trial.node !== 'a') trial = cluster.ask();
  cluster.router.onSend(trial.decision, cluster.clock.nowMs());
  for (let i = 0; i < 10; i++) assert.equal(cluster.ask().node, 'b');
  cluster.router.onResponseHead(trial.decision, 200, 5, '', cluster.clock.nowMs());
  cluster.router.onEnd(trial.decision, 'ok', cluster.clock.nowMs());
  assert.equal(cluster.node('a').ejection.phase, 'in');
  assert.deepEqual(cluster.observed, ['ejected a: errors', 'readmitted a: it answers again']);
});

void test('clients that disconnect and pages that fail eject no node', () => {
  const cluster = shop('a', 'b');
  for (let i = 0; i < 50; i++) {
    const { decision } = cluster.ask('rc_route=x.a');
    cluster.router.onSend(decision, cluster.clock.nowMs());
    cluster.router.onEnd(decision, 'client', cluster.clock.nowMs());
    cluster.request('rc_route=x.a', '/', { status: 500 });
  }
  const { isEjected, counters } = cluster.node('a');
  assert.deepEqual([isEjected, counters.serverErrors, counters.failures], [false, 50, 0]);
});

void test('standby nodes serve only when no other node can', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a'), feedNode('spare', { standby: true })]);
  for (let i = 0; i < 10; i++) assert.equal(cluster.request().node, 'a');
  cluster.refuse('a');
  assert.equal(cluster.ask().node, 'spare');
});

void test('a joining node gets the next new session', () => {
  const cluster = shop('a', 'b');
  for (let i = 0; i < 40; i++) cluster.request();
  cluster.clock.advance(60_000);
  cluster.change({ type: 'node', node: feedNode('c') });
  assert.equal(cluster.request().node, 'c');
});

void test('the load field of a node that announced it is its load, the field of other nodes is ignored', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('sdk', { loadHeader: true }), feedNode('plain')]);
  cluster.request('rc_route=sdk', '/', { loadField: '2;10;0.75;33' });
  cluster.request('rc_route=sdk', '/', { loadField: 'junk' });
  cluster.request('rc_route=plain', '/', { loadField: '2;10;0.75;33' });
  assert.deepEqual([cluster.node('sdk').live.load, cluster.node('sdk').live.sessions], [0.75, 33]);
  assert.ok(Number.isNaN(cluster.node('plain').live.load));
});

void test('latency is smoothed over the answers', () => {
  const cluster = shop('a');
  cluster.request('', '/', { latencyMs: 100 });
  assert.equal(cluster.node('a').live.latencyMs, 100);
  cluster.request('', '/', { latencyMs: 200 });
  assert.equal(cluster.node('a').live.latencyMs, 110);
});

void test('a leaving node that reaches 0 in flight is reported at once', () => {
  const cluster = shop('a', 'b');
  const { decision } = cluster.ask('rc_route=x.a');
  cluster.router.onSend(decision, cluster.clock.nowMs());
  cluster.change({ type: 'node', node: feedNode('a', { status: 'stopped' }) });
  cluster.router.onEnd(decision, 'ok', cluster.clock.nowMs());
  assert.ok(cluster.reported.includes('stopped a'));
  assert.ok(cluster.reported.includes('idle a'));
});

void test('a decision is reused for the next request without the state of the last one', () => {
  const cluster = shop('a', 'b');
  const decision = newRoutingDecision();
  cluster.fail(cluster.ask('', '/', { decision }), FAILURE.refused);
  const { tried } = decision.state as RequestState;
  assert.equal(tried.size, 1);
  const next = cluster.ask('', '/', { decision });
  assert.deepEqual([tried.size, next.decision.retriesLeft, next.decision.stickyResult], [0, 2, 'new']);
});

void test('attempts that may have reached a node are counted over waits and restarts, until 502', () => {
  const SENT = [FAILURE.closedUnused, FAILURE.closed];
  const table = [
    { retries: 2, cookie: '', failures: SENT, attempts: 3 },
    { retries: 5, cookie: '', failures: SENT, attempts: 6 },
    { retries: 0, cookie: '', failures: SENT, attempts: 2 },
    { retries: 2, cookie: 'rc_route=x.a', failures: SENT, attempts: 3 },
    { retries: 0, cookie: 'rc_route=x.a', failures: SENT, attempts: 2 },
    { retries: 2, cookie: '', failures: [FAILURE.refused], attempts: Number.POSITIVE_INFINITY },
  ];
  for (const { retries, cookie, failures, attempts } of table)
    for (const failure of failures) {
      const cluster = new TestCluster();
      cluster.fill([feedNode('a')], { balancers: [feedBalancer({}, { retries })] });
      let asked = cluster.ask(cookie);
      let made = 0;
      while (asked.choice !== 'failed' && made < 10) {
        made++;
        asked = cluster.fail(asked, failure, cookie);
        // The program starts again: another process at the same port.
        if (asked.choice !== 'wait') continue;
        cluster.change({ type: 'node', node: feedNode('a', { incarnation: 1 + made }) });
        asked = cluster.askAgain(asked, cookie);
      }
      assert.equal(made, Math.min(attempts, 10), `retries ${retries}, ${cookie || 'no session'}, ${failure.how}`);
      assert.equal(cluster.ask(cookie, '/', asked).choice, 'forward', 'the next request begins anew');
    }
});

void test('with retries 0 the engine makes no further attempt', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a')], { balancers: [feedBalancer({}, { retries: 0 })] });
  assert.equal(cluster.ask().decision.retriesLeft, 0);
});

void test('a load field of an answer reaches the algorithms before the answer', () => {
  const cluster = new TestCluster();
  cluster.fill([feedNode('a', { loadHeader: true }), feedNode('b')]);
  const heard: string[] = [];
  for (const { attached } of cluster.view.table.contexts) {
    attached.algorithm.onReport = ({ id, live }, report) =>
      heard.push(`${id} ${JSON.stringify(report)}, ${live.inFlight} of ours`);
    attached.algorithm.onResponse = ({ id }, outcome) => heard.push(`${id} ${outcome}`);
  }
  cluster.request('rc_route=a', '/', { loadField: '3;12.5;0.40;14' });
  cluster.request('rc_route=a', '/', { loadField: 'nonsense' });
  cluster.request('rc_route=b', '/', { loadField: '9;9;0.9;9' });
  assert.deepEqual(heard, [
    'a {"inFlight":3,"serviceMs":12.5,"load":0.4,"sessions":14,"isBesideAnswer":true}, 1 of ours',
    'a ok',
    'a ok',
    'b ok',
  ]);
});

void test('a node that answers only with errors gets no new sessions, and keeps its own', () => {
  const cluster = shop('a', 'b', 'c');
  const sick = new Set(['a']);
  const visit = (cookie = ''): void => {
    const asked = cluster.ask(cookie);
    cluster.answer(asked, { status: sick.has(asked.node) ? 500 : 200 });
  };
  // One second between two: the algorithm tries it again each time, and the watch keeps its counts.
  for (let i = 0; i < 60; i++) {
    cluster.clock.advance(1_000);
    visit();
  }
  assert.equal(cluster.node('a').isEjected, true);
  for (let i = 0; i < 30; i++) assert.notEqual(cluster.ask().node, 'a');
  assert.equal(cluster.ask('rc_route=a').node, 'a', 'its sessions stay');
  assert.equal(cluster.ask('rc_route=a').decision.stickyResult, 'sticky');

  cluster.clock.advance(30_000);
  cluster.ejections.observe(cluster.node('a'), 'due', cluster.clock.nowMs());
  sick.clear();
  visit('rc_route=a');
  assert.equal(cluster.node('a').isEjected, false, 'one good answer, with or without a session');
});

void test('errors of all nodes, or of one session, eject no node', () => {
  const cluster = shop('a', 'b');
  for (let i = 0; i < 60; i++) cluster.request('', '/', { status: 500 });
  assert.deepEqual(
    ['a', 'b'].map((id) => cluster.node(id).isEjected),
    [false, false],
  );
  const other = shop('a', 'b');
  for (let i = 0; i < 15; i++) other.request('rc_route=a', '/', { status: 500 });
  for (let i = 0; i < 40; i++) other.request();
  assert.equal(other.node('a').isEjected, false);
});

void test('movable sessions leave a node that stays hot, some of them, for good and counted', () => {
  const cluster = new TestCluster();
  const nodes = ['hot', 'b', 'c', 'd'].map((id) => feedNode(id, { sessions: 200 }));
  cluster.fill(nodes, { balancers: [feedBalancer({ movable: true })] });
  cluster.node('hot').live.inFlight = 200;
  const results: Record<string, number> = {};
  for (let i = 0; i < 1_000; i++) {
    cluster.clock.advance(10);
    const { node, decision, setCookie } = cluster.ask(`rc_route=session${i}.hot`);
    results[decision.stickyResult] = (results[decision.stickyResult] ?? 0) + 1;
    if (decision.stickyResult !== 'moved') continue;
    assert.notEqual(node, 'hot');
    assert.ok(cookieOf(setCookie).endsWith(`.${node}`), 'the session stays on the new node');
  }
  assert.ok(results['moved']! >= 20 && results['moved']! <= 45, JSON.stringify(results));
  assert.equal(cluster.reported.filter((line) => line === 'moved').length, results['moved']);
  cluster.change({ type: 'balancer', balancer: feedBalancer() });
  for (let i = 0; i < 200; i++) {
    cluster.clock.advance(10);
    assert.equal(cluster.ask(`rc_route=session${i}.hot`).node, 'hot');
  }
});

void test('a request without a session goes to the node its client connection is authenticated at, while it may be chosen', () => {
  for (const mode of ['insert', 'none'] as const) {
    const cluster = new TestCluster();
    cluster.fill(
      ['a', 'b', 'c'].map((id) => feedNode(id)),
      { balancers: [feedBalancer({ mode })] },
    );
    const decision = newRoutingDecision();
    for (const id of ['a', 'b', 'c']) {
      decision.boundNode = cluster.node(id);
      for (let i = 0; i < 5; i++) assert.equal(cluster.answer(cluster.ask('', '/', { decision })).node, id);
    }
    if (mode === 'insert')
      assert.equal(cluster.ask('rc_route=x.a', '/', { decision }).node, 'a', 'its session decides');
    const failed = cluster.fail(cluster.ask('', '/', { decision }), FAILURE.refused);
    assert.notEqual(failed.node, 'c');
    cluster.change({ type: 'node', node: feedNode('c', { status: 'draining' }) });
    assert.notEqual(cluster.ask('', '/', { decision }).node, 'c');
  }
});
