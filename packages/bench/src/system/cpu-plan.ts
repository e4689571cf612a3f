/** Assigns CPUs, so that no other part of the benchmark uses the CPUs of the contender. */
export interface CpuPlan {
  /** CPUs of the contender; empty: not pinned. */
  readonly contender: readonly number[];
  readonly nodes: readonly number[];
  /** One entry for each process of the load generator. */
  readonly load: readonly (readonly number[])[];
}

/** Number of processes of the load generator if nothing is pinned. */
const UNPINNED_LOAD = 2;

/**
 * Divides `cpus`: the first `contenderCpus` for the contender, one for the nodes, each other one for a process of the load generator.
 * With fewer than `contenderCpus + 2` CPUs nothing is pinned, because a generator with too little CPU would be the bottleneck.
 */
export function planCpus(cpus: readonly number[], contenderCpus: number): CpuPlan {
  const others = cpus.slice(contenderCpus);
  const [nodes, ...load] = others;
  if (nodes === undefined || load.length === 0)
    return { contender: [], nodes: [], load: Array.from({ length: UNPINNED_LOAD }, () => []) };
  return { contender: cpus.slice(0, contenderCpus), nodes: [nodes], load: load.slice(0, 4).map((cpu) => [cpu]) };
}
