import { getHeapStatistics } from 'node:v8';

/** Memory in use below this share of the limit is no load: full memory is a danger, half-full memory is not half a load. */
const HARMLESS_RATIO = 0.8;

/** What memory is in use, of what is allowed, in bytes. */
export interface MemoryUse {
  readonly usedBytes: number;
  readonly limitBytes: number;
}

/** The larger of the two shares that end a Node program: resident memory of the machine or cgroup, heap of V8's limit. */
export function memoryRatio(uses: readonly MemoryUse[]): number {
  let ratio = 0;
  for (const { usedBytes, limitBytes } of uses) {
    if (limitBytes > 0) ratio = Math.max(ratio, Math.min(1, usedBytes / limitBytes));
  }
  return ratio;
}

/** Load by memory: 0 up to 80 % of the limit, then rising evenly to 1 at the limit. */
export function memoryLoad(ratio: number): number {
  return Math.min(1, Math.max(0, (ratio - HARMLESS_RATIO) / (1 - HARMLESS_RATIO)));
}

/** This process's resident memory against `limitBytes`, and its heap against V8's limit. */
export function processMemory(limitBytes: number): readonly MemoryUse[] {
  const heap = getHeapStatistics();
  return [
    { usedBytes: process.memoryUsage.rss(), limitBytes },
    { usedBytes: heap.used_heap_size, limitBytes: heap.heap_size_limit },
  ];
}
