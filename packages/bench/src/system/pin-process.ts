import { execFileSync } from 'node:child_process';

/** Pins all threads of a running process to `cpus`; no effect if empty. A process that has exited is ignored. */
export function pinProcess(pid: number, cpus: readonly number[]): void {
  if (cpus.length === 0) return;
  try {
    execFileSync('taskset', ['-acp', cpus.join(','), String(pid)], { stdio: 'ignore' });
  } catch {
    // The process has exited; its users detect that themselves.
  }
}
