import { cpus, release, totalmem } from 'node:os';

/** The machine of a measurement. */
export interface Machine {
  readonly cpus: number;
  readonly cpu: string;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly node: string;
}

/** `node`: version of the Node that ours ran under, as `v20.19.0`. */
export function describeMachine(node: string): Machine {
  const all = cpus();
  return {
    cpus: all.length,
    cpu: all[0]?.model ?? 'unknown CPU',
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node,
  };
}
