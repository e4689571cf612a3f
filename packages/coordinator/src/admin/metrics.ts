/**
 * `/metrics` in the Prometheus text format. A scrape reads every value where it is kept. So no number is stored twice, and the
 * labels of a node disappear with the node.
 */
import { Readable } from 'node:stream';
import { Counter, Gauge, Registry } from '@platformatic/prom-client';
import type { AdminApp } from './admin-app.ts';
import { balancerMetrics } from './balancer-metrics.ts';
import { CLUSTER_METRICS, type ClusterMetric, type MetricRow } from './cluster-metrics.ts';
import type { Dependencies } from './dependencies.ts';
import { nodeMetrics } from './node-metrics.ts';
import { PROCESS_METRICS } from './process-metrics.ts';

export function addMetrics(app: AdminApp, dependencies: Dependencies): void {
  const metrics = metricsOf(dependencies);
  app.get('/metrics', { config: { role: 'viewer' }, schema: { hide: true } }, async (_, reply) =>
    reply.type(metrics.contentType).send(Readable.from(pieces(dependencies, metrics))),
  );
}

async function* pieces(dependencies: Dependencies, metrics: Registry): AsyncGenerator<string> {
  yield await metrics.metrics();
  yield '\n';
  yield* balancerMetrics(dependencies);
  yield* nodeMetrics(dependencies.cluster);
}

function metricsOf(dependencies: Dependencies): Registry {
  const registry = new Registry();
  for (const definition of [...PROCESS_METRICS, ...CLUSTER_METRICS])
    if (definition.isThere?.(dependencies) ?? true) register(registry, definition, dependencies);
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
