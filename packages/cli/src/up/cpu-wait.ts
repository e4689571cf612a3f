/** Time that a process has waited for a CPU. */
import { readFileSync } from 'node:fs';

/**
 * Time that the main thread of a process was runnable without a CPU, because of other processes or the quota of its cgroup.
 * Milliseconds since its start; `undefined` if the system does not report it.
 *
 * @see proc_pid_schedstat(5): time on the CPU, time on a run queue, time slices; the first two in nanoseconds.
 */
export function cpuWaitMs(pid: number): number | undefined {
  try {
    const [, waitedNs] = readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ');
    const waitedMs = Number(waitedNs) / 1_000_000;
    return Number.isFinite(waitedMs) ? waitedMs : undefined;
  } catch {
    return undefined;
  }
}
