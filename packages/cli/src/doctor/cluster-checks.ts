/** Checks of what a coordinator reports. Pure: the answers come in as values. */
import type { NodeResource, StatusResource } from '@rollcall/protocol';
import { compactDuration, isPresent, problemText } from '@rollcall/protocol';
import { counted } from '../format.ts';
import { type Check, note, ok, problem } from './check.ts';

const DAY_MS = 86_400_000;
/** Remaining time of a certificate that is a problem, and a note, milliseconds. */
const CERTIFICATE_PROBLEM_MS = 7 * DAY_MS;
const CERTIFICATE_NOTE_MS = 30 * DAY_MS;
/** Difference of two clocks that is worth a note, milliseconds: times of logs do not match. */
const CLOCK_NOTE_MS = 2_000;
/** Nodes and problems that one line names. */
const MAX_NAMED = 5;
/** Kinds of problems that have a check of their own. */
const CHECKED_APART: ReadonlySet<string> = new Set(['sticky', 'certificate', 'store', 'state', 'sharing']);

export function storeChecks({ store, sharing, nowUnixMs }: StatusResource): Check[] {
  const since = (unixMs: number): string => compactDuration(Math.max(0, nowUnixMs - unixMs));
  const checks = [
    store.isReachable
      ? ok('store', `${store.kind}: reachable`)
      : problem(
          'store',
          `${store.kind}: unreachable for ${since(store.sinceUnixMs)} (${store.lastError ?? 'no answer'}), ${store.waiting} records wait`,
          'see the disk of the state directory; the cluster is kept in memory until then',
        ),
  ];
  if (sharing !== undefined)
    checks.push(
      sharing.isReachable && sharing.refusal === undefined
        ? ok('shared store', `${sharing.kind}: shared by ${counted(sharing.coordinators.length, 'coordinator')}`)
        : problem(
            'shared store',
            `${sharing.kind}: not shared for ${since(sharing.sinceUnixMs)} (${sharing.refusal ?? sharing.lastError ?? 'no answer'})`,
            'see Redis, and --store and --cluster of each rollcall up',
          ),
    );
  return checks;
}

/** `ownUnixMs`: time of this machine when the answer arrived. `tookMs`: duration of the request, within which the answer was made. */
export function clockCheck({ nowUnixMs }: StatusResource, ownUnixMs: number, tookMs: number): Check {
  const differenceMs = nowUnixMs - (ownUnixMs - tookMs / 2);
  const text = `the clock of the coordinator differs by ${compactDuration(Math.abs(differenceMs))}`;
  return Math.abs(differenceMs) - tookMs / 2 > CLOCK_NOTE_MS
    ? note('clock', text, 'synchronise the clocks of the machines, for times in logs')
    : ok('clock', text);
}

export function certificateChecks({ controlCertificate, processes, nowUnixMs }: StatusResource): Check[] {
  const site = new Map(processes.flatMap(({ certificates = [] }) => certificates).map((one) => [one.path, one]));
  const all = [
    ...(controlCertificate === undefined ? [] : [{ name: 'control certificate', ...controlCertificate }]),
    ...[...site.values()].map((one) => ({ ...one, name: 'site certificate' })),
  ];
  return all.map(({ name, path, endsAtUnixMs, problem: fault }) => {
    const leftMs = endsAtUnixMs - nowUnixMs;
    const text = `${path} ${leftMs < 0 ? `expired ${compactDuration(-leftMs)} ago` : `expires in ${compactDuration(leftMs)}`}`;
    if (fault !== undefined)
      return problem(name, `${path}: ${fault}`, 'correct the files; the earlier certificate is in use');
    if (leftMs < CERTIFICATE_PROBLEM_MS) return problem(name, text, 'replace the files, then: rollcall reload');
    return leftMs < CERTIFICATE_NOTE_MS ? note(name, text) : ok(name, text);
  });
}

/** Nodes that are missing, and nodes that some worker does not reach. */
export function nodesCheck(nodes: readonly NodeResource[]): Check {
  const missing = nodes.filter(({ liveness }) => liveness === 'missing' || liveness === 'down');
  const unreached = nodes.filter(
    (node) => isPresent(node) && node.observed.ports.some(({ port }) => port !== 'answers' && port !== 'unknown'),
  );
  const present = nodes.filter(isPresent).length;
  if (missing.length > 0)
    return problem(
      'nodes',
      `${counted(missing.length, 'node')} missing or down: ${named(missing)}`,
      'start their programs again, or: rollcall acknowledge NODE',
    );
  if (unreached.length > 0)
    return problem(
      'nodes',
      `workers do not reach ${named(unreached)}`,
      'see the address that each node announces, its firewall, and: rollcall node NODE',
    );
  return present === 0
    ? note('nodes', 'no node has registered', 'rollcall run -- YOUR PROGRAM {port}')
    : ok('nodes', `${counted(present, 'node')}, all reached by the workers`);
}

function named(nodes: readonly NodeResource[]): string {
  const names = nodes.slice(0, MAX_NAMED).map(({ id }) => id);
  return `${names.join(', ')}${nodes.length > MAX_NAMED ? ` and ${nodes.length - MAX_NAMED} more` : ''}`;
}

/** Versions of this command, the coordinator and its workers. */
export function versionCheck({ version, workers }: StatusResource, own: string): Check {
  const refused = workers.filter((worker) => worker.refused !== undefined);
  const others = workers.filter((worker) => worker.refused === undefined && worker.version !== version);
  const text = `command ${own}, coordinator ${version}, workers ${[...new Set(workers.map((one) => one.version))].join(', ') || '-'}`;
  if (refused.length > 0)
    return problem(
      'versions',
      `${refused[0]!.worker}: ${refused[0]!.refused}`,
      'install the same release on all machines',
    );
  if (others.length > 0 || own !== version)
    return note('versions', text, 'install one release everywhere; rollcall reload replaces the workers');
  return ok('versions', text);
}

export function workersCheck({ workers }: StatusResource): Check {
  if (workers.length === 0) return problem('workers', 'no worker is connected', 'see the log of rollcall up');
  const behind = workers.filter(({ isCurrent, refused }) => !isCurrent && refused === undefined);
  return behind.length > 0
    ? note('workers', `${behind.map(({ worker }) => worker).join(', ')}: not at the last revision of the cluster`)
    : ok('workers', `${counted(workers.length, 'worker')} at the last revision`);
}

/** Results of the sticky self-check, then everything else that the verdict has. */
export function verdictChecks({ verdict }: StatusResource): Check[] {
  const all = verdict.problems.filter(({ level }) => level !== 'planned');
  const sticky = all.filter(({ kind }) => kind === 'sticky');
  const others = all.filter(({ kind }) => !CHECKED_APART.has(kind));
  return [
    ...(sticky.length === 0 ? [ok('sticky', 'sessions stay on their nodes')] : []),
    ...[...sticky, ...others].map((one) => problem(one.kind, problemText(one), one.remedy ?? 'see rollcall status')),
    ...(others.length === 0 ? [ok('verdict', 'no other problem is known')] : []),
  ];
}
