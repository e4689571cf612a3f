/**
 * Whether a session may leave a node that works normally. It may only if the application has declared its sessions movable.
 * Then a few sessions at a time leave a node that is much busier than the others for a while.
 */
import type { NodeId } from '@rollcall/protocol';
import type { Candidate } from './algorithm.ts';

/** A node is overloaded while its smoothed wait is above this many medians. */
const OVERLOAD_RATIO = 3;
/** Time over which waits are smoothed, milliseconds: short bursts move no session. */
const SMOOTH_MS = 1_000;
/** Waits are computed again after this time, milliseconds. */
const LOOK_MS = 100;
/** Part of a node's sessions that may leave it in a second, over all workers. */
const LEAVING_PER_SECOND = 0.02;
/** Leaves that may be saved up, in seconds; at least one leave. */
const SAVED_SECONDS = 1;
/** A larger reported number of sessions is invalid. */
const MAX_SESSIONS = 1e9;

interface NodeWait {
  /** Square root of the wait, smoothed. */
  smoothed: number;
  isOverloaded: boolean;
  /** Sessions that may leave now. */
  leaves: number;
}

export interface SoftStickinessOptions<C extends Candidate> {
  /** See `Algorithm.wait`. */
  readonly wait: (candidate: C, nowMs: number) => number;
}

/**
 * One for each balancer and context whose sessions are movable. Call `mayLeave` at each request of a session, before the
 * request goes to its node. All sums are computed ten times a second; in between a call is a look-up in a table.
 *
 * A wait counts by its square root, so that it grows about as a queue does, and is smoothed over a second. A node is overloaded above
 * three times the median. At most 2 % of a node's sessions leave in a second, divided among the workers by their shares.
 */
export class SoftStickiness<C extends Candidate> {
  readonly #waitOf: SoftStickinessOptions<C>['wait'];
  readonly #waits = new Map<NodeId, NodeWait>();
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #isAnyOverloaded = false;

  constructor({ wait }: SoftStickinessOptions<C>) {
    this.#waitOf = wait;
  }

  /**
   * May a session leave `home` now, for one of `candidates`? True uses up a leave: the caller chooses another node with `home`
   * among the tried ones, and keeps the session there from now on.
   */
  mayLeave(home: C, candidates: readonly C[], nowMs: number): boolean {
    const passedMs = nowMs - this.#lookedAtMs;
    if (!(passedMs >= 0 && passedMs < LOOK_MS)) this.#look(candidates, passedMs, nowMs);
    if (!this.#isAnyOverloaded) return false;
    const wait = this.#waits.get(home.id);
    if (wait === undefined || !wait.isOverloaded || wait.leaves < 1) return false;
    wait.leaves--;
    return true;
  }

  #look(candidates: readonly C[], passedMs: number, nowMs: number): void {
    this.#lookedAtMs = nowMs;
    const weight = passedMs >= 0 && passedMs < Number.POSITIVE_INFINITY ? passedMs / (passedMs + SMOOTH_MS) : 1;
    const seconds = weight === 1 ? 0 : passedMs / 1_000;
    const present = new Map<NodeId, NodeWait>();
    const smoothed = new Float64Array(candidates.length);
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i]!;
      const waitNow = this.#waitOf(candidate, nowMs);
      const now = waitNow > 0 ? Math.sqrt(Math.min(Number.MAX_VALUE, waitNow)) : 0;
      const wait = this.#waits.get(candidate.id) ?? { smoothed: now, isOverloaded: false, leaves: 0 };
      wait.smoothed += weight * (now - wait.smoothed);
      earn(wait, candidate.live, seconds);
      smoothed[i] = wait.smoothed;
      present.set(candidate.id, wait);
    }
    smoothed.sort();
    const limit = OVERLOAD_RATIO * (smoothed[smoothed.length >> 1] ?? Number.POSITIVE_INFINITY);
    this.#waits.clear();
    this.#isAnyOverloaded = false;
    for (const [id, wait] of present) {
      wait.isOverloaded = wait.smoothed > limit;
      if (wait.isOverloaded) this.#isAnyOverloaded = true;
      this.#waits.set(id, wait);
    }
  }
}

/**
 * Earns leaves, also while a node is not overloaded, so that the first session can leave as soon as it is. This is likely the session
 * with the most requests.
 */
function earn(wait: NodeWait, { sessions, share }: Candidate['live'], seconds: number): void {
  const perSecond =
    sessions > 0 && sessions <= MAX_SESSIONS
      ? LEAVING_PER_SECOND * sessions * (share > 0 && share <= 1 ? share : 1)
      : 0;
  wait.leaves = Math.min(Math.max(1, perSecond * SAVED_SECONDS), wait.leaves + perSecond * seconds);
}
