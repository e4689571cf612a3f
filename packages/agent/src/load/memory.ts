import { getHeapStatistics } from 'node:v8';
import type { Metric } from './metric.ts';

/** Memory in use below this share of the limit is no load: full memory is a danger, half-full memory is not half a load. */
const HARMLESS_RATIO = 0.8;

/** What memory is in use, of what is allowed, in bytes; what cannot be told is `undefined`. */
export interface MemoryUse {
  readonly usedBytes: number | undefined;
  readonly limitBytes: number;
}

/** The largest share: whichever limit is reached first ends the program. 0 where nothing can be told. */
export function memoryRatio(uses: readonly MemoryUse[]): number {
  let ratio = 0;
  for (const { usedBytes, limitBytes } of uses) {
    if (usedBytes !== undefined && limitBytes > 0) ratio = Math.max(ratio, Math.min(1, usedBytes / limitBytes));
  }
  return ratio;
}

/** This process's heap against V8's limit, and its resident memory against `limitBytes`. */
export function processMemory(limitBytes: number): readonly MemoryUse[] {
  const heap = getHeapStatistics();
  return [
    { usedBytes: residentBytes(), limitBytes },
    { usedBytes: heap.used_heap_size, limitBytes: heap.heap_size_limit },
  ];
}

/** `undefined` where the process may not read it, as in a sandbox without /proc. */
function residentBytes(): number | undefined {
  try {
    return process.memoryUsage.rss();
  } catch {
    return undefined;
  }
}

/** No load up to 80 % of the limit, then rising evenly to full at the limit. */
export function memoryMetric(read: () => readonly MemoryUse[]): Metric {
  return {
    name: 'memory',
    scale: { capacity: 1, weight: 1, isLimit: true, from: HARMLESS_RATIO },
    read: () => memoryRatio(read()),
  };
}
