import {
  compactDuration,
  problemText,
  type QuotaResource,
  type StatusResource,
  sessionsText,
  type Verdict,
} from '@rollcall/protocol';
import { Command } from 'commander';
import { CliFailure, EXIT } from '../exit.ts';
import { table } from '../format.ts';
import { addReaderFlags, clientFor, printJson, type ReaderFlags } from './reader-flags.ts';

const HELP = `
The first line is the verdict. Then each problem with its effect on users, the time since it exists, and what to do. Figures are those of the
workers of this coordinator.

With --exit-code: 0 all well, 5 problems, 6 a context that no node can serve. Planned work, such as a drain, is no problem.
`;

/** `rollcall status`: the verdict, problems with their remedies, then the coordinator and its workers. */
export function statusCommand(): Command {
  return addReaderFlags(new Command('status').description('show what is wrong, the coordinator and its workers'))
    .option('--exit-code', 'exit code 5 with problems, 6 when no node can serve a context (default: 0)')
    .addHelpText('after', HELP)
    .action(async (flags: ReaderFlags & { readonly exitCode?: boolean }) => {
      const status = await (await clientFor(flags)).call('getStatus');
      if (flags.json) printJson(status);
      else process.stdout.write(`${statusText(status)}\n`);
      if (flags.exitCode) process.exitCode = exitCodeOf(status.verdict);
    });
}

/** Coordinators of earlier releases make no verdict. */
function exitCodeOf(verdict: Verdict | undefined): number {
  if (verdict === undefined)
    throw new CliFailure('the coordinator makes no verdict, because it is of an earlier release', EXIT.failed);
  const { level, problems } = verdict;
  if (problems.some(({ kind }) => kind === 'unserved')) return EXIT.unserved;
  return level === undefined ? EXIT.ok : EXIT.problems;
}

/** The verdict, then each problem. */
function verdictLines({ line, problems, more = 0 }: Verdict, nowUnixMs: number): string[] {
  return [
    line,
    ...problems.flatMap((problem) => {
      const { level, kind, sinceUnixMs, remedy } = problem;
      const age = sinceUnixMs === undefined ? '' : `, for ${compactDuration(Math.max(0, nowUnixMs - sinceUnixMs))}`;
      return [
        `${level === 'planned' ? '-' : '!'} ${level} (${kind}${age}): ${problemText(problem)}`,
        ...(remedy === undefined ? [] : [`  to do: ${remedy}`]),
      ];
    }),
    ...(more > 0 ? [`and ${more} more problems`] : []),
    '',
  ];
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
  const { kind, cluster, isReachable, sinceUnixMs, lastError, refusal, waiting, coordinators } = sharing;
  const problem = refusal ?? (isReachable ? undefined : (lastError ?? 'no answer'));
  const state =
    problem === undefined
      ? 'shared'
      : `not shared for ${compactDuration(nowUnixMs - sinceUnixMs)} (${problem}), ${waiting === 1 ? '1 record waits' : `${waiting} records wait`}`;
  const others = coordinators.filter(({ isOwn }) => !isOwn);
  return [
    `shared memory ${kind}${cluster === undefined ? '' : `, cluster ${cluster}`}: ${state}`,
    others.length === 0
      ? 'no other coordinator is known'
      : `other coordinators: ${others.map(({ name, liveness }) => `${name} ${liveness}`).join(', ')}`,
  ];
}

function statusText(status: StatusResource): string {
  const verdict: Verdict | undefined = status.verdict;
  const { controlCertificate, nodes, parked, quotas, remembered, state, store, totals } = status;
  const lines = [
    ...(verdict === undefined ? [] : verdictLines(verdict, status.nowUnixMs)),
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
    `nodes: ${nodes.up} up, ${nodes.suspect} suspect, ${nodes.joining} joining, ${nodes.down} down, ${nodes.missing} missing, ${nodes.gone} gone; ${sessionsText(status.sessions, status.sessionsSeenOnce)}`,
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
  return lines.join('\n');
}
