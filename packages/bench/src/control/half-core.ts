/** Half a core for a process tree: by a cgroup where this user may make one, otherwise beside a busy process on the same CPU. */
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { pinProcess } from '../system/pin-process.ts';
import { allowedCpus, readTree } from '../system/process-tree.ts';
import type { Workplace } from '../system/workplace.ts';

const PERIOD_US = 100_000;
const BUSY = 'setInterval(() => { const until = Date.now() + 1000; while (Date.now() < until); }, 0)';

export interface HalfCore {
  /** How it was done, for the report. */
  readonly means: string;
  /** Takes it back. The processes may have ended. */
  end(): Promise<void>;
}

/** Limits `pid` and all below it, and what they start from now on. */
export async function limitToHalf(pid: number, workplace: Workplace): Promise<HalfCore> {
  return limitByCgroup(pid) ?? (await limitByNeighbour(pid, workplace));
}

function limitByCgroup(pid: number): HalfCore | undefined {
  const name = `rollcall-bench-${process.pid}-${pid}`;
  for (const [parent, write] of [
    ['/sys/fs/cgroup', (path: string) => writeFileSync(`${path}/cpu.max`, `${PERIOD_US / 2} ${PERIOD_US}`)],
    [
      '/sys/fs/cgroup/cpu',
      (path: string) => {
        writeFileSync(`${path}/cpu.cfs_period_us`, String(PERIOD_US));
        writeFileSync(`${path}/cpu.cfs_quota_us`, String(PERIOD_US / 2));
      },
    ],
  ] as const) {
    const path = `${parent}/${name}`;
    try {
      mkdirSync(path);
    } catch {
      continue;
    }
    try {
      write(path);
      for (const { pid: member } of readTree(pid)) writeFileSync(`${path}/cgroup.procs`, String(member));
      return { means: 'a cgroup with half a core', end: async () => removeGroup(path, parent, pid) };
    } catch {
      removeGroup(path, parent, pid);
    }
  }
  return undefined;
}

function removeGroup(path: string, parent: string, pid: number): void {
  try {
    for (const { pid: member } of readTree(pid)) writeFileSync(`${parent}/cgroup.procs`, String(member));
    rmdirSync(path);
  } catch {
    // An empty group that stays costs nothing.
  }
}

async function limitByNeighbour(pid: number, workplace: Workplace): Promise<HalfCore> {
  const cpu = allowedCpus().at(-1)!;
  for (const { pid: member } of readTree(pid)) pinProcess(member, [cpu]);
  const neighbour = await workplace.start('neighbour', [process.execPath, '-e', BUSY], { cpus: [cpu] });
  return { means: 'one CPU shared with a busy process', end: () => workplace.end(neighbour) };
}
