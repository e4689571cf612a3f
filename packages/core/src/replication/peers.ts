/**
 * Which of the other coordinators are down. Each coordinator increases a counter in its record each second. Each judges
 * the others by its own monotonic clock. A counter that has not changed for `DOWN_MS` while the store answered means down. Without answers no peer is judged,
 * because then its counter could not be read.
 *
 * A peer that was never seen to count is running until `DOWN_MS` have passed: after a start of this coordinator each peer is one. Without that,
 * an answer to an operator would omit a peer that runs and does not have the request yet. A stale or forged announcement therefore makes
 * answers pending for `DOWN_MS`, once.
 *
 * ```
 *            counter changes              DOWN_MS without a change
 *   (new) ──────────────────▶ running ──────────────────────────────▶ down
 *                                ▲                                      │
 *                                └──────────── counter changes ─────────┘
 * ```
 */

/** Time without a change after which a peer is down, milliseconds. */
export const DOWN_MS = 5_000;
/** Greatest time between two answers of the store that counts as an answering store, milliseconds: a read each second may be late. */
export const MAX_GAP_MS = 3_000;

interface Peer {
  counter: number;
  /** Time without a change of the counter while the store answered, milliseconds. */
  unchangedMs: number;
  /** Instant at which it was found to be down; `undefined` while it runs. */
  downAtMs: number | undefined;
}

/** Peers whose state has changed with a read. */
export interface PeerChanges {
  readonly down: readonly string[];
  readonly back: readonly string[];
}

export class Peers {
  readonly #peers = new Map<string, Peer>();
  /** Instant of the last answer of the store; `undefined` before the first. */
  #readAtMs: number | undefined;

  /** An answer of the store: the counter of each other coordinator by its id. A peer without a record any more is forgotten. */
  read(counters: ReadonlyMap<string, number>, nowMs: number): PeerChanges {
    const gapMs = this.#readAtMs === undefined ? Number.POSITIVE_INFINITY : nowMs - this.#readAtMs;
    this.#readAtMs = nowMs;
    const down: string[] = [];
    const back: string[] = [];
    for (const id of this.#peers.keys()) if (!counters.has(id)) this.#peers.delete(id);
    for (const [id, counter] of counters) {
      const peer = this.#peers.get(id);
      if (peer === undefined) this.#peers.set(id, { counter, unchangedMs: 0, downAtMs: undefined });
      else if (peer.counter !== counter) {
        if (peer.downAtMs !== undefined) back.push(id);
        this.#peers.set(id, { counter, unchangedMs: 0, downAtMs: undefined });
      } else {
        // A long gap is an outage of the store, or a pause of this process: it proves nothing about the peer.
        if (gapMs <= MAX_GAP_MS) peer.unchangedMs += gapMs;
        else peer.unchangedMs = 0;
        if (peer.downAtMs !== undefined || peer.unchangedMs < DOWN_MS) continue;
        peer.downAtMs = nowMs;
        down.push(id);
      }
    }
    return { down, back };
  }

  /** Instant at which the peer was found to be down; `undefined` while it runs, and for an unknown one. */
  downAtMs(id: string): number | undefined {
    return this.#peers.get(id)?.downAtMs;
  }

  /** Ids of all peers with a record, in no order. */
  ids(): string[] {
    return [...this.#peers.keys()];
  }
}
