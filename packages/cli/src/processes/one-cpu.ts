/**
 * If all threads share one CPU, the compiler and garbage collector threads of V8 delay the serving thread by time slices of some
 * milliseconds. Requests wait for them, mostly in the first seconds.
 */
import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';

/** Threads of libuv (file system, DNS) keep their priority, because requests wait for them. */
const POOL_THREAD = 'libuv-worker';
/** Nice value: about a tenth of the CPU while other threads need it. */
const NICENESS = 10;

/** Lowers the priority of all threads but the serving one. Linux only; without effect on other systems or without permission. */
export function yieldToServing(cpus: number = os.availableParallelism()): void {
  if (cpus > 1 || process.platform !== 'linux') return;
  try {
    for (const thread of readdirSync('/proc/self/task')) {
      const name = readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim();
      if (Number(thread) !== process.pid && name !== POOL_THREAD) os.setPriority(Number(thread), NICENESS);
    }
  } catch {
    // Without permission the process is slower in its first seconds, nothing more.
  }
}
