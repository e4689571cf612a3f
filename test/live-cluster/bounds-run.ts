/**
 * One run: three copies of a program with state under `rollcall run`, and users with one session each on all three nodes.
 * The bounds client sends requests to one of the nodes that run into bounds of the proxy or are refused early.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BoundsMessage } from './bounds-client.ts';
import { BOUNDS_KINDS, type BoundsVerdict, judgeBounds, readBoundsAnswers } from './bounds-ledger.ts';
import { messagesOf, startClient } from './client-process.ts';
import { LiveCluster, type Program } from './cluster.ts';
import { judge, type Verdict } from './judge.ts';
import { readNodeLines, type Visit } from './ledger.ts';

export const USERS = 18;
/** Visitors of the bounds client: each has one event stream, one stalled answer and one long poll open at the node. */
export const BOUNDS_VISITORS = 6;
const COPIES = 3;
const USER_GAP_MS = 500;
const POLL_MS = 45_000;
/** Bound on the time until each user has an answer. */
const SETTLE_MS = 10_000;

export interface BoundsRun {
  readonly durationMs: number;
  /** Values of `up --limit`; none for the defaults. */
  readonly limits: readonly string[];
  /** Called with the node of the bounds client, once its requests have started. */
  readonly during?: (cluster: LiveCluster, target: Program) => Promise<void>;
}

export interface BoundsOutcome {
  readonly users: Verdict;
  readonly bounds: BoundsVerdict;
  /** Users whose first answer came from the node of the bounds client. */
  readonly usersAtTarget: number;
  /** Users that another process answered after their first visit. */
  readonly usersLost: number;
}

/** Starts the cluster, plays one run and judges it. The cluster is closed after `t`. */
export async function runBounds(t: TestContext, run: BoundsRun): Promise<BoundsOutcome> {
  const cluster = await LiveCluster.start(run.limits.length === 0 ? [] : ['--limit', ...run.limits]);
  t.after(() => cluster.close());
  const programs = await cluster.startCopies('bounds', 'bounds', COPIES);
  const users = startClient(cluster, {
    seed: 20_261_201,
    durationMs: run.durationMs,
    traffic: [
      {
        site: 'bounds',
        newSessionsPerSecond: 0,
        visits: [0, 0],
        gapMs: 0,
        posts: true,
        residents: USERS,
        residentGapMs: USER_GAP_MS,
      },
    ],
  });
  await users.next('started');
  // Requests in flight decide where sessions are placed, so the bounds client starts when each user has a node.
  const target = busiestOf(programs, await firstVisits(users.visits));
  const file = join(cluster.dir, 'bounds-answers');
  const child = cluster.script('bounds-client.ts', {
    proxyPort: cluster.proxyPort,
    host: 'bounds.test',
    route: target.id,
    visitors: BOUNDS_VISITORS,
    pollMs: POLL_MS,
    file,
  });
  const bounds = messagesOf<BoundsMessage>(child);
  await bounds.next('started');
  const ended = bounds.next('done');
  ended.catch(() => undefined);
  await run.during?.(cluster, target);
  // A bounds client that crashes ends the run.
  await Promise.race([users.finish(), ended]);
  child.send('stop');
  await ended;

  const visits = users.visits();
  const outcome = {
    users: judge(visits, cluster.lives, new Map()),
    bounds: judgeBounds(readBoundsAnswers(file), readNodeLines(cluster.ledgerFile('bounds')), target.life.instance),
    usersAtTarget: visits.filter(({ index, instance }) => index === 0 && instance === target.life.instance).length,
    usersLost: usersLost(visits),
  };
  t.diagnostic(tableOf(outcome));
  return outcome;
}

/** Fails if a session moved, a user's request failed, or a request of the bounds client reached another node. */
export function assertNoneMoved({ users, bounds, usersLost }: BoundsOutcome): void {
  assert.deepEqual(users.strayed.slice(0, 5), [], `sessions that moved: ${usersLost} of ${users.sessions}`);
  assert.deepEqual(users.failed.slice(0, 5), [], `requests of users that failed: ${users.failed.length}`);
  assert.deepEqual(bounds.strayed.slice(0, 5), [], `requests that left their node: ${bounds.strayed.length}`);
  assert.deepEqual(bounds.unexpected.slice(0, 5), [], `answers of no expected kind: ${bounds.unexpected.length}`);
}

/** Resolves with the first visit of each user, when all of them are answered. */
async function firstVisits(visits: () => readonly Visit[]): Promise<readonly Visit[]> {
  const endMs = Date.now() + SETTLE_MS;
  for (;;) {
    const first = visits().filter(({ index }) => index === 0);
    if (first.length === USERS) return first;
    if (Date.now() > endMs) throw new Error(`${first.length} of ${USERS} users were answered within ${SETTLE_MS} ms`);
    await sleep(50);
  }
}

/** The program with most users: a third of them at least. */
function busiestOf(programs: readonly Program[], first: readonly Visit[]): Program {
  const usersOf = ({ life }: Program): number => first.filter(({ instance }) => instance === life.instance).length;
  return [...programs].sort((a, b) => usersOf(b) - usersOf(a))[0]!;
}

function usersLost(visits: readonly Visit[]): number {
  const instances = new Map<string, Set<string>>();
  for (const { session, instance } of visits)
    if (instance !== undefined) instances.set(session, (instances.get(session) ?? new Set()).add(instance));
  return [...instances.values()].filter(({ size }) => size > 1).length;
}

function tableOf({ users, bounds, usersAtTarget, usersLost }: BoundsOutcome): string {
  const rows: [string, string | number][] = [
    ['requests of users', users.requests],
    ['  failed', users.failed.length],
    ['users', users.sessions],
    ['  at the node of the bounds client', usersAtTarget],
    ['  that lost their session', usersLost],
    ['latency p50 / p99 / max', [users.p50Ms, users.p99Ms, users.maxMs].map((ms) => ms.toFixed(0)).join(' / ')],
    ...BOUNDS_KINDS.map((kind): [string, string] => [
      kind,
      [...bounds.outcomes[kind]].map(([outcome, count]) => `${outcome}: ${count}`).join(', '),
    ]),
    ['requests that left the node', bounds.strayed.length],
    ['answers of no expected kind', bounds.unexpected.length],
  ];
  return rows.map(([name, value]) => `${name.padEnd(40)} ${value}`).join('\n');
}
