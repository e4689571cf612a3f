/** Formats the explanation of a node, for the page and for the command line. */
import type { ExplainedMetric, ExplainedShare, NodeExplanation } from '@rollcall/protocol';
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

function inUnit(value: number, unit: string | undefined): string {
  if (unit === 'B/s') return `${bytes(value)}/s`;
  return unit === undefined ? amount(value) : `${amount(value)} ${unit}`;
}
