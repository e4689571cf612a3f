import { execFileSync } from 'node:child_process';

/** Keeps a running process, all its threads, to `cpus`; does nothing without any. A process that has ended is passed over. */
export function pinProcess(pid: number, cpus: readonly number[]): void {
  if (cpus.length === 0) return;
  try {
    execFileSync('taskset', ['-acp', cpus.join(','), String(pid)], { stdio: 'ignore' });
  } catch {
    // It ended meanwhile; whoever needs it notices.
  }
}
