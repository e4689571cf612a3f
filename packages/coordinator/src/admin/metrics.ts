/**
 * `/metrics` in the Prometheus text format. A scrape reads every value where it is kept. So no number is stored twice, and the
 * labels of a node disappear with the node.
 */
import { Readable } from 'node:stream';
import { Counter, Gauge, type Metric, Registry } from '@platformatic/prom-client';
import { LATENCY_BOUNDS_MS } from '@rollcall/feed';
import type { AdminApp } from './admin-app.ts';
import { CLUSTER_METRICS, type ClusterMetric, type MetricRow } from './cluster-metrics.ts';
import type { Dependencies } from './dependencies.ts';
import { nodeMetrics } from './node-metrics.ts';

export function addMetrics(app: AdminApp, dependencies: Dependencies): void {
  const metrics = metricsOf(dependencies);
  app.get('/metrics', { config: { role: 'viewer' }, schema: { hide: true } }, async (_, reply) =>
    reply.type(metrics.contentType).send(Readable.from(pieces(dependencies, metrics))),
  );
}

async function* pieces({ cluster }: Dependencies, metrics: Registry): AsyncGenerator<string> {
  yield await metrics.metrics();
  yield '\n';
  yield* nodeMetrics(cluster);
}

function metricsOf(dependencies: Dependencies): Registry {
  const registry = new Registry();
  for (const definition of CLUSTER_METRICS)
    if (definition.isThere?.(dependencies) ?? true) register(registry, definition, dependencies);
  registry.registerMetric(latencyHistogram(dependencies));
  return registry;
}

function register(registry: Registry, definition: ClusterMetric, dependencies: Dependencies): void {
  const { name, help, labels = [], value } = definition;
  const common = { name, help, labelNames: [...labels], registers: [registry] };
  const rows = (): Iterable<MetricRow> => {
    const found = value(dependencies);
    return typeof found === 'number' ? [[{}, found]] : found;
  };
  if (definition.type === 'gauge')
    new Gauge({
      ...common,
      collect() {
        this.reset();
        for (const [of, count] of rows()) this.set({ ...of }, count);
      },
    });
  else
    new Counter({
      ...common,
      collect() {
        this.reset();
        for (const [of, count] of rows()) this.inc({ ...of }, count);
      },
    });
}

/** Latencies as the workers have counted them, per balancer. Values are read at the scrape; nothing is observed here. */
function latencyHistogram({ cluster, feed }: Dependencies): Metric {
  const name = 'rollcall_upstream_latency_seconds';
  const help = 'Time from sending a request to a node to the head of its response';
  const get = (): object => ({
    name,
    help,
    type: 'histogram',
    values: cluster.registry.balancers().flatMap((balancer) => {
      const { latencyBuckets, latencySumMs } = feed.workers.balancer(balancer).answers;
      let count = 0;
      const buckets = [...LATENCY_BOUNDS_MS, Number.POSITIVE_INFINITY].map((ms, i) => {
        count += latencyBuckets[i] ?? 0;
        const le = Number.isFinite(ms) ? ms / 1_000 : '+Inf';
        return { metricName: `${name}_bucket`, labels: { balancer, le }, value: count };
      });
      const sum = { metricName: `${name}_sum`, labels: { balancer }, value: latencySumMs / 1_000 };
      return [...buckets, sum, { ...sum, metricName: `${name}_count`, value: count }];
    }),
  });
  return { name, get } as unknown as Metric;
}
