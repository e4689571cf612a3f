/** Formats the explanation of a node, for the page and for the command line. */
import type { ExplainedMetric, ExplainedShare, NodeExplanation, PastDecisionResource } from '@rollcall/protocol';
// With `.ts`, unlike other scripts of the page: Node also loads this module from its source.
import { amount, bytes, percent } from './amounts.ts';

const ROLES = { limit: 'limit', mean: 'mean', shown: 'shown only', unknown: '' } as const;

/** The numbers of the node, as parts of one line. `duration` formats milliseconds in the way of the page or the command line. */
export function explainedNumbers(explanation: NodeExplanation, duration: (ms: number) => string): readonly string[] {
  const { load, meanLoad, loadFactor, inFlight, serviceMs, toldMs } = explanation;
  return [
    load === undefined ? 'load –' : `load ${percent(load)}`,
    ...(meanLoad === undefined ? [] : [`over the last ten reports ${percent(meanLoad)}`]),
    `load factor ${factorText(loadFactor)}`,
    ...(inFlight === undefined ? [] : [`in flight ${inFlight}`]),
    ...(serviceMs === undefined ? [] : [`${amount(serviceMs)} ms a request`]),
    toldMs < 0 ? 'no report yet' : `last report ${duration(toldMs)} ago`,
  ];
}

/** The load factor of a node; without a reported load it is unknown. */
export function factorText(loadFactor: number | undefined): string {
  return loadFactor === undefined ? 'unknown' : String(loadFactor);
}

/** The rows `requests`, `sessions` and `seen once`, each with the cells name, now, share, fair share. */
export function shareRows({ requests, sessions, sessionsSeenOnce }: NodeExplanation): readonly (readonly string[])[] {
  return [
    shareRow('requests', requests, '/s'),
    shareRow('sessions', sessions, ''),
    ['seen once', amount(sessionsSeenOnce), '', ''],
  ];
}

function shareRow(name: string, { count, share, fairShare }: ExplainedShare, unit: string): readonly string[] {
  return [name, `${amount(count)}${unit}`, percent(share), percent(fairShare)];
}

/** The cells of a metric: name, value, capacity, weight, role, its part of the load now, its mean part over ten reports. */
export function metricRow(metric: ExplainedMetric): readonly string[] {
  const { name, value, unit, capacity, weight, isSoft, role, part, mean } = metric;
  return [
    name,
    value === undefined ? '' : inUnit(value, unit),
    capacity === undefined ? '' : `${inUnit(capacity, unit)}${isSoft ? ' = half' : ''}`,
    weight === undefined ? '' : amount(weight),
    ROLES[role],
    percent(part),
    percent(mean),
  ];
}

/** Why a request of the past got its node and its answer, in sentences, in the order of time. */
export function requestSentences({ decision, worker }: PastDecisionResource): readonly string[] {
  const { balancer, context, sessionFrom, chosen, because, attempts, waitedMs, status } = decision;
  const sentences: string[] = [];
  if (balancer !== undefined) sentences.push(`context ${context} of balancer ${balancer}, at worker ${worker}`);
  if (sessionFrom !== undefined) sentences.push(`its session was found in ${sessionFrom}`);
  else if (balancer !== undefined) sentences.push('it had no known session');
  if (waitedMs > 0) sentences.push(`it waited ${milliseconds(waitedMs)} in all for a node`);
  for (const { node, outcome, afterMs } of attempts)
    sentences.push(`sent to ${node}: ${outcome}${afterMs === undefined ? '' : ` after ${milliseconds(afterMs)}`}`);
  if (because !== '')
    sentences.push(
      chosen === undefined
        ? `${attempts.length > 0 ? 'in the end ' : ''}no node was chosen: ${because}`
        : `${chosen} was chosen last: ${because}`,
    );
  sentences.push(
    `${endOf(status)}, ${milliseconds(decision.durationMs)} after its arrival${balancer === undefined ? `, at worker ${worker}` : ''}`,
  );
  return sentences;
}

function endOf(status: number): string {
  if (status === 499) return 'the client left before the answer was complete';
  return status === 101 ? 'the connection was upgraded' : `answered with ${status}`;
}

function milliseconds(ms: number): string {
  return ms < 10_000 ? `${amount(ms)} ms` : `${amount(ms / 1_000)} s`;
}

function inUnit(value: number, unit: string | undefined): string {
  if (unit === 'B/s') return `${bytes(value)}/s`;
  return unit === undefined ? amount(value) : `${amount(value)} ${unit}`;
}
