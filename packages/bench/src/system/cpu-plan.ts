/** Who runs where, so that nobody takes time from what is measured. */
export interface CpuPlan {
  /** CPUs of the contender; empty: wherever the kernel likes. */
  readonly contender: readonly number[];
  readonly nodes: readonly number[];
  /** One entry for each process of the load generator. */
  readonly load: readonly (readonly number[])[];
}

/** Processes of the load generator where nothing is pinned. */
const UNPINNED_LOAD = 2;

/**
 * Divides `cpus`: the first `contenderCpus` for the contender, one for the nodes, each other one for a process of the
 * load generator. Fewer than two more than the contender wants are not divided at all: pinned to too few CPUs the
 * generator, not the contender, would be measured.
 */
export function planCpus(cpus: readonly number[], contenderCpus: number): CpuPlan {
  const others = cpus.slice(contenderCpus);
  const [nodes, ...load] = others;
  if (nodes === undefined || load.length === 0)
    return { contender: [], nodes: [], load: Array.from({ length: UNPINNED_LOAD }, () => []) };
  return { contender: cpus.slice(0, contenderCpus), nodes: [nodes], load: load.slice(0, 4).map((cpu) => [cpu]) };
}
