/** Follows the views of both coordinators until the cluster has recovered. */
import { setTimeout as pause } from 'node:timers/promises';
import { nowMs } from '../../live-cluster/instant.ts';
import type { Pair } from './pair.ts';
import { differences, remains, type View, viewOf } from './view.ts';

const EVERY_MS = 100;
/** Views in a row that must be equal and without remains of the fault. */
const IN_A_ROW = 3;
/** A difference that is shorter is a change on its way to the other coordinator. */
const ON_ITS_WAY_MS = 1_000;

export interface Settled {
  /** End of the last difference; the begin without one. `undefined`: the views are not equal yet. */
  readonly equalAtMs: number | undefined;
  /** First of the views without remains of the fault; `undefined`: there are still some. */
  readonly settledAtMs: number | undefined;
  readonly views: readonly View[];
  /** The last differences and remains, one sentence each. */
  readonly found: readonly string[];
}

/** Reads both views until they are equal and the fault has left nothing, at most for `withinMs`. */
export async function settle(pair: Pair, isShared: boolean, withinMs: number): Promise<Settled> {
  const beganMs = nowMs();
  const [first, second] = pair.coordinators;
  let views: readonly View[] = [];
  let equalAtMs = beganMs;
  let unequalSinceMs: number | undefined;
  let settledAtMs = beganMs;
  let reported = '';
  let found: readonly string[] = [];
  for (let inARow = 0; nowMs() < beganMs + withinMs; await pause(EVERY_MS)) {
    const askedMs = nowMs();
    let unequal: readonly string[];
    let remaining: readonly string[] = [];
    try {
      const both = await Promise.all([viewOf(first), viewOf(second)]);
      views = both;
      unequal = differences(both);
      remaining = remains(both, pair.ids, isShared);
    } catch (error) {
      unequal = [String(error)];
    }
    found = [...unequal, ...remaining];
    if ((found[0] ?? 'settled') !== reported) {
      reported = found[0] ?? 'settled';
      process.stderr.write(`${Math.round(askedMs - beganMs)} ms after healing: ${reported}\n`);
    }
    if (unequal.length > 0) unequalSinceMs ??= askedMs;
    else {
      // A short difference right after the begin belongs to the fault.
      const isFirst = equalAtMs === beganMs && unequalSinceMs !== undefined && unequalSinceMs - beganMs < ON_ITS_WAY_MS;
      if (unequalSinceMs !== undefined && (isFirst || askedMs - unequalSinceMs > ON_ITS_WAY_MS)) equalAtMs = askedMs;
      unequalSinceMs = undefined;
    }
    if (found.length > 0) inARow = 0;
    else {
      if (inARow === 0) settledAtMs = askedMs;
      inARow += 1;
      if (inARow === IN_A_ROW) return { equalAtMs, settledAtMs, views, found };
    }
  }
  return {
    equalAtMs: unequalSinceMs === undefined ? equalAtMs : undefined,
    settledAtMs: undefined,
    views,
    found,
  };
}
