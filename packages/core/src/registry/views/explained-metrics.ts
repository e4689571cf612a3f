import type { ExplainedMetric } from '@rollcall/protocol';
import type { NodeView } from '../node/node-record.ts';

/** A part this close to the load counts as equal to it: both were rounded. */
const SAME = 0.01;

/** The metrics of a node's last report, in the order of the report. The metric that determines the load is marked. */
export function explainedMetrics(node: NodeView): readonly ExplainedMetric[] {
  const metrics = Object.entries(node.metrics).map(([name, reported]) => explained(node, name, Math.min(1, reported)));
  const decisive = decisiveOf(metrics, node.load);
  return metrics.map((metric) => ({ ...metric, isDecisive: metric === decisive }));
}

function explained(node: NodeView, name: string, part: number): ExplainedMetric {
  const value = Object.hasOwn(node.values, name) ? node.values[name] : undefined;
  const scale = Object.hasOwn(node.scales, name) ? node.scales[name] : undefined;
  return {
    name,
    ...(value !== undefined && { value }),
    ...(scale?.unit !== undefined && { unit: scale.unit }),
    ...(scale && { capacity: scale.capacity, weight: scale.weight }),
    ...(scale?.isSoft && { isSoft: true }),
    role: scale === undefined ? 'unknown' : scale.weight === 0 ? 'shown' : scale.isLimit ? 'limit' : 'mean',
    part,
    mean: node.history.meanOf(name) ?? part,
    isDecisive: false,
  };
}

/** The limit that equals the load, otherwise the metric with the largest part in the mean; `undefined` for an idle node. */
function decisiveOf(metrics: readonly ExplainedMetric[], load = 0): ExplainedMetric | undefined {
  if (load < SAME) return undefined;
  const limit = most(metrics, ({ role, part }) => (role === 'limit' || role === 'unknown' ? part : 0));
  if (limit !== undefined && Math.abs(limit.part - load) <= SAME) return limit;
  return most(metrics, ({ role, part, weight = 0 }) => (role === 'unknown' || role === 'shown' ? 0 : part * weight));
}

function most(
  metrics: readonly ExplainedMetric[],
  size: (metric: ExplainedMetric) => number,
): ExplainedMetric | undefined {
  let found: ExplainedMetric | undefined;
  for (const metric of metrics) if (size(metric) > (found === undefined ? 0 : size(found))) found = metric;
  return found;
}
