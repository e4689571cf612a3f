import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routeCookieMark } from '@rollcall/core';
import { feedBalancer, feedNode, TestCluster } from '../cluster/cluster.fixture.ts';

const COOKIE = `rc_route=${routeCookieMark(feedBalancer().name)}0123456789abcdef.a`;
const DAY_MS = 86_400_000;

/** An upgrade by the node, and the sessions of the node with the tunnel open for a day, at its end and a day later. */
function counts(cluster: TestCluster, cookie: string, setCookie = ''): readonly (number | undefined)[] {
  const { router, clock } = cluster;
  const { decision } = cluster.ask(cookie);
  router.onSend(decision, clock.nowMs());
  if (setCookie !== '' && decision.watchesCookies) router.onSetCookie(decision, setCookie);
  router.onResponseHead(decision, 101, 1, '', clock.nowMs());
  const held = router.holdSession(decision, clock.nowMs());
  router.onEnd(decision, 'ok', clock.nowMs());
  const { sessions } = cluster.node('a');
  clock.advance(DAY_MS);
  const open = sessions.count(clock.nowMs());
  held?.release(clock.nowMs());
  const ended = sessions.count(clock.nowMs());
  clock.advance(DAY_MS);
  return [open, ended, sessions.count(clock.nowMs())];
}

void test('an upgrade holds the session of its request, or the one that its answer opens', () => {
  const jsession = { cookies: ['JSESSIONID'], parameters: [] };
  const table = [
    ['insert', 'a known session', COOKIE, '', 1],
    ['insert', 'a new session', '', '', 1],
    ['suffix', 'a known session', 'JSESSIONID=0123.a', '', 1],
    ['suffix', 'a new session', '', 'JSESSIONID=0123456789abcdef.a; Path=/', 1],
    ['suffix', 'no session', '', '', 0],
    ['none', 'no sessions at all', '', '', 0],
  ] as const;
  for (const [mode, name, cookie, setCookie, held] of table) {
    const cluster = new TestCluster();
    cluster.fill([feedNode('a')], { balancers: [feedBalancer({ mode, ...(mode === 'suffix' && jsession) })] });
    assert.deepEqual(counts(cluster, cookie, setCookie), [held, held, 0], `${mode}: ${name}`);
  }
});
