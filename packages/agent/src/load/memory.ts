import { getHeapStatistics } from 'node:v8';
import type { Metric } from './metric.ts';

/** Used memory below this share of the limit is load 0: only scarce memory affects a program. */
const HARMLESS_RATIO = 0.8;

/** Used memory and its limit, in bytes; `undefined` if unknown. */
export interface MemoryUse {
  readonly usedBytes: number | undefined;
  readonly limitBytes: number;
}

/** The largest share, 0–1: the limit that is reached first ends the program. 0 if all are unknown. */
export function memoryRatio(uses: readonly MemoryUse[]): number {
  let ratio = 0;
  for (const { usedBytes, limitBytes } of uses) {
    if (usedBytes !== undefined && limitBytes > 0) ratio = Math.max(ratio, Math.min(1, usedBytes / limitBytes));
  }
  return ratio;
}

/** The heap of this process with the limit of V8, and its resident memory with `limitBytes`. */
export function processMemory(limitBytes: number): readonly MemoryUse[] {
  const heap = getHeapStatistics();
  return [
    { usedBytes: residentBytes(), limitBytes },
    { usedBytes: heap.used_heap_size, limitBytes: heap.heap_size_limit },
  ];
}

/** `undefined` if it cannot be read, as in a sandbox without /proc. */
function residentBytes(): number | undefined {
  try {
    return process.memoryUsage.rss();
  } catch {
    return undefined;
  }
}

/** Load 0 up to 80 % of the limit, then linear up to 1 at the limit. */
export function memoryMetric(read: () => readonly MemoryUse[]): Metric {
  return {
    name: 'memory',
    scale: { capacity: 1, weight: 1, isLimit: true, from: HARMLESS_RATIO },
    read: () => memoryRatio(read()),
  };
}
