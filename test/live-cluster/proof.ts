/**
 * The proof: real programs behind a real `rollcall up` while nodes are started, ended, drained and killed, and while
 * the coordinator and then everything is killed. An open-loop client in a process of its own is the judge's witness.
 *
 * While all processes of `up` are dead, the schedule of the client pauses. The pause begins when no request is open and ends when
 * the proxy accepts again. No other time is left out.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startClient } from './client-process.ts';
import { LiveCluster, type Program } from './cluster.ts';
import { type DeadPort, listenOnDeadPort } from './dead-port.ts';
import { nowMs } from './instant.ts';
import { type JoinVerdict, judge, judgeJoin, type Verdict } from './judge.ts';
import type { Burst, Plan, SiteName } from './schedule.ts';

const TOMCAT = { home: '/usr/share/tomcat10', examples: '/usr/share/tomcat10-examples/examples' };
const hasTomcat = existsSync(join(TOMCAT.home, 'bin', 'catalina.sh')) && existsSync(TOMCAT.examples);
const KILL_EVERY_MS = 4_000;
/** Time that a node holds requests of a burst, milliseconds. */
const HOLD_MS = 2_000;
/** Delay after which a burst is in flight and reported to the coordinator, milliseconds. */
export const BURST_MS = 900;

/** Times of the events, milliseconds from the client's start, and the expected observations. */
export interface Course {
  readonly drainAtMs: number;
  readonly kills: number;
  readonly killsFromMs: number;
  readonly killControlAtMs: number;
  readonly leaveAtMs: number;
  readonly killAllAtMs: number;
  readonly durationMs: number;
  readonly requests: number;
  readonly sessions: number;
}

/** The programs of a proof, by their part in it. */
export interface Cast {
  readonly sites: readonly SiteName[];
  /** Site of the bursts, and of the nodes that are killed. */
  readonly victims: SiteName;
  /** Starts the first nodes. Resolves to the nodes that are killed later. */
  start(cluster: LiveCluster): Promise<Program[]>;
  /** Ids of the nodes that join under traffic. All but the first one leave in order later. */
  readonly joins: readonly string[];
  join(cluster: LiveCluster, id: string): Promise<Program>;
  leave(cluster: LiveCluster, program: Program): Promise<void>;
  /** Starts a killed node again. */
  restart(cluster: LiveCluster, killed: Program): Promise<Program>;
  /** Id of the node that is drained. */
  readonly drained: string;
  /** Another program has the port of a killed node so long after it, milliseconds: on a busy machine the workers need some. */
  readonly takenAfterMs: number;
}

/** Programs with the SDK and under `rollcall run`, over HTTP. */
function allPrograms(): Cast {
  return {
    sites: ['files', 'express', 'fastify', 'urls', ...(hasTomcat ? (['guess'] as const) : [])],
    victims: 'fastify',
    start: async (cluster) => {
      const first = await Promise.all([
        cluster.startSdk('express', 'express-1'),
        ...['fastify-1', 'fastify-2', 'fastify-3'].map((id) => cluster.startSdk('fastify', id)),
        cluster.startUrls('urls-1'),
        cluster.startUrls('urls-2'),
        cluster.startFiles('files-1'),
        cluster.startFiles('files-2'),
        ...(hasTomcat ? [cluster.startGuess('guess-1', TOMCAT), cluster.startGuess('guess-2', TOMCAT)] : []),
      ]);
      return first.filter(({ site }) => site === 'fastify');
    },
    joins: [2, 3, 4, 5].map((n) => `express-${n}`),
    join: (cluster, id) => cluster.startSdk('express', id),
    leave: (cluster, program) => cluster.terminate(program),
    restart: (cluster, { id }) => cluster.startSdk('fastify', id),
    drained: 'urls-2',
    takenAfterMs: 250,
  };
}

/** Tomcats, over AJP. */
export const TOMCATS_OVER_AJP: Cast = {
  sites: ['servlet'],
  victims: 'servlet',
  start: (cluster) => Promise.all(['servlet-1', 'servlet-2', 'servlet-3'].map((id) => cluster.startServlet(id))),
  joins: ['servlet-4', 'servlet-5'],
  join: (cluster, id) => cluster.startServlet(id),
  leave: (cluster, program) => cluster.terminateServlet(program),
  restart: (cluster, killed) => cluster.restartServlet(killed),
  drained: 'servlet-4',
  // `rollcall join` finds the end of its program with the next heartbeat, and reports it as there until then.
  takenAfterMs: 2_000,
};

/** `requests` with delayed responses, so that many are in flight when a node is killed. */
export function burstOf(requests: number, site: SiteName = 'fastify'): Burst {
  return { site, spanMs: 300, requests, holdMs: HOLD_MS };
}

/** Traffic of all `sites`. */
export function planOf(durationMs: number, sites: readonly SiteName[]): Plan {
  const traffic = [
    { site: 'files', newSessionsPerSecond: 2, visits: [2, 8], gapMs: 500, posts: false, residents: 10 },
    { site: 'guess', newSessionsPerSecond: 1, visits: [3, 10], gapMs: 700, posts: true, residents: 10 },
    { site: 'express', newSessionsPerSecond: 15, visits: [2, 8], gapMs: 600, posts: true, residents: 60 },
    { site: 'fastify', newSessionsPerSecond: 8, visits: [2, 8], gapMs: 600, posts: true, residents: 60 },
    { site: 'urls', newSessionsPerSecond: 6, visits: [2, 8], gapMs: 600, posts: true, residents: 30 },
    { site: 'servlet', newSessionsPerSecond: 8, visits: [2, 8], gapMs: 600, posts: true, residents: 60 },
  ] as const;
  return {
    seed: 20_261_121,
    durationMs,
    traffic: traffic.filter(({ site }) => sites.includes(site)),
  };
}

/** Index of the node with most requests in flight: one that was just started again has the newest sessions, and few of them. */
async function busiestOf(cluster: LiveCluster, programs: readonly Program[]): Promise<number> {
  const response = await fetch(`${cluster.controlUrl}/v1/nodes`);
  const { nodes } = (await response.json()) as { nodes: readonly { id: string; inFlight: number }[] };
  const inFlight = programs.map(({ id }) => nodes.find((node) => node.id === id)?.inFlight ?? 0);
  return inFlight.indexOf(Math.max(...inFlight));
}

/** Plays `course` and judges it. */
export function proveLiveCluster(t: TestContext, course: Course): Promise<void> {
  if (!hasTomcat) {
    if (process.env['CI'] === 'true')
      assert.fail('tomcat10-examples is missing: apt-get install tomcat10-common tomcat10-examples');
    t.diagnostic('without the Tomcat part: apt-get install tomcat10-common tomcat10-examples');
  }
  return proveWith(allPrograms(), t, course);
}

/** The same with other programs. */
export async function proveWith(cast: Cast, t: TestContext, course: Course): Promise<void> {
  const cluster = await LiveCluster.start();
  t.after(() => cluster.close());
  const victims = await cast.start(cluster);
  const plan = { ...planOf(course.durationMs, cast.sites), bursts: [burstOf(180, cast.victims)] };
  const client = startClient(cluster, plan);
  await client.next('started');
  const startMs = nowMs();
  const at = (ms: number): Promise<unknown> => sleep(Math.max(0, startMs + ms - nowMs()));
  const joins: Program[] = [];
  const deadPorts: DeadPort[] = [];

  await at(5_000);
  for (const id of cast.joins) joins.push(await cast.join(cluster, id));

  await at(course.drainAtMs);
  const drained = await cluster.cli('drain', cast.drained, '--deadline', '3s', '--wait', '--reason', 'deploy');
  assert.ok(drained.code === 0 || drained.code === 4, drained.stderr);
  const enabled = await cluster.cli('enable', cast.drained);
  assert.equal(enabled.code, 0, enabled.stderr);

  for (let round = 0; round < course.kills; round++) {
    await at(course.killsFromMs + round * KILL_EVERY_MS);
    client.burst();
    await sleep(BURST_MS);
    const slot = await busiestOf(cluster, victims);
    const victim = victims[slot]!;
    await cluster.kill(victim);
    const dead = await listenOnDeadPort(victim.port, cast.takenAfterMs);
    deadPorts.push(dead);
    await sleep(900);
    await dead.close();
    victims[slot] = await cast.restart(cluster, victim);
  }

  await at(course.killControlAtMs);
  await cluster.killControl();

  await at(course.leaveAtMs);
  await Promise.all(joins.slice(1).map((program) => cast.leave(cluster, program)));

  await at(course.killAllAtMs);
  await client.pause();
  await cluster.killUp();
  await cluster.startUp();
  client.resume();

  const report = await client.finish();
  const visits = client.visits();
  const unfinished = new Map(
    [...cluster.unfinished()].filter(([, { instance }]) =>
      cluster.lives.some((life) => life.instance === instance && life.end === 'killed'),
    ),
  );
  const verdict = judge(visits, cluster.lives, unfinished);
  const joined = joins.map(({ life }) => judgeJoin(life, visits, cluster.lives));
  t.diagnostic(tableOf(verdict, joined, deadPorts, report));

  assert.deepEqual(verdict.failed, [], 'no request fails');
  assert.deepEqual(verdict.strayed, [], 'no session leaves a node that is there');
  assert.ok(verdict.requests >= course.requests, `${verdict.requests} requests`);
  assert.ok(verdict.sessions >= course.sessions, `${verdict.sessions} sessions`);
  for (const life of cluster.lives.filter(({ end }) => end === 'killed')) {
    const atRisk = [...unfinished.values()].filter(({ instance }) => instance === life.instance).length;
    assert.ok(atRisk >= 20, `${atRisk} requests were in flight on ${life.instance}`);
  }
  assert.equal(
    deadPorts.reduce((sum, port) => sum + port.requests(), 0),
    0,
    'dead ports see probes only',
  );
  for (const { node, firstSessionMs, shareRatio } of joined) {
    assert.ok(firstSessionMs <= 2_000, `${node} got its first session after ${firstSessionMs} ms`);
    assert.ok(shareRatio <= 1.5, `${node} got ${shareRatio} times its share`);
  }
  // A coarse check: the limits above are seconds, and benchmarks measure the machine.
  assert.ok(report.loopDelayP99Ms < 200, `the client was late itself: loop delay p99 ${report.loopDelayP99Ms} ms`);
}

function tableOf(
  verdict: Verdict,
  joins: readonly JoinVerdict[],
  ports: readonly DeadPort[],
  report: { loopDelayP99Ms: number; connections: number },
): string {
  const rows: [string, string | number][] = [
    ['requests', verdict.requests],
    ['sessions', verdict.sessions],
    ['connections of the client', report.connections],
    ['in flight on killed nodes', verdict.atRisk],
    ['  of these excused (not repeatable, or begun)', verdict.excused],
    ['failed', verdict.failed.length],
    ['sessions that left a node that was there', verdict.strayed.length],
    ['sessions that moved after the end of their node', verdict.moved],
    ['requests to dead ports', ports.reduce((sum, port) => sum + port.requests(), 0)],
    ['probes of dead ports', ports.reduce((sum, port) => sum + port.probes(), 0)],
    [
      'first session of a new node after, at most',
      `${Math.round(Math.max(...joins.map(({ firstSessionMs }) => firstSessionMs)))} ms`,
    ],
    ['share of a new node over fair, at most', Math.max(...joins.map(({ shareRatio }) => shareRatio)).toFixed(2)],
    [
      'latency p50 / p99 / max',
      `${verdict.p50Ms.toFixed(1)} / ${verdict.p99Ms.toFixed(0)} / ${verdict.maxMs.toFixed(0)} ms`,
    ],
    ["client's loop delay p99", `${report.loopDelayP99Ms.toFixed(1)} ms`],
  ];
  return rows.map(([name, value]) => `${name.padEnd(52)} ${value}`).join('\n');
}
