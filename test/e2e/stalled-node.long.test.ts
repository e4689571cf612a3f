/**
 * A stalled node keeps its sessions. Its event loop is blocked, or its process is suspended, while its sessions send requests at
 * fixed times. Each session uses several connections and does not wait for earlier answers, so that hundreds of requests are at
 * the node during the stall. A session is lost if another node answers it although its own recovered within the lease.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DEFAULT_LEASE_MS } from '@rollcall/protocol';
import { TYPESCRIPT } from '../site/commands.ts';
import type { Visit } from '../site/counter.ts';
import { Site, until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

const PROGRAM = fileURLToPath(new URL('../site/programs/stalling-node.ts', import.meta.url));
/** A node that has recovered has new sessions again after this time. */
const TRUSTED_AGAIN_MS = 45_000;
const SESSIONS = 40;
/** Visits of a session that may be under way at once; with all sessions fewer than a listening socket lets wait. */
const MAX_UNDER_WAY = 10;
/** Visits of each session during the stall, unless the stall is too short. */
const VISITS_PER_STALL = 8;
const MIN_PAUSE_MS = 250;
const AFTER_MS = 3_000;

interface Stall {
  readonly how: string;
  readonly ms: number;
  readonly begin: (site: Site, port: number, child: ChildProcess) => Promise<unknown>;
}

const block = (ms: number): Stall => ({
  how: 'event loop blocked',
  ms,
  begin: (_, port) => fetch(`http://127.0.0.1:${port}/stall?ms=${ms}`, { method: 'POST' }),
});
const suspend = (ms: number): Stall => ({
  how: 'process suspended',
  ms,
  begin: async (_, __, child) => {
    child.kill('SIGSTOP');
    void sleep(ms).then(() => child.kill('SIGCONT'));
  },
});

interface Outcome {
  readonly sessions: number;
  readonly visits: number;
  /** Visits that began during the stall. */
  readonly atRisk: number;
  /** Not sent, because too many were under way. */
  readonly heldBack: number;
  readonly failed: number;
  /** Visits that another node answered although their node recovered within the lease. */
  readonly lost: number;
  /** Earliest answer of another node, milliseconds after the stall began; `undefined` for none. */
  readonly movedAfterMs: number | undefined;
}

async function startNode(site: Site, id: string): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const child = spawn(process.execPath, [...TYPESCRIPT, PROGRAM], {
    env: { ...process.env, ROLLCALL_URL: site.controlUrl, ROLLCALL_NODE_ID: id },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  await until(async () => (await site.node(id))?.liveness === 'up', `${id} is not up`);
  await site.isCurrent();
  return { child, port: (JSON.parse(line.toString()) as { port: number }).port };
}

async function play(site: Site, stall: Stall, victim: Awaited<ReturnType<typeof startNode>>): Promise<Outcome> {
  const visitors: Visitor[] = [];
  const sinceMs = performance.now();
  while (visitors.length < SESSIONS) {
    const visitor = new Visitor(site.proxyPort, { maxConnections: MAX_UNDER_WAY });
    if ((JSON.parse((await visitor.get('/')).body) as Visit).node === 'victim') visitors.push(visitor);
    else {
      visitor.close();
      assert.ok(performance.now() - sinceMs < TRUSTED_AGAIN_MS, 'the victim gets no new sessions');
      // A node that has just recovered gets new sessions gradually.
      await sleep(20);
    }
  }
  await stall.begin(site, victim.port, victim.child);
  const beganMs = performance.now();
  const endMs = beganMs + stall.ms + AFTER_MS;
  const pauseMs = Math.max(MIN_PAUSE_MS, stall.ms / VISITS_PER_STALL);
  let visits = 0;
  let atRisk = 0;
  let heldBack = 0;
  let failed = 0;
  let lost = 0;
  let movedAfterMs: number | undefined;
  const visit = async (visitor: Visitor): Promise<Visit | undefined> => {
    visits++;
    if (performance.now() - beganMs < stall.ms) atRisk++;
    const answer = await visitor.get('/', { timeoutMs: 60_000 }).catch(() => undefined);
    if (answer?.status === 200) return JSON.parse(answer.body);
    failed++;
    return undefined;
  };
  await Promise.all(
    visitors.map(async (visitor, i) => {
      const counts: number[] = [];
      let isHome = true;
      let underWay = 0;
      const ask = async (): Promise<void> => {
        underWay++;
        const seen = await visit(visitor);
        underWay--;
        if (seen?.node === 'victim') counts.push(seen.count);
        else if (seen && isHome) {
          isHome = false;
          movedAfterMs = Math.min(movedAfterMs ?? Number.POSITIVE_INFINITY, performance.now() - beganMs);
          if (stall.ms < DEFAULT_LEASE_MS) lost++;
        }
      };
      const asked: Promise<void>[] = [];
      // Sessions take turns within the first pause.
      for (let atMs = beganMs + (pauseMs * i) / visitors.length; atMs < endMs; atMs += pauseMs) {
        await sleep(Math.max(0, atMs - performance.now()));
        if (underWay < MAX_UNDER_WAY) asked.push(ask());
        else heldBack++;
      }
      await Promise.all(asked);
      // Each visit was counted once, whatever the order in which the answers came.
      if (isHome)
        assert.deepEqual(
          counts.sort((a, b) => a - b),
          counts.map((_, at) => at + 2),
        );
      visitor.close();
    }),
  );
  return { sessions: visitors.length, visits, atRisk, heldBack, failed, lost, movedAfterMs };
}

test('a stall shorter than the lease loses no session, a longer one none before its end', {
  timeout: 300_000,
}, async (t) => {
  const site = await Site.start(t);
  const other = await startNode(site, 'other');
  const victim = await startNode(site, 'victim');
  t.after(() => {
    for (const { child } of [other, victim]) child.kill('SIGKILL');
  });
  const rows: string[] = [];
  for (const stall of [block(4_000), block(8_000), suspend(5_000), block(20_000)]) {
    const outcome = await play(site, stall, victim);
    const { sessions, visits, atRisk, heldBack, failed, lost, movedAfterMs } = outcome;
    const moved =
      movedAfterMs === undefined ? 'none moved' : `first moved after ${(movedAfterMs / 1_000).toFixed(1)} s`;
    rows.push(
      `${stall.how} ${stall.ms / 1_000} s: ${sessions} sessions, ${visits} visits, ${atRisk} of them while it stood, ${heldBack} held back, ${failed} failed, ${lost} lost, ${moved}`,
    );
    assert.deepEqual([failed, lost], [0, 0], rows.at(-1));
    // At least the visits of the first pause must have met the stall.
    assert.ok(atRisk >= SESSIONS * (VISITS_PER_STALL - 1), rows.at(-1));
    if (stall.ms < DEFAULT_LEASE_MS) assert.equal(movedAfterMs, undefined);
    // A heartbeat may have come just before.
    else assert.ok(movedAfterMs === undefined || movedAfterMs > DEFAULT_LEASE_MS - 1_500, rows.at(-1));
    await until(async () => (await site.node('victim'))?.liveness === 'up', 'the node is not back');
    await site.isCurrent();
  }
  t.diagnostic(rows.join('\n'));
});
