import type { ExplainedMetric, ExplainedShare, NodeExplanation } from '@rollcall/protocol';
import { duration, table } from './format.ts';

const HEADINGS = ['METRIC', 'VALUE', 'CAPACITY', 'WEIGHT', 'COUNTS AS', 'NOW', 'LAST 10'];
const ROLES = { limit: 'limit', mean: 'mean', shown: 'shown only', unknown: '' } as const;

/** The explanation of a node on one screen: sentences first, then the numbers they are made of. */
export function nodeText(explanation: NodeExplanation): string {
  const { id, balancer, because, load, meanLoad, loadFactor, toldMs, metrics, requests, sessions } = explanation;
  const told = toldMs < 0 ? 'never told' : `told ${duration(toldMs)} ago`;
  const numbers = [
    load === undefined ? 'load –' : `load ${percent(load)}`,
    ...(meanLoad === undefined ? [] : [`over the last ten reports ${percent(meanLoad)}`]),
    `load factor ${loadFactor}`,
    ...(explanation.inFlight === undefined ? [] : [`in flight ${explanation.inFlight}`]),
    ...(explanation.serviceMs === undefined ? [] : [`${amount(explanation.serviceMs)} ms a request`]),
    told,
  ];
  return [
    `${id} of balancer ${balancer}: ${numbers.join(', ')}`,
    ...because.map((sentence) => `  ${sentence}`),
    '',
    table(
      ['', 'NOW', 'SHARE', 'FAIR SHARE'],
      [shareRow('requests', requests, '/s'), shareRow('sessions', sessions, '')],
    ),
    ...(metrics.length === 0 ? [] : ['', table(HEADINGS, metrics.map(metricRow))]),
  ].join('\n');
}

function shareRow(name: string, { count, share, fairShare }: ExplainedShare, unit: string): string[] {
  return [name, `${amount(count)}${unit}`, percent(share), percent(fairShare)];
}

function metricRow({
  name,
  value,
  unit,
  capacity,
  weight,
  isSoft,
  role,
  part,
  mean,
  isDecisive,
}: ExplainedMetric): string[] {
  return [
    isDecisive ? `* ${name}` : `  ${name}`,
    value === undefined ? '' : `${amount(value)}${unit === undefined ? '' : ` ${unit}`}`,
    capacity === undefined ? '' : `${amount(capacity)}${isSoft ? ' = half' : ''}`,
    weight === undefined ? '' : amount(weight),
    ROLES[role],
    percent(part),
    percent(mean),
  ];
}

function percent(ratio: number): string {
  return `${Math.round(ratio * 100)} %`;
}

/** A number as short as it still says something. */
function amount(value: number): string {
  if (Math.abs(value) >= 1e6) return value.toExponential(1).replace('e+', 'e');
  return String(Math.abs(value) < 100 ? Math.round(value * 100) / 100 : Math.round(value));
}
