import {
  compactDuration,
  isUnservedAdvice,
  type QuotaResource,
  type StatusResource,
  sessionsText,
} from '@rollcall/protocol';
import { Command } from 'commander';
import { table } from '../format.ts';
import { addReaderFlags, clientFor, printJson, type ReaderFlags } from './reader-flags.ts';

/** `rollcall status`: the coordinator, its workers, and problems. */
export function statusCommand(): Command {
  return addReaderFlags(new Command('status').description('show the coordinator and its workers')).action(
    async (flags: ReaderFlags) => {
      const status = await (await clientFor(flags)).get<StatusResource>('/v1/status');
      if (flags.json) printJson(status);
      else process.stdout.write(`${statusText(status)}\n`);
    },
  );
}

function endText(leftMs: number): string {
  return leftMs < 0 ? `expired ${compactDuration(-leftMs)} ago` : `expires in ${compactDuration(leftMs)}`;
}

/** Most contexts that one line names. */
const MAX_NAMED = 5;

function rememberedText(contexts: StatusResource['remembered'], nowUnixMs: number): string {
  const named = contexts
    .slice(0, MAX_NAMED)
    .map(
      ({ path, host, balancer, sinceUnixMs }) =>
        `${path} on ${host} (balancer ${balancer}, for ${compactDuration(nowUnixMs - sinceUnixMs)})`,
    );
  const more = contexts.length > MAX_NAMED ? ` and ${contexts.length - MAX_NAMED} more` : '';
  return `contexts without nodes, answered with 503 for 10 min, then by the next shorter context (rollcall forget): ${named.join(', ')}${more}`;
}

/** A quota with at least this ratio in use is always shown. */
const BUSY = 0.5;

/** The quota with the highest use, then all quotas at `BUSY` or more. Unused quotas are left out; `--json` has all. */
export function quotaLines(quotas: readonly QuotaResource[]): string[] {
  const used = quotas.filter((quota) => quota.used > 0).sort((one, other) => partOf(other) - partOf(one));
  const [highest] = used;
  if (highest === undefined) return [];
  const busy = used.filter((quota) => partOf(quota) >= BUSY);
  return [
    `highest use of a quota: ${useText(highest)}`,
    ...(busy.length === 0 ? [] : [`quotas in use at ${BUSY * 100} % or more: ${busy.map(useText).join(', ')}`]),
  ];
}

function partOf({ used, limit }: QuotaResource): number {
  return used / limit;
}

/** `nodes 120/1000 of token-a (12 %)`. */
function useText(quota: QuotaResource): string {
  const { name, used, limit, by } = quota;
  return `${name} ${used}/${limit}${by === undefined ? '' : ` of ${by}`} (${Math.round(partOf(quota) * 100)} %)`;
}

/** The certificate of the TLS port that ends first, as the workers use it. */
function siteCertificateLines({ processes, nowUnixMs }: StatusResource): string[] {
  const certificates = processes.flatMap((one) => one.certificates ?? []);
  const [first] = certificates.toSorted((one, other) => one.endsAtUnixMs - other.endsAtUnixMs);
  if (first === undefined) return [];
  const count = new Set(certificates.map(({ path }) => path)).size;
  const what = count === 1 ? 'site certificate' : `site certificates: ${count}, the first to end is`;
  return [`${what} ${first.path}: ${endText(first.endsAtUnixMs - nowUnixMs)}`];
}

/** The memory of all coordinators, and the other coordinators. */
function sharingLines({ sharing, nowUnixMs }: StatusResource): string[] {
  if (sharing === undefined) return [];
  const { kind, isReachable, sinceUnixMs, lastError, refusal, waiting, coordinators } = sharing;
  const problem = refusal ?? (isReachable ? undefined : (lastError ?? 'no answer'));
  const state =
    problem === undefined
      ? 'shared'
      : `not shared for ${compactDuration(nowUnixMs - sinceUnixMs)} (${problem}), ${waiting === 1 ? '1 record waits' : `${waiting} records wait`}`;
  const others = coordinators.filter(({ isOwn }) => !isOwn);
  return [
    `shared memory ${kind}: ${state}`,
    others.length === 0
      ? 'no other coordinator is known'
      : `other coordinators: ${others.map(({ name, liveness }) => `${name} ${liveness}`).join(', ')}`,
  ];
}

function statusText(status: StatusResource): string {
  const { controlCertificate, nodes, parked, quotas, remembered, state, store, totals, unserved } = status;
  const lines = [
    ...unserved.map(
      ({ balancer, host, path, cause, message, remedy }) =>
        `! ${path} on ${host} (balancer ${balancer}) is not served, ${cause}: ${message}\n  to do: ${remedy}`,
    ),
    `${status.name} ${status.version}, up ${compactDuration(status.nowUnixMs - status.startedAtUnixMs)}, revision ${status.revision}${status.isSettled ? '' : ', not settled yet'}`,
    `site ${status.proxy}, control ${status.control}`,
    ...(controlCertificate === undefined
      ? []
      : [
          `control certificate ${controlCertificate.path}: ${endText(controlCertificate.endsAtUnixMs - status.nowUnixMs)}`,
        ]),
    ...siteCertificateLines(status),
    `store ${store.kind}: ${store.isReachable ? 'reachable' : `${store.kind === 'file' ? 'not writable' : 'unreachable'} for ${compactDuration(status.nowUnixMs - store.sinceUnixMs)}${store.lastError ? ` (${store.lastError})` : ''}, ${store.waiting} records wait`}`,
    ...sharingLines(status),
    ...(state.isWritable
      ? []
      : [
          `state ${state.directory}: not writable for ${compactDuration(status.nowUnixMs - (state.sinceUnixMs ?? status.nowUnixMs))} (${state.lastError ?? 'unknown error'})`,
        ]),
    `nodes: ${nodes.up} up, ${nodes.suspect} suspect, ${nodes.joining} joining, ${nodes.down} down, ${nodes.gone} gone; ${sessionsText(status.sessions, status.sessionsSeenOnce)}`,
    `requests: ${totals.requests} in all, ${status.requestsPerSecond.toFixed(1)}/s; ${totals.failed} failed, ${totals.retries} retries, ${totals.failovers} failovers, ${totals.unavailable} found no node`,
    ...quotaLines(quotas),
    ...(remembered.length === 0 ? [] : [rememberedText(remembered, status.nowUnixMs)]),
    ...(parked.requests === 0
      ? []
      : [
          `parked: ${parked.requests === 1 ? '1 request waits for its node' : `${parked.requests} requests wait for their nodes`}, the oldest for ${compactDuration(parked.oldestMs)}`,
        ]),
  ];
  if (status.workers.length === 0) lines.push('no proxy worker is connected');
  else {
    const rows = status.workers.map((worker) => [
      worker.worker,
      worker.pid,
      worker.revision,
      worker.isCurrent ? 'yes' : 'no',
      worker.requests,
      worker.inFlight,
      worker.connections,
    ]);
    lines.push(table(['WORKER', 'PID', 'REVISION', 'CURRENT', 'REQUESTS', 'IN-FLIGHT', 'CONNECTIONS'], rows));
  }
  const restarted = status.processes.filter(({ restarts }) => restarts > 0);
  if (restarted.length > 0) {
    const rows = restarted.map(({ name, pid, sinceUnixMs, restarts, lastReason }) => [
      name,
      pid ?? '-',
      compactDuration(status.nowUnixMs - sinceUnixMs),
      restarts,
      lastReason ?? '',
    ]);
    lines.push(table(['PROCESS', 'PID', 'UP', 'RESTARTS', 'LAST REASON'], rows));
  }
  // All contexts that are not served are listed above.
  const advice = status.advice.filter((sentence) => !isUnservedAdvice(sentence));
  return [...lines, ...advice.map((sentence) => `! ${sentence}`)].join('\n');
}
