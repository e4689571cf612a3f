/**
 * Two real Tomcats that register over MCMP, with their own sessions in cookies and in URLs. Under traffic they are drained, stopped, killed,
 * and one of their contexts is deployed again.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '@rollcall/core/testing';
import { NodeClient } from '@rollcall/mcmp/testing';
import { Client } from '../faults/client.ts';
import { judge, type Verdict } from '../faults/judge.ts';
import type { Exchange, Outage } from '../faults/ledger.ts';
import { nowMs } from '../live-cluster/instant.ts';
import { noServletTomcat, ServletTomcat } from '../site/servlet-tomcat.ts';
import { Site, until } from '../site/site.ts';
import { type Answer, Visitor } from '../site/visitor.ts';

const OPTIONS = { skip: noServletTomcat, timeout: 180_000 };
/** Of the listener in the node. Java: 10 s. */
const TICK_MS = 1_000;
const HOLD_MS = 2_000;
/** Sessions of the shop are in cookies, those of the forum in URLs. */
const APPLICATIONS = ['shop', 'forum'] as const;
type Application = (typeof APPLICATIONS)[number];

const closers: (() => Promise<void>)[] = [];
let site: Site;
let mcmpPort: number;
const tomcats: ServletTomcat[] = [];
const nodes: NodeClient[] = [];

before(async () => {
  if (noServletTomcat !== false) return;
  mcmpPort = await freePort();
  const owner = { after: (close: () => Promise<void>) => void closers.push(close) };
  site = await Site.start(owner, { flags: ['--mcmp', `127.0.0.1:${mcmpPort}`] });
  for (const node of ['t1', 't2']) {
    const tomcat = new ServletTomcat(join(site.directory, node), { node, applications: APPLICATIONS });
    tomcats.push(tomcat);
    await tomcat.start();
    await register(tomcats.length - 1);
  }
});

after(async () => {
  for (const node of nodes) node.close();
  await Promise.all(tomcats.map((tomcat) => tomcat.stop('SIGKILL')));
  for (const close of closers) await close();
});

/** What the listener in a started Tomcat does. Resolves when the node gets new sessions of both applications. */
async function register(i: number): Promise<void> {
  const contexts = APPLICATIONS.map((name) => `/${name}`);
  nodes[i] = new NodeClient({ mcmpPort, route: `t${i + 1}`, port: tomcats[i]!.port, contexts });
  nodes[i].start(TICK_MS);
  for (const name of APPLICATIONS) await visitorAt(`t${i + 1}`, name);
}

/** A visitor whose session is at the node. */
async function visitorAt(node: string, name: Application): Promise<Visitor> {
  let visitor = new Visitor(site.proxyPort);
  await until(async () => {
    visitor = new Visitor(site.proxyPort);
    const { status, body } = await visitor.get(`/${name}/session`);
    return status === 200 && body.startsWith(`${node} `);
  }, `no new session of ${name} at ${node}`);
  return visitor;
}

/** Slow requests that `node` is serving. Resolves when it has begun with all of them. */
async function slowRequests(i: number, name: Application, methods: readonly string[]): Promise<Promise<Answer>[]> {
  const visitors = await Promise.all(methods.map(() => visitorAt(`t${i + 1}`, name)));
  const path = `/${name}/visit/slow?hold=${HOLD_MS}`;
  const answers = visitors.map((visitor, at) => visitor.get(path, { method: methods[at]! }));
  const counts = `http://127.0.0.1:${tomcats[i]!.port}/${name}/counts`;
  await until(
    async () => (await (await fetch(counts)).text()).endsWith(` ${methods.length}`),
    'the slow requests have not arrived',
  );
  return answers;
}

/** The applications of a node that are not served from now on. */
type Lose = (
  node: string,
  ...names: readonly Application[]
) => {
  /** The process has ended: earlier requests may have reached it. Not for an orderly stop, which excuses no request. */
  dead(): void;
  /** They are served again. */
  back(): void;
};
type Verdicts = Readonly<Record<Application, Verdict>>;

/** Runs `act` under traffic for both applications, with the verdicts about that traffic. */
async function underTraffic(
  t: TestContext,
  act: (lose: Lose) => Promise<void>,
): Promise<{ readonly verdicts: Verdicts; readonly exchanges: readonly Exchange[] }> {
  const plan = { perSecond: 60, lengthMs: 150_000, residents: 16, visitorRatio: 0.1 };
  const clients = {
    shop: new Client(site.proxyPort, { ...plan, prefix: 'shop-', path: '/shop/visit' }),
    forum: new Client(site.proxyPort, {
      ...plan,
      prefix: 'forum-',
      path: '/forum/visit',
      urlSession: { cookie: 'JSESSIONID', parameter: 'jsessionid' },
    }),
  };
  const both = Object.values(clients);
  for (const client of both) await client.settle(['t1', 't2']);
  const runs = both.map((client) => client.run());
  await sleep(1_000);
  const outages: Record<Application, Outage[]> = { shop: [], forum: [] };
  const beganMs = nowMs();
  let [faultMs, inForceMs] = [beganMs, beganMs];
  try {
    await act((node, ...names) => {
      const fromMs = nowMs();
      [faultMs, inForceMs] = [fromMs, fromMs];
      const lost = names.map((name) => {
        const outage: Outage = { node, fromMs, toMs: Number.POSITIVE_INFINITY };
        outages[name].push(outage);
        return outage;
      });
      return {
        dead: () => {
          inForceMs = nowMs();
        },
        back: () => {
          for (const outage of lost) outage.toMs = nowMs();
        },
      };
    });
    await sleep(1_000);
  } finally {
    for (const client of both) client.end();
    await Promise.all(runs);
  }
  const verdictOf = (name: Application): Verdict =>
    judge({ faultMs, inForceMs, broken: [], exchanges: clients[name].exchanges, outages: outages[name] }, 0);
  const verdicts = { shop: verdictOf('shop'), forum: verdictOf('forum') };
  for (const name of APPLICATIONS) {
    const { requests, failedGets, failedPosts, excused, hit, losses, splits, longestWaitMs } = verdicts[name];
    const failed = failedGets.length + failedPosts.length;
    t.diagnostic(
      `${name}: ${requests} requests in ${Math.round(nowMs() - beganMs)} ms, ${failed} failed, ${excused} excused, ${hit} sessions of the node, ${losses} lost, ${splits} split, longest ${Math.round(longestWaitMs)} ms`,
    );
    assert.ok(requests > 100, `${requests} requests`);
    assert.deepEqual([...failedGets, ...failedPosts], [], `${name}: no request fails`);
    assert.equal(splits, 0, `${name}: no session leaves a node that serves it`);
  }
  return { verdicts, exchanges: both.flatMap(({ exchanges }) => exchanges) };
}

/** Nodes of the sessions that began between two instants. */
function homesOf(exchanges: readonly Exchange[], fromMs: number, toMs: number): Set<string> {
  const first = new Map<string, Exchange>();
  for (const exchange of exchanges)
    if (exchange.arrivedMs < (first.get(exchange.session)?.arrivedMs ?? Number.POSITIVE_INFINITY))
      first.set(exchange.session, exchange);
  const begun = [...first.values()].filter(({ arrivedMs, endMs }) => arrivedMs > fromMs && endMs < toMs);
  return new Set(begun.map(({ answer }) => answer?.node ?? 'none'));
}

/** Every session of the lost node moves once, and no other one is touched. */
function assertMovedOnce({ hit, hitLost, otherLost, mostMoves }: Verdict): void {
  assert.ok(hit > 0, 'sessions were at the node');
  assert.deepEqual({ ...hitLost, otherLost: otherLost.sessions }, { never: 0, once: hit, more: 0, otherLost: 0 });
  assert.equal(mostMoves, 1);
}

test('drain: a disabled node keeps its sessions and gets no new ones', OPTIONS, async (t) => {
  let [fromMs, toMs] = [0, 0];
  const { verdicts, exchanges } = await underTraffic(t, async () => {
    for (const name of APPLICATIONS) await nodes[0]!.disable(`/${name}`);
    await site.isCurrent();
    fromMs = nowMs();
    await sleep(3_000);
    toMs = nowMs();
    for (const name of APPLICATIONS) await nodes[0]!.enable(`/${name}`);
    for (const name of APPLICATIONS) await visitorAt('t1', name);
  });
  assert.deepEqual([...homesOf(exchanges, fromMs, toMs)], ['t2']);
  assert.deepEqual([verdicts.shop.losses, verdicts.forum.losses], [0, 0]);
});

test('redeploy: a context is stopped, undeployed and deployed again beside another one', OPTIONS, async (t) => {
  const { verdicts } = await underTraffic(t, async (lose) => {
    const slow = await slowRequests(0, 'shop', ['GET', 'POST', 'GET']);
    const outage = lose('t1', 'shop');
    const counts = await nodes[0]!.stop('/shop');
    assert.ok(counts[0]! >= slow.length, `requests in flight: ${counts}`);
    for (const { status, body } of await Promise.all(slow)) {
      assert.equal(status, 200, body);
      assert.equal((JSON.parse(body) as { node: string }).node, 't1');
    }
    await nodes[0]!.remove('/shop');
    await tomcats[0]!.undeploy('shop');
    await tomcats[0]!.deploy('shop');
    await nodes[0]!.enable('/shop');
    outage.back();
    const { body } = await (await visitorAt('t1', 'shop')).get('/shop/visit/again');
    assert.equal((JSON.parse(body) as { instance: string }).instance, `t1#${tomcats[0]!.pid}/2`);
  });
  assertMovedOnce(verdicts.shop);
  assert.equal(verdicts.forum.losses, 0);
});

test('stop and return: a node that leaves in order loses no request, and comes back', OPTIONS, async (t) => {
  const { verdicts } = await underTraffic(t, async (lose) => {
    const outage = lose('t1', 'shop', 'forum');
    await nodes[0]!.leave();
    await tomcats[0]!.stop();
    await tomcats[0]!.start();
    outage.back();
    await register(0);
  });
  for (const name of APPLICATIONS) assertMovedOnce(verdicts[name]);
});

test('kill and return: only requests in flight that must not be repeated fail', OPTIONS, async (t) => {
  const { verdicts } = await underTraffic(t, async (lose) => {
    const slow = await slowRequests(0, 'shop', ['GET', 'POST', 'GET', 'POST']);
    const outage = lose('t1', 'shop', 'forum');
    nodes[0]!.close();
    await tomcats[0]!.stop('SIGKILL');
    outage.dead();
    const answers = await Promise.all(slow);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 502, 200, 502],
    );
    await sleep(1_000);
    await tomcats[0]!.start();
    outage.back();
    await register(0);
  });
  for (const name of APPLICATIONS) assertMovedOnce(verdicts[name]);
});

test(
  'the control process is killed: the nodes register again, and no request or session is lost',
  OPTIONS,
  async (t) => {
    const { verdicts } = await underTraffic(t, async () => {
      await site.killControl();
      await until(async () => (await site.node('t1'))?.liveness === 'up', 't1 has not registered again');
      await until(async () => (await site.node('t2'))?.liveness === 'up', 't2 has not registered again');
      await site.isCurrent();
      for (const name of APPLICATIONS) for (const node of ['t1', 't2']) await visitorAt(node, name);
    });
    assert.deepEqual([verdicts.shop.losses, verdicts.forum.losses], [0, 0]);
    assert.deepEqual(
      nodes.map(({ state }) => state),
      ['OK', 'OK'],
    );
  },
);
