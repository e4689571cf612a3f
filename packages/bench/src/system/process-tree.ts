/** A running process with all below it, read from /proc. */
import { readdirSync, readFileSync } from 'node:fs';
import {
  type CpuTime,
  cpuTimeOf,
  memoryField,
  type ProcessStat,
  parseCpuList,
  parseStat,
  programTicks,
  treeOf,
} from './proc-text.ts';

/** Linux counts in hundredths of a second towards programs whatever it does inside. @see proc(5), sysconf(_SC_CLK_TCK) */
const TICKS_PER_SECOND = 100;

/** The tree under `pid` as it is now, `pid` first; empty when there is no such process. */
export function readTree(pid: number): readonly ProcessStat[] {
  const processes: ProcessStat[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = parseStat(readIfThere(`/proc/${name}/stat`));
    if (stat !== undefined) processes.push(stat);
  }
  return treeOf(pid, processes);
}

/** CPU time of the tree under `pid` so far. */
export function readCpuTime(pid: number): CpuTime {
  return cpuTimeOf(readTree(pid), TICKS_PER_SECOND);
}

/**
 * Memory of the tree under `pid`, octets, pages shared among processes counted once (Pss). NaN when none of it may be
 * read, as of another user's processes.
 */
export function readMemory(pid: number): number {
  let total = Number.NaN;
  for (const process of readTree(pid)) {
    const octets = memoryField(readIfThere(`/proc/${process.pid}/smaps_rollup`), 'Pss');
    if (octets !== undefined) total = (Number.isNaN(total) ? 0 : total) + octets;
  }
  return total;
}

/** Seconds that programs, all there are, have used on `cpus` so far; NaN for none. */
export function readProgramTime(cpus: readonly number[]): number {
  return cpus.length === 0 ? Number.NaN : programTicks(readIfThere('/proc/stat'), cpus) / TICKS_PER_SECOND;
}

/** True while the very process that `stat` was read from is there. */
export function isStillThere({ pid, startTicks }: ProcessStat): boolean {
  return parseStat(readIfThere(`/proc/${pid}/stat`))?.startTicks === startTicks;
}

/** CPUs that this process may run on. */
export function allowedCpus(): readonly number[] {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readIfThere('/proc/self/status'));
  return parseCpuList(list?.[1] ?? '0');
}

/** Empty when it cannot be read: a process may end at any time. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
