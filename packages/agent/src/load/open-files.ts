/** Open files and sockets, and their limit: a process at the limit cannot accept connections. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { Metric } from './metric.ts';

/** Below this share of the limit the load is 0. */
const HARMLESS_RATIO = 0.8;
/** Samples that use the same count: reading the directory costs microseconds for each file. */
const SAMPLES_PER_LIST = 40;

/** The soft limit in a text like /proc/PID/limits; `undefined` without one. */
function softLimit(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  const limit = Number(soft);
  return limit > 0 ? limit : undefined;
}

/** Counts the open files of the process with this directory in /proc. */
export class OpenFiles {
  readonly #directory: string;
  #listed: number | undefined;
  #samples = 0;

  constructor(directory = '/proc/self') {
    this.#directory = directory;
  }

  /** Number of open files; `undefined` without /proc or without permission. */
  count(): number | undefined {
    const path = `${this.#directory}/fd`;
    try {
      // Since Linux 6.2 the size of the directory is the number of files; before it was 0.
      const { size } = statSync(path);
      if (size > 0) return size;
      if (this.#samples++ % SAMPLES_PER_LIST === 0) this.#listed = readdirSync(path).length;
      return this.#listed;
    } catch {
      return undefined;
    }
  }

  /** Soft limit of open files; `undefined` if it is unknown or unlimited. */
  limit(): number | undefined {
    try {
      return softLimit(readFileSync(`${this.#directory}/limits`, 'utf8'));
    } catch {
      return undefined;
    }
  }
}

/** Load 0 up to 80 % of the limit, then linear up to 1 at the limit; `undefined` without a limit. */
export function openFilesMetric(limit: number | undefined, count: () => number | undefined): Metric | undefined {
  if (limit === undefined) return undefined;
  return {
    name: 'openFiles',
    scale: { capacity: limit, weight: 1, isLimit: true, from: HARMLESS_RATIO },
    read: count,
  };
}
