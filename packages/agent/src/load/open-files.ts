/** Open files, sockets among them, against the limit of the process: without one to spare nothing can be accepted. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { Metric } from './metric.ts';

/** Below this share of the limit there is nothing to fear. */
const HARMLESS_RATIO = 0.8;
/** Counting by name costs microseconds for each file, so the last count stands for so many samples. */
const SAMPLES_PER_LIST = 40;

/** The soft limit in a text like /proc/PID/limits; `undefined` without one. */
function softLimit(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  const limit = Number(soft);
  return limit > 0 ? limit : undefined;
}

/** Counts what is open of the process whose directory in /proc is given. */
export class OpenFiles {
  readonly #directory: string;
  #listed: number | undefined;
  #samples = 0;

  constructor(directory = '/proc/self') {
    this.#directory = directory;
  }

  /** `undefined` where there is no /proc, or nothing may be seen of the process. */
  count(): number | undefined {
    const path = `${this.#directory}/fd`;
    try {
      // Since Linux 6.2 the size of the directory is the number; before that it was 0.
      const { size } = statSync(path);
      if (size > 0) return size;
      if (this.#samples++ % SAMPLES_PER_LIST === 0) this.#listed = readdirSync(path).length;
      return this.#listed;
    } catch {
      return undefined;
    }
  }

  /** How many may be open; `undefined` where that cannot be told, or there is no limit. */
  limit(): number | undefined {
    try {
      return softLimit(readFileSync(`${this.#directory}/limits`, 'utf8'));
    } catch {
      return undefined;
    }
  }
}

/** No load up to 80 % of the limit, then rising evenly to full at the limit; `undefined` where there is none. */
export function openFilesMetric(limit: number | undefined, count: () => number | undefined): Metric | undefined {
  if (limit === undefined) return undefined;
  return {
    name: 'openFiles',
    scale: { capacity: limit, weight: 1, isLimit: true, from: HARMLESS_RATIO },
    read: count,
  };
}
