/**
 * docker-compose.yml on a real engine. It starts without settings. Its programs are scaled and redeployed under load from outside
 * the containers without a failed request.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { get } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { TYPESCRIPT } from '@rollcall/core/testing';
import type { ClientOptions } from '../live-cluster/client.ts';
import { clientOf } from '../live-cluster/client-process.ts';
import { nowMs } from '../live-cluster/instant.ts';
import { judge, type Life, type Verdict } from '../live-cluster/judge.ts';
import type { Visit } from '../live-cluster/ledger.ts';
import type { Plan, VisitKind } from '../live-cluster/schedule.ts';
import { ComposeCluster, SERVICES } from './compose-cluster.ts';
import { Engine } from './engine.ts';

const TIMEOUT_MS = 12 * 60_000;
const CLIENT = fileURLToPath(new URL('../live-cluster/client.ts', import.meta.url));
/** When containers get the signal to end, milliseconds from the start. */
const [SCALE_DOWN_MS, END_OLD_MS] = [16_000, 42_000];
/** Requests start this long before containers are stopped, and are still in flight then, milliseconds. */
const BURST_MS = 500;
const PLAN: Plan = {
  seed: 20_261_121,
  durationMs: 60_000,
  traffic: [
    { site: 'app', newSessionsPerSecond: 12, visits: [2, 8], gapMs: 600, posts: true, residents: 60 },
    { site: 'wiki', newSessionsPerSecond: 6, visits: [2, 8], gapMs: 600, posts: false, residents: 30 },
  ],
  bursts: SERVICES.map((site) => ({ site, spanMs: BURST_MS, requests: 200, holdMs: 4_000 })),
};

/** Resolves when the client's schedule has begun. */
async function startClient(cluster: ComposeCluster): Promise<ReturnType<typeof clientOf>> {
  const file = join(cluster.dir, 'visits');
  const options: ClientOptions = { proxyPort: cluster.sitePort, plan: PLAN, file };
  const client = clientOf(
    spawn(process.execPath, [...TYPESCRIPT, CLIENT, JSON.stringify(options)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    }),
    file,
  );
  await client.next('started');
  return client;
}

const POSTS: ReadonlySet<VisitKind> = new Set(['post', 'chunked', 'slow-post']);

const engine = await Engine.find();

if (typeof engine === 'string') test('the cluster of docker-compose.yml', { skip: engine });
else describe('the cluster of docker-compose.yml', { timeout: TIMEOUT_MS }, () => holds(engine));

function holds(engine: Engine): void {
  let cluster: ComposeCluster;
  before(async () => {
    cluster = await ComposeCluster.create(engine);
    await cluster.compose('build');
  });
  after(async () => {
    await cluster?.close();
    await engine.close();
  });

  test('starts with nothing set', async () => {
    await cluster.up({ app: 2, wiki: 2 });
    for (const path of ['/', '/wiki/']) {
      const response = await fetch(`http://127.0.0.1:${cluster.sitePort}${path}`);
      assert.match(await response.text(), /^[0-9a-f]{12} has seen you 1 time\n$/);
    }
  });

  test('its log has the login link for browsers, and without it no page is readable', async () => {
    const [link = ''] = /http:\/\/localhost:\d+\/login\?code=\S+/.exec(await cluster.logs('rollcall')) ?? [];
    const { port, pathname, search } = new URL(link);
    assert.equal(port, String(cluster.controlPort));
    const statusOf = (path: string, headers: Readonly<Record<string, string>>): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        get({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
          response.resume();
          resolve(response.statusCode);
        }).on('error', reject);
      });
    const host = `localhost:${port}`;
    assert.equal(await statusOf('/v1/status', { host }), 401);
    assert.equal(await statusOf(pathname + search, { host: 'elsewhere.example' }), 421);
    assert.equal(await statusOf(pathname + search, { host }), 303);
  });

  test('a node can read the join token, and nothing else of the coordinator', async () => {
    const rights = (service: string, path: string): Promise<string> =>
      cluster.compose('exec', '-T', service, 'stat', '-c', '%a %u:%g', path).then((text) => text.trim());
    assert.equal(await rights('rollcall', '/run/rollcall/join-token'), '640 8400:8400');
    assert.equal(await rights('rollcall', '/var/lib/rollcall/8400/admin-token'), '600 8400:8400');
    for (const service of SERVICES) {
      assert.match(await cluster.compose('exec', '-T', service, 'cat', '/run/rollcall/join-token'), /^[\w-]{43}\n$/);
      assert.equal((await cluster.compose('exec', '-T', service, 'ls', '/run/rollcall')).trim(), 'join-token');
      await assert.rejects(cluster.compose('exec', '-T', service, 'touch', '/run/rollcall/join-token'));
      await assert.rejects(cluster.compose('exec', '-T', service, 'ls', '/var/lib/rollcall/8400'));
    }
  });

  test('its first process collects orphans', async () => {
    const orphan = "(sh -c 'sleep 0.2 & exec true' &); sleep 1; cat /proc/[0-9]*/stat";
    const states = (await cluster.compose('exec', '-T', 'wiki', 'sh', '-c', orphan)).trim().split('\n');
    assert.ok(states.length >= 4, states.join('\n'));
    assert.deepEqual(
      states.filter((line) => / Z /.test(line)),
      [],
    );
  });

  test('scaled up and down and redeployed under load, it loses no request and no session', async (t) => {
    const client = await startClient(cluster);
    const startMs = nowMs();
    const at = (ms: number): Promise<void> => sleep(Math.max(0, startMs + ms - nowMs()));

    await at(4_000);
    await cluster.up({ app: 5, wiki: 3 });
    await at(SCALE_DOWN_MS - BURST_MS);
    client.burst();
    await sleep(BURST_MS);
    await cluster.up({ app: 2, wiki: 2 });

    // As in README.md: new containers start beside the old ones, then the old ones end.
    await at(28_000);
    const old = [...(await cluster.containers('app')), ...(await cluster.containers('wiki'))];
    assert.equal(old.length, 4);
    cluster.release('second');
    await cluster.up({ app: 4, wiki: 4 }, '--no-recreate');
    await at(END_OLD_MS - BURST_MS);
    client.burst();
    await sleep(BURST_MS);
    await cluster.stop(old);
    await cluster.up({ app: 2, wiki: 2 }, '--no-recreate');

    await client.finish();
    const visits = client.visits();
    const verdicts = SERVICES.map((site) =>
      judge(
        visits.filter((visit) => visit.site === site),
        cluster.lives,
        new Map(),
      ),
    );
    t.diagnostic(tableOf(verdicts, cluster, visits));
    const now = [...(await cluster.containers('app')), ...(await cluster.containers('wiki'))];
    assert.equal(now.length, 4);
    assert.deepEqual(
      now.filter((id) => old.includes(id)),
      [],
    );
    for (const { failed, strayed } of verdicts) {
      assert.deepEqual(failed, [], 'no request fails');
      assert.deepEqual(strayed, [], 'no session leaves a present node');
    }
    assert.ok(visits.length >= 5_000, `${visits.length} requests`);
    for (const life of cluster.lives)
      assert.ok(
        visits.some(({ instance }) => instance === life.instance),
        `${life.site} ${life.instance} has answered no request`,
      );
    const ended = cluster.lives.filter(({ end }) => end === 'terminated');
    assert.equal(ended.length, 8);
    for (const site of SERVICES) {
      const inFlight = ended.filter((life) => life.site === site).map((life) => inFlightAt(life, visits));
      const sum = inFlight.reduce((all, count) => all + count, 0);
      assert.ok(sum >= 5, `${sum} requests were in flight on ${site} at the signal to end`);
    }
  });

  test('a coordinator that was killed comes back, with its token, its state and its nodes', async () => {
    const [id = ''] = await cluster.containers('rollcall');
    const token = await cluster.compose('exec', '-T', 'rollcall', 'cat', '/run/rollcall/join-token');
    await cluster.docker('kill', id);
    await cluster.docker('start', id);
    while (!(await cluster.docker('ps', '--filter', `id=${id}`, '--format', '{{.Status}}')).includes('(healthy)'))
      await sleep(250);
    await cluster.untilUp({ app: 2, wiki: 2 });
    assert.equal(await cluster.compose('exec', '-T', 'rollcall', 'cat', '/run/rollcall/join-token'), token);
  });
}

/** Requests that a container answered after the signal to end. */
function inFlightAt(life: Life, visits: readonly Visit[]): number {
  return visits.filter(
    ({ instance, sentMs, doneMs }) => instance === life.instance && sentMs < life.endMs && doneMs > life.endMs,
  ).length;
}

function tableOf(verdicts: readonly Verdict[], cluster: ComposeCluster, visits: readonly Visit[]): string {
  const containers = (site: string, end?: string): number =>
    cluster.lives.filter((life) => life.site === site && (end === undefined || life.end === end)).length;
  // Without those whose body takes its time by itself.
  const quick = SERVICES.map((site) =>
    judge(
      visits.filter((visit) => visit.site === site && visit.kind !== 'slow-post'),
      cluster.lives,
      new Map(),
    ),
  );
  const rows: (readonly [string, ...(string | number)[]])[] = [
    ['', ...SERVICES],
    ['requests', ...verdicts.map(({ requests }) => requests)],
    [
      '  of these POST',
      ...SERVICES.map((site) => visits.filter((visit) => visit.site === site && POSTS.has(visit.kind)).length),
    ],
    ['sessions', ...verdicts.map(({ sessions }) => sessions)],
    ['containers', ...SERVICES.map((site) => containers(site))],
    ['  of these ended', ...SERVICES.map((site) => containers(site, 'terminated'))],
    [
      'requests in flight on them at the signal to end',
      ...SERVICES.map((site) =>
        cluster.lives.filter((life) => life.site === site).reduce((sum, life) => sum + inFlightAt(life, visits), 0),
      ),
    ],
    ['failed', ...verdicts.map(({ failed }) => failed.length)],
    ['sessions that left a node that was there', ...verdicts.map(({ strayed }) => strayed.length)],
    ['sessions that moved after the end of their container', ...verdicts.map(({ moved }) => moved)],
    ['latency p50, ms', ...quick.map(({ p50Ms }) => p50Ms.toFixed(1))],
    ['latency p99, ms', ...quick.map(({ p99Ms }) => p99Ms.toFixed(0))],
    ['latency max, ms', ...quick.map(({ maxMs }) => maxMs.toFixed(0))],
  ];
  return rows
    .map(([name, ...cells]) => `${name.padEnd(52)}${cells.map((cell) => String(cell).padStart(8)).join('')}`)
    .join('\n');
}
