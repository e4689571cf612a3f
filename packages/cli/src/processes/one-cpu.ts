/**
 * Where all threads share one CPU, the ones that V8 compiles and collects on keep the one that serves from it, a time
 * slice of some milliseconds each. Requests then wait for them, most of all in the first seconds.
 */
import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';

/** Node's own threads wait for work of the system, files and names above all, and somebody waits for them. */
const POOL_THREAD = 'libuv-worker';
/** A tenth of the CPU while others want it. */
const NICENESS = 10;

/** Lets the serving thread of this process go before its others. Linux only; elsewhere, and where it may not, nothing. */
export function yieldToServing(cpus: number = os.availableParallelism()): void {
  if (cpus > 1 || process.platform !== 'linux') return;
  try {
    for (const thread of readdirSync('/proc/self/task')) {
      const name = readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim();
      if (Number(thread) !== process.pid && name !== POOL_THREAD) os.setPriority(Number(thread), NICENESS);
    }
  } catch {
    // Slower at first, and no worse than that.
  }
}
