/**
 * Plays one drill of two coordinators and prints its `DrillVerdict` as JSON. Started in a sandbox (`../sandbox.ts`) with the drill's name,
 * the roots of built products (`Roots` as JSON), and an empty folder. Ends when its standard input does.
 */
import { rmSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { StatusResource } from '@rollcall/protocol';
import { nowMs } from '../../live-cluster/instant.ts';
import { Client } from '../client.ts';
import type { Exchange } from '../ledger.ts';
import { raisePriorities } from '../processes.ts';
import { DRILLS, requestsOf } from './drills.ts';
import { type Played, play } from './fault.ts';
import { Pair, type Roots } from './pair.ts';
import { type Check, type CoordinatorDrill, FAULT_MS } from './plan.ts';
import { type Asked, ask, lostRequests, textOf, wrongEnds } from './requests.ts';
import { type Settled, settle } from './settling.ts';
import { type DrillVerdict, judgeDrill, type KilledProxy } from './verdict.ts';

const PER_SECOND = 40;
const RESIDENTS = 32;
const VISITOR_RATIO = 0.05;
/** Share of the requests of a session that go through the other proxy. */
const CROSS_RATIO = 0.1;
/** When the first coordinator is asked for its name of the fault, after it. */
const NAMED_AFTER_MS = 3_500;
/** Interval in which a check is repeated. */
const LOOK_EVERY_MS = 250;
/** Longest wait for equal views before the drill. */
const START_MS = 60_000;
/** Longest wait for them after healing. */
const HEALING_MS = 20_000;

process.stdin.resume();
const [name, roots, dir] = process.argv.slice(2);
process.stdin.on('end', () => {
  // The test process has ended first and cannot remove the folder.
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  process.exit(1);
});
const drill = DRILLS.find((one) => one.name === name);
if (drill === undefined || roots === undefined || dir === undefined) throw new Error('drill.ts NAME ROOTS FOLDER');
process.env['TMPDIR'] = dir;
process.stdout.write(JSON.stringify(await playDrill(drill, JSON.parse(roots) as Roots, dir)), () => process.exit(0));

async function playDrill(plan: CoordinatorDrill, products: Roots, folder: string): Promise<DrillVerdict> {
  const { agents = 'both', stores = 'shared', starts = 'current', early = [], needsFakeClock = false } = plan;
  const pair = await Pair.start(products, folder, { agents, stores, starts, early, hasFakeClock: needsFakeClock });
  const clients = [0, 1].map((at) => clientOf(plan, pair, at));
  await Promise.all(clients.map((client) => client.settle(pair.ids)));
  // Without a shared Redis the views are never equal: each cluster has a cookie of its own.
  if (stores === 'shared') await settle(pair, true, START_MS);
  // A start takes much processor time, which the schedules of other drills need.
  raisePriorities();
  const startMs = nowMs();
  const ended = Promise.all(clients.map((client) => client.run()));
  const at = (ms: number): Promise<void> => pause(Math.max(0, startMs + ms - nowMs()));
  const asking = requestsOf(plan).map(async (request) => {
    await at(request.atMs);
    return ask(request, pair.coordinators);
  });
  const ending = asking.map(async (one) => wrongEnds(await one, pair.coordinators));
  const naming = at(FAULT_MS + NAMED_AFTER_MS).then(() => isNamed(plan, pair));
  const looking = (plan.checks ?? []).map(async (check) => {
    await at(check.fromMs);
    return look(check, pair, startMs + check.untilMs);
  });
  const playing = plan.faults.map(async (fault) => {
    await at(fault.atMs);
    return play(fault, pair);
  });
  const played = await Promise.all(playing);
  const healedMs = Math.max(...played.map((one) => one.healedMs));
  const settled = await settle(pair, stores === 'shared', HEALING_MS);
  const asked = await Promise.all(asking);
  // Requests that came after healing have to arrive, too.
  const last = settled.settledAtMs === undefined ? settled : await settle(pair, stores === 'shared', HEALING_MS);
  await ended;
  const misnamed = await naming;
  const seen = (await Promise.all(looking)).flat();
  const ends = (await Promise.all(ending)).flat();
  const exchanges = clients.flatMap((client) => client.exchanges);
  report(exchanges, played, pair, startMs);
  return judgeDrill({
    exchanges,
    lateMs: Math.max(...clients.map(({ latestMs }) => latestMs)),
    killed: killedBy(pair),
    equalAfterMs: settled.equalAtMs && settled.equalAtMs - healedMs,
    settledAfterMs: settled.settledAtMs && settled.settledAtMs - healedMs,
    drained: requestsOf(plan).flatMap((one) => (one.type === 'drain' && one.body.deadlineMs ? one.node : [])),
    broken: [
      ...ends,
      ...seen,
      ...played.flatMap(({ idle }) => idle ?? []),
      ...(misnamed === undefined ? [] : [misnamed]),
      ...last.found,
      ...lost(asked, last),
    ],
  });
}

function clientOf(plan: CoordinatorDrill, { coordinators }: Pair, at: number): Client {
  const [own, other] = at === 0 ? coordinators : [coordinators[1], coordinators[0]];
  return new Client(own.proxyPort, {
    perSecond: PER_SECOND,
    lengthMs: plan.lengthMs,
    residents: RESIDENTS,
    visitorRatio: VISITOR_RATIO,
    prefix: own.name,
    other: { port: other.proxyPort, ratio: CROSS_RATIO, repeatsRefused: plan.repeatsRefused === true },
  });
}

/** Repeats a check until nothing is wrong. Returns what is still wrong at the end. */
async function look({ find }: Check, pair: Pair, endMs: number): Promise<readonly string[]> {
  for (; ; await pause(LOOK_EVERY_MS)) {
    const found = await find(pair).catch((error: unknown) => [`a look at the cluster failed: ${error}`]);
    if (found.length === 0 || nowMs() > endMs) return found;
  }
}

/** Prints for people when each fault was, and the first failed requests. Times count from the start of the schedule. */
function report(
  exchanges: readonly Exchange[],
  played: readonly Played[],
  { coordinators }: Pair,
  startMs: number,
): void {
  const after = (ms: number): number => Math.round(ms - startMs);
  for (const { fault, beganMs, inForceMs, healedMs } of played)
    process.stderr.write(`${fault.type} from ${after(beganMs)} (${after(inForceMs)}) to ${after(healedMs)} ms\n`);
  for (const { id, session, method, port, arrivedMs, endMs, error } of exchanges
    .filter((one) => one.error)
    .slice(0, 20)) {
    const proxy = coordinators.find(({ proxyPort }) => proxyPort === port)?.name;
    process.stderr.write(
      `${id} ${session} ${method} at ${proxy} ${after(arrivedMs)} to ${after(endMs)} ms: ${error}\n`,
    );
  }
}

/** Requests that are in force nowhere, with the answers that claimed it. */
function lost(asked: readonly Asked[], { views }: Settled): string[] {
  for (const one of asked) process.stderr.write(`${textOf(one)}\n`);
  return lostRequests(asked, views, nowMs());
}

/** A sentence when the first coordinator does not name the fault of Redis. */
async function isNamed({ names }: CoordinatorDrill, { coordinators: [first] }: Pair): Promise<string | undefined> {
  if (names === undefined) return undefined;
  const { body } = await first.api('GET', '/v1/status');
  const { sharing } = body as StatusResource;
  const text = sharing?.refusal ?? sharing?.lastError ?? '';
  return names.test(text) ? undefined : `the state of Redis is named ${JSON.stringify(text)}, which is not ${names}`;
}

function killedBy({ coordinators }: Pair): KilledProxy[] {
  return coordinators.flatMap(({ proxyPort, kills }) => kills.map((kill) => ({ port: proxyPort, ...kill })));
}
