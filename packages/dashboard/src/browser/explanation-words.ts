/** The explanation of a node in words: one place for the page and for the command line, so that both say the same. */
import type { ExplainedMetric, ExplainedShare, NodeExplanation } from '@rollcall/protocol';
// Not with `.js`, as the page's own scripts: this one is also loaded by Node from its source.
import { amount, bytes, percent } from './amounts.ts';

const ROLES = { limit: 'limit', mean: 'mean', shown: 'shown only', unknown: '' } as const;

/** What is known of the node itself, as parts of one line; `duration` writes milliseconds as the rest of the surface does. */
export function explainedNumbers(explanation: NodeExplanation, duration: (ms: number) => string): readonly string[] {
  const { load, meanLoad, loadFactor, inFlight, serviceMs, toldMs } = explanation;
  return [
    load === undefined ? 'load –' : `load ${percent(load)}`,
    ...(meanLoad === undefined ? [] : [`over the last ten reports ${percent(meanLoad)}`]),
    `load factor ${loadFactor}`,
    ...(inFlight === undefined ? [] : [`in flight ${inFlight}`]),
    ...(serviceMs === undefined ? [] : [`${amount(serviceMs)} ms a request`]),
    toldMs < 0 ? 'never told' : `told ${duration(toldMs)} ago`,
  ];
}

/** The rows of requests and sessions: what, now, share, fair share. */
export function shareRows({ requests, sessions }: NodeExplanation): readonly (readonly string[])[] {
  return [shareRow('requests', requests, '/s'), shareRow('sessions', sessions, '')];
}

function shareRow(name: string, { count, share, fairShare }: ExplainedShare, unit: string): readonly string[] {
  return [name, `${amount(count)}${unit}`, percent(share), percent(fairShare)];
}

/** The row of a metric: name, value, capacity, weight, what it counts as, its part now, and over the last ten reports. */
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
