/**
 * When a session may leave its node although the node is well: never, unless the application has declared its sessions
 * movable, and then only off a node that is much busier than the others for a while, a few at a time.
 */
import type { NodeId } from '@rollcall/protocol';
import type { Candidate } from './algorithm.ts';

/** A node is hot when its smoothed heat is above this many medians. */
const HOT_RATIO = 3;
/** Time over which heat is smoothed: bursts pass by themselves. */
const SMOOTH_MS = 1_000;
/** Heats are looked at again after this time. */
const LOOK_MS = 100;
/** Part of a node's sessions that may leave it in a second, over all workers. */
const LEAVING_PER_SECOND = 0.02;
/** Leaves that may be saved up, in seconds of them; at least one. */
const SAVED_SECONDS = 1;
/** A node that tells more has told nonsense. */
const MAX_SESSIONS = 1e9;

interface Heat {
  smoothed: number;
  isHot: boolean;
  /** Sessions that may leave now. */
  leaves: number;
}

export interface SoftStickinessOptions<C extends Candidate> {
  /** As `Algorithm.heat` tells. */
  readonly heat: (candidate: C, nowMs: number) => number;
}

/**
 * One for each balancer and context whose sessions are movable. Ask it at each request of a session, before the request
 * goes to its node; all sums are done ten times a second, in between an answer is a look into a table.
 *
 * Heat counts by its square root, so that it grows about as a queue does, smoothed over a second; hot is more than three times
 * the median. At most 2 % of a node's sessions leave in a second: of these each worker has its share.
 */
export class SoftStickiness<C extends Candidate> {
  readonly #heat: SoftStickinessOptions<C>['heat'];
  readonly #heats = new Map<NodeId, Heat>();
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #hasHot = false;

  constructor({ heat }: SoftStickinessOptions<C>) {
    this.#heat = heat;
  }

  /**
   * May a session leave `home` now, for one of `candidates`? A yes is spent: choose another node with `home` among the tried,
   * and let the session live there from now on.
   */
  mayLeave(home: C, candidates: readonly C[], nowMs: number): boolean {
    const passedMs = nowMs - this.#lookedAtMs;
    if (!(passedMs >= 0 && passedMs < LOOK_MS)) this.#look(candidates, passedMs, nowMs);
    if (!this.#hasHot) return false;
    const heat = this.#heats.get(home.id);
    if (heat === undefined || !heat.isHot || heat.leaves < 1) return false;
    heat.leaves--;
    return true;
  }

  #look(candidates: readonly C[], passedMs: number, nowMs: number): void {
    this.#lookedAtMs = nowMs;
    const weight = passedMs >= 0 && passedMs < Number.POSITIVE_INFINITY ? passedMs / (passedMs + SMOOTH_MS) : 1;
    const seconds = weight === 1 ? 0 : passedMs / 1_000;
    const present = new Map<NodeId, Heat>();
    const smoothed = new Float64Array(candidates.length);
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i]!;
      const heatNow = this.#heat(candidate, nowMs);
      const now = heatNow > 0 ? Math.sqrt(Math.min(Number.MAX_VALUE, heatNow)) : 0;
      const heat = this.#heats.get(candidate.id) ?? { smoothed: now, isHot: false, leaves: 0 };
      heat.smoothed += weight * (now - heat.smoothed);
      earn(heat, candidate.live, seconds);
      smoothed[i] = heat.smoothed;
      present.set(candidate.id, heat);
    }
    smoothed.sort();
    const limit = HOT_RATIO * (smoothed[smoothed.length >> 1] ?? Number.POSITIVE_INFINITY);
    this.#heats.clear();
    this.#hasHot = false;
    for (const [id, heat] of present) {
      heat.isHot = heat.smoothed > limit;
      if (heat.isHot) this.#hasHot = true;
      this.#heats.set(id, heat);
    }
  }
}

/** Also while a node is cool, so that the first can leave as soon as it is hot: who asks most asks first, and heats it most. */
function earn(heat: Heat, { sessions, share }: Candidate['live'], seconds: number): void {
  const perSecond =
    sessions > 0 && sessions <= MAX_SESSIONS
      ? LEAVING_PER_SECOND * sessions * (share > 0 && share <= 1 ? share : 1)
      : 0;
  heat.leaves = Math.min(Math.max(1, perSecond * SAVED_SECONDS), heat.leaves + perSecond * seconds);
}
