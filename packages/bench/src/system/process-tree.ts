/** A running process and its descendants, from /proc. */
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

/** The current tree of `pid`, `pid` first; empty if the process does not exist. */
export function readTree(pid: number): readonly ProcessStat[] {
  const processes: ProcessStat[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = parseStat(readIfThere(`/proc/${name}/stat`));
    if (stat !== undefined) processes.push(stat);
  }
  return treeOf(pid, processes);
}

/** CPU time of the tree of `pid` so far. */
export function readCpuTime(pid: number): CpuTime {
  return cpuTimeOf(readTree(pid), TICKS_PER_SECOND);
}

/**
 * Memory of the tree of `pid`, octets. Pages that processes share count once (Pss). NaN if no process is readable, for example of
 * another user.
 */
export function readMemory(pid: number): number {
  let total = Number.NaN;
  for (const process of readTree(pid)) {
    const octets = memoryField(readIfThere(`/proc/${process.pid}/smaps_rollup`), 'Pss');
    if (octets !== undefined) total = (Number.isNaN(total) ? 0 : total) + octets;
  }
  return total;
}

/** CPU time of all programs on `cpus` so far, seconds; NaN if `cpus` is empty. */
export function readProgramTime(cpus: readonly number[]): number {
  return cpus.length === 0 ? Number.NaN : programTicks(readIfThere('/proc/stat'), cpus) / TICKS_PER_SECOND;
}

/** Whether the process of `stat` still runs. */
export function isStillThere({ pid, startTicks }: ProcessStat): boolean {
  return parseStat(readIfThere(`/proc/${pid}/stat`))?.startTicks === startTicks;
}

/** CPUs that this process may run on. */
export function allowedCpus(): readonly number[] {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readIfThere('/proc/self/status'));
  return parseCpuList(list?.[1] ?? '0');
}

/** The content of a file; empty if unreadable, because a process may exit at any time. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
