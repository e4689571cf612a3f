import { explainedNumbers, metricRow, shareRows } from '@rollcall/dashboard';
import { compactDuration, type NodeExplanation } from '@rollcall/protocol';
import { table } from './format.ts';

const HEADINGS = ['METRIC', 'VALUE', 'CAPACITY', 'WEIGHT', 'COUNTS AS', 'NOW', 'LAST 10'];

/** The explanation of a node on one screen: first sentences, then the numbers behind them. */
export function nodeText(explanation: NodeExplanation): string {
  const { id, balancer, because, metrics } = explanation;
  const rows = metrics.map((metric) => {
    const [name, ...cells] = metricRow(metric);
    return [`${metric.isDecisive ? '*' : ' '} ${name}`, ...cells];
  });
  return [
    `${id} of balancer ${balancer}: ${explainedNumbers(explanation, compactDuration).join(', ')}`,
    ...because.map((sentence) => `  ${sentence}`),
    '',
    table(['', 'NOW', 'SHARE', 'FAIR SHARE'], shareRows(explanation)),
    ...(rows.length === 0 ? [] : ['', table(HEADINGS, rows)]),
  ].join('\n');
}
