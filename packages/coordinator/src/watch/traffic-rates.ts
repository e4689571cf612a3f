/** Rates of all workers together, of balancers and of nodes, from samples that are taken once a second. */
import { LATENCY_BOUNDS_MS, latencyQuantileMs } from '@rollcall/feed';
import type { BalancerName, NodeId, Rates } from '@rollcall/protocol';
import type { Cluster } from '../cluster.ts';
import type { WorkerTable } from '../feed/worker-table.ts';
import { CounterSamples } from './counter-samples.ts';

/** Counters of a node: requests, answers with 500 and above, failed attempts. */
const NODE_COLUMNS = 3;
/** The same of a balancer, its retries, and the buckets of the latencies. */
const FIRST_BUCKET = NODE_COLUMNS + 1;
const BUCKETS = LATENCY_BOUNDS_MS.length + 1;
const ALL_COLUMNS = FIRST_BUCKET + BUCKETS;
/** No balancer has this name. */
const TOTAL = '';

export class TrafficRates {
  readonly #cluster: Cluster;
  readonly #workers: WorkerTable;
  readonly #nodes = new CounterSamples<NodeId>(NODE_COLUMNS);
  readonly #balancers = new CounterSamples<BalancerName | typeof TOTAL>(ALL_COLUMNS);

  constructor(cluster: Cluster, workers: WorkerTable) {
    this.#cluster = cluster;
    this.#workers = workers;
  }

  /** Takes a sample of all counters. */
  sample(): void {
    const { registry, clocks } = this.#cluster;
    const nowMs = clocks.nowMs();
    const nodes = new Map<NodeId, readonly number[]>();
    for (const { id } of registry.nodes()) {
      const { requests, serverErrors, failures } = registry.traffic(id);
      nodes.set(id, [requests, serverErrors, failures]);
    }
    this.#nodes.sample(nowMs, nodes);

    const total = new Float64Array(ALL_COLUMNS);
    const balancers = new Map<BalancerName | typeof TOTAL, ArrayLike<number>>([[TOTAL, total]]);
    for (const name of registry.balancers()) {
      const counters = this.#countersOf(name);
      balancers.set(name, counters);
      for (let column = 0; column < ALL_COLUMNS; column++) total[column]! += counters[column]!;
    }
    // Also requests of no balancer.
    const { requests, statusClasses } = this.#workers.totals();
    total[0] = requests;
    total[1] = statusClasses[4];
    this.#balancers.sample(nowMs, balancers);
  }

  ofNode(id: NodeId): Rates {
    return this.#rates(this.#nodes, id);
  }

  ofBalancer(name: BalancerName): Rates {
    return this.#allRates(name);
  }

  total(): Rates {
    return this.#allRates(TOTAL);
  }

  #rates<Key>(samples: CounterSamples<Key>, key: Key): Rates {
    return {
      requestsPerSecond: samples.perSecond(key, 0),
      errorsPerSecond: samples.perSecond(key, 1),
      failuresPerSecond: samples.perSecond(key, 2),
    };
  }

  #allRates(key: BalancerName | typeof TOTAL): Rates {
    const samples = this.#balancers;
    const counts = Array.from({ length: BUCKETS }, (_, i) => samples.growth(key, FIRST_BUCKET + i));
    const [p50Ms, p99Ms] = [0.5, 0.99].map((part) => latencyQuantileMs(counts, part));
    return {
      ...this.#rates(samples, key),
      retriesPerSecond: samples.perSecond(key, NODE_COLUMNS),
      ...(p50Ms !== undefined && { p50Ms }),
      ...(p99Ms !== undefined && { p99Ms }),
    };
  }

  #countersOf(name: BalancerName): Float64Array {
    const { requests, answers, failures, retries } = this.#workers.balancer(name);
    const counters = new Float64Array(ALL_COLUMNS);
    counters.set([requests, answers.statusClasses[4] ?? 0, failures, retries.reduce((sum, count) => sum + count, 0)]);
    counters.set(answers.latencyBuckets.slice(0, BUCKETS), FIRST_BUCKET);
    return counters;
  }
}
