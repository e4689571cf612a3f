/** `rollcall node NODE`: all that is known about a node, on one screen. */
import type {
  BalancerResource,
  EventResource,
  NodeExplanation,
  NodeResource,
  Verdict,
  WantedStatus,
} from '@rollcall/protocol';
import { compactDuration, isPresent, problemText, sessionsText } from '@rollcall/protocol';
import { timeText } from '../format.ts';
import { nodeText } from '../node-text.ts';
import type { Paint, Tone } from '../screen/paint.ts';
import { printableText } from '../screen/text-width.ts';
import { drainText, ejectionText } from './node-notes.ts';
import { livenessCell, percentText, statusTone } from './node-state.ts';

export interface NodePage {
  readonly node: NodeResource;
  /** The other present nodes of its balancer. */
  readonly peers: readonly NodeResource[];
  readonly explanation: NodeExplanation;
  readonly balancer: BalancerResource;
  /** Absent from coordinators of earlier releases. */
  readonly verdict?: Verdict;
  /** The last events of the node, the oldest first. */
  readonly events: readonly EventResource[];
  readonly nowUnixMs: number;
}

/** Columns of the names of facts. */
const NAME_COLUMNS = 12;

export function nodePageText(page: NodePage, paint: Paint, isUtc: boolean): string {
  const { node, nowUnixMs, explanation, events } = page;
  const lines = [
    paint('strong', headline(node, nowUnixMs)),
    ...problemLines(page, paint),
    '',
    ...facts(page).map(([name, text, tone]) => `${name.padEnd(NAME_COLUMNS)}${paint(tone, printableText(text))}`),
    '',
    printed(nodeText(explanation)),
    ...(events.length === 0 ? [] : ['', paint('strong', 'EVENTS')]),
    ...events.map((event) => eventLine(event, isUtc)),
  ];
  return `${lines.join('\n')}\n`;
}

/** One line with time, text and author. */
export function eventLine({ atUnixMs, message, by }: EventResource, isUtc: boolean): string {
  return `${timeText(atUnixMs, isUtc)}  ${printableText(`${message}${by ? ` (by ${by})` : ''}`)}`;
}

function headline({ id, balancer, url, version, group, process, registeredAtUnixMs }: NodeResource, nowUnixMs: number) {
  const where = process === undefined ? '' : `, process ${process.pid} on ${process.host}`;
  return printableText(
    [
      `node ${id} of balancer ${balancer} at ${url}${where}`,
      ...(version === undefined ? [] : [`version ${version}`]),
      ...(group === undefined ? [] : [`group ${group}`]),
      `registered ${compactDuration(Math.max(0, nowUnixMs - registeredAtUnixMs))} ago`,
    ].join(', '),
  );
}

function problemLines({ node, verdict, nowUnixMs }: NodePage, paint: Paint): string[] {
  const problems = verdict?.problems.filter(({ nodes }) => nodes?.includes(node.id)) ?? [];
  return problems.flatMap((problem) => {
    const { level, sinceUnixMs, remedy } = problem;
    const age = sinceUnixMs === undefined ? '' : `, for ${compactDuration(Math.max(0, nowUnixMs - sinceUnixMs))}`;
    return [
      paint(level === 'planned' ? 'warn' : 'bad', printableText(`${level}${age}: ${problemText(problem)}`)),
      ...(remedy === undefined ? [] : [printableText(`  to do: ${remedy}`)]),
    ];
  });
}

type Fact = readonly [name: string, text: string, tone?: Tone];

function facts(page: NodePage): Fact[] {
  const { node, nowUnixMs, balancer } = page;
  const { observed, drain, contexts } = node;
  const places = contexts.map(({ path, status }) => (status === node.status ? path : `${path} ${status}`));
  return [
    ['requested', requestOf(node.wanted, nowUnixMs), statusTone(node.wanted.status)],
    ['reported', requestOf(node.reported, nowUnixMs), statusTone(node.reported.status)],
    ['observed', observedText(node, nowUnixMs), livenessCell(node).tone],
    ['effective', node.status, statusTone(node.status)],
    ...ejectionFact(node, nowUnixMs),
    ...(drain && isPresent(node) ? [['drain', drainText(node, drain)] as const] : []),
    ['errors', errorsText(page), isFailing(page) ? 'bad' : undefined],
    ['latency', latencyText(page)],
    [
      'sessions',
      `${sessionsText(node.sessions, node.sessionsSeenOnce)}, counted by the ${node.sessionsFrom === 'node' ? 'node' : 'workers'}`,
    ],
    ['in flight', `${node.inFlight} requests, ${node.tunnels} tunnels, ${observed.parked} parked`],
    ['weight', weightText(node)],
    ['contexts', `${places.join(', ')} on ${node.hosts.join(', ')}; route ${node.route}`],
    ['settings', settingsText(balancer)],
    ...node.warnings.map(({ code, message }): Fact => ['warning', `${code}: ${message}`, 'warn']),
  ].filter((fact): fact is Fact => fact !== undefined);
}

/** `draining by ann (kernel), for 4m10s, deadline in 2m00s, reverts in 26m00s`. */
function requestOf(
  { status, by, reason, atUnixMs, deadlineAtUnixMs, untilUnixMs }: WantedStatus,
  nowUnixMs: number,
): string {
  if (status === 'enabled') return status;
  const left = (unixMs: number): string => compactDuration(Math.max(0, unixMs - nowUnixMs));
  return [
    `${status}${by === undefined ? '' : ` by ${by}`}${reason === undefined ? '' : ` (${reason})`}`,
    ...(atUnixMs === undefined ? [] : [`for ${compactDuration(Math.max(0, nowUnixMs - atUnixMs))}`]),
    ...(deadlineAtUnixMs === undefined ? [] : [`deadline in ${left(deadlineAtUnixMs)}`]),
    ...(untilUnixMs === undefined ? [] : [`reverts in ${left(untilUnixMs)}`]),
  ].join(', ');
}

function observedText(node: NodeResource, nowUnixMs: number): string {
  const { livenessReason, readyReason, silentMs, goneAtUnixMs, observed, heardBy, isReady } = node;
  return [
    livenessCell(node).text,
    ...(livenessReason === undefined ? [] : [livenessReason]),
    ...(isReady || readyReason === undefined ? [] : [readyReason]),
    ...(heardBy === undefined ? [] : [`reported by ${heardBy.join(', ')} only`]),
    ...(silentMs < 0 || !isPresent(node) ? [] : [`last heartbeat ${compactDuration(silentMs)} ago`]),
    ...(goneAtUnixMs === undefined ? [] : [`for ${compactDuration(Math.max(0, nowUnixMs - goneAtUnixMs))}`]),
    ...observed.ports.map(({ worker, port }) => `port ${port} at ${worker}`),
  ].join(', ');
}

/** Also of an ejection that is over, as long as the coordinator lists it. */
function ejectionFact({ observed: { ejection, isEjected, ejectedBy } }: NodeResource, nowUnixMs: number): Fact[] {
  if (ejection === undefined) return [];
  const state = isEjected ? `in force at ${ejectedBy.join(', ')}` : 'over';
  return [['ejection', `${ejectionText(ejection, nowUnixMs)}; ${state}`, isEjected ? 'bad' : 'warn']];
}

function errorsText({ node, peers }: NodePage): string {
  const { recent, requests, failures, serverErrors } = node.observed;
  const total = `${failures} failures and ${serverErrors} answers with 500 and above, of ${requests} requests in all`;
  if (recent.requests < 0.5) return `no requests in the last 30 s; ${total}`;
  return `${percentText(recent.errorRatio)} in about 30 s${peersText(peers)}; ${total}`;
}

function peersText(peers: readonly NodeResource[]): string {
  const requests = peers.reduce((sum, { observed: { recent } }) => sum + recent.requests, 0);
  if (requests < 0.5) return '';
  const errors = peers.reduce((sum, { observed: { recent } }) => sum + recent.requests * recent.errorRatio, 0);
  return `, the other nodes ${percentText(errors / requests)}`;
}

function latencyText({ node, peers }: NodePage): string {
  const others = peers
    .map(({ observed: { latencyMs } }) => latencyMs)
    .filter((ms) => ms >= 0)
    .sort((one, other) => one - other);
  const median = others[(others.length - 1) >> 1];
  const beside = median === undefined ? '' : `, the other nodes about ${msText(median)}`;
  return node.observed.latencyMs >= 0 ? `${msText(node.observed.latencyMs)}${beside}` : 'unknown';
}

function msText(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

function isFailing({ node, verdict }: NodePage): boolean {
  return verdict?.problems.some(({ kind, nodes }) => kind === 'errors' && nodes?.includes(node.id)) ?? false;
}

function weightText({ weight, isStandby, redirectTo, isStatic }: NodeResource): string {
  return [
    String(weight),
    ...(isStandby ? ['standby: gets sessions only when no other node can'] : []),
    ...(redirectTo === undefined ? [] : [`its sessions go to ${redirectTo}`]),
    ...(isStatic ? ['without an agent'] : []),
  ].join(', ');
}

/** Settings that are not the default, each with its origin. */
function settingsText({ name, origins }: BalancerResource): string {
  const set = Object.entries(origins).filter(([, origin]) => origin !== 'default');
  const others = `${set.length === 0 ? 'all' : 'all others'} by default (rollcall balancer ${name})`;
  return [...set.map(([key, origin]) => `${key} from ${origin}`), others].join(', ');
}

/** The text of other processes, line by line. */
function printed(text: string): string {
  return text.split('\n').map(printableText).join('\n');
}
