/**
 * Plays one scenario and prints its `DrillReport` as JSON. Started in a sandbox (`sandbox.ts`) with the scenario's name,
 * the root of the built product, and an empty folder. Ends when its standard input does.
 */
import { rmSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { nowMs } from '../live-cluster/instant.ts';
import { Client } from './client.ts';
import { Cluster } from './cluster.ts';
import { begin, type Fault, isOutage } from './fault.ts';
import { judge } from './judge.ts';
import { type LongConnections, openLongConnections } from './long-connections.ts';
import { PROXY_PORT } from './net.ts';
import { ownersByPeerPort, raisePriorities } from './processes.ts';
import { complaints, figures, type Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios/scenarios.ts';

export interface DrillReport {
  readonly figures: string;
  /** Empty when everything is as expected. */
  readonly complaints: readonly string[];
}

/** When tunnels and the upload begin, from the start of the schedule. */
const LONG_CONNECTIONS_AT_MS = 3_000;
const OWNERS_EVERY_MS = 500;

process.stdin.resume();
const [name, root, dir] = process.argv.slice(2);
process.stdin.on('end', () => {
  // The test process has ended first and cannot remove the folder.
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  process.exit(1);
});
const scenario = SCENARIOS.find((one) => one.name === name);
if (scenario === undefined || root === undefined || dir === undefined) throw new Error('drill.ts NAME ROOT FOLDER');
process.stdout.write(JSON.stringify(await play(scenario, root, dir)), () => process.exit(0));

async function play(plan: Scenario, productRoot: string, folder: string): Promise<DrillReport> {
  const nodes = plan.nodes ?? ['sdk', 'sdk', 'sdk', 'sdk'];
  const cluster = await Cluster.start(productRoot, folder, {
    nodes,
    workers: plan.workers ?? 1,
    copies: plan.copies ?? 1,
    ...(plan.ready !== undefined && { ready: plan.ready }),
    upFlags: [],
    foreign: plan.faults.flatMap((fault) => (fault.type === 'give-address-away' ? [fault.node] : [])),
  });
  const owners = new Map<number, number>();
  const client = new Client(
    PROXY_PORT,
    {
      perSecond: plan.perSecond ?? 100,
      lengthMs: plan.lengthMs,
      residents: plan.residents ?? 40,
      visitorRatio: plan.visitorRatio ?? 0.05,
      ...(plan.residentsAt !== undefined && { residentsAt: plan.residentsAt }),
      ...(plan.cutWorker !== undefined && { hasConnectionPerSession: true }),
    },
    (port) => owners.get(port),
  );
  await client.settle(cluster.ids);
  // A start takes much processor time, which the schedules of other scenarios need.
  raisePriorities();
  if (plan.cutWorker !== undefined) void followOwners(cluster, owners);
  const startMs = nowMs();
  const ended = client.run();
  const tunnels = plan.longConnectionsTo === undefined ? undefined : openLater(client, plan.longConnectionsTo);
  const times = await playFaults(plan.faults, cluster, startMs);
  await ended;
  const broken = tunnels === undefined ? [] : await (await tunnels).end();
  await cluster.net.end();
  const judgedWorker = plan.cutWorker === undefined ? undefined : cluster.workerPids[2 - plan.cutWorker];
  const ledger = {
    exchanges: client.exchanges,
    outages: cluster.outages,
    broken: [...broken, ...cluster.net.idle],
    ...times,
    ...(judgedWorker !== undefined && { judgedWorker }),
  };
  const verdict = judge(ledger, plan.expect.failedFromMs ?? 0);
  return {
    figures: `${figures(verdict)}, schedule late by ${Math.round(client.latestMs)} ms`,
    complaints: complaints(plan.expect, verdict),
  };
}

/** A fault of a node: its time in the plan, and the time at which it was in force. */
interface Begun {
  readonly atMs: number;
  readonly inForceMs: Promise<number>;
}

/**
 * Does the faults at their times. A second fault of a node keeps its distance from the first, which may be late. Resolves,
 * when the last has begun, with the times of the first that stops a node.
 */
async function playFaults(
  faults: readonly Fault[],
  cluster: Cluster,
  startMs: number,
): Promise<{ readonly faultMs: number; readonly inForceMs: number }> {
  const judged = faults.find(isOutage) ?? faults[0];
  const times = { faultMs: 0, inForceMs: 0 };
  const lastOfNode = new Map<number, Begun>();
  const playOne = async (fault: Fault, before: Begun | undefined): Promise<number> => {
    const earliestMs = before === undefined ? 0 : (await before.inForceMs) + fault.atMs - before.atMs;
    await pause(Math.max(0, Math.max(startMs + fault.atMs, earliestMs) - nowMs()));
    if (fault === judged) times.faultMs = nowMs();
    await begin(fault, cluster, (error) => {
      process.stderr.write(`${fault.type} did not end: ${String(error)}\n`);
      process.exit(1);
    });
    if (fault === judged || (fault.atMs === judged?.atMs && isOutage(fault))) times.inForceMs = nowMs();
    return nowMs();
  };
  const all = faults.map((fault) => {
    const node = 'node' in fault ? fault.node : undefined;
    const inForceMs = playOne(fault, node === undefined ? undefined : lastOfNode.get(node));
    if (node !== undefined) lastOfNode.set(node, { atMs: fault.atMs, inForceMs });
    return inForceMs;
  });
  await Promise.all(all);
  return times;
}

async function openLater(client: Client, node: string): Promise<LongConnections> {
  await pause(LONG_CONNECTIONS_AT_MS);
  const there = client.residents.filter(({ home }) => home === node);
  if (there.length === 0) throw new Error(`no session lives at ${node}`);
  return openLongConnections(
    PROXY_PORT,
    there.map((session) => client.cookiesOf(session)),
  );
}

/** Keeps `owners` up to date: which worker has the connection from a port of the client. */
async function followOwners(cluster: Cluster, owners: Map<number, number>): Promise<void> {
  for (;;) {
    for (const [port, pid] of ownersByPeerPort(PROXY_PORT, cluster.workerPids)) owners.set(port, pid);
    await pause(OWNERS_EVERY_MS);
  }
}
