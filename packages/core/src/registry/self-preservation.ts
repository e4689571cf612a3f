/**
 * Many nodes silent at once points at us, not at them. While it does, nobody expires.
 *
 * Only overdue heartbeats count. A socket that closes is the node's own machine speaking, which shows that the network
 * between us works.
 *
 * @see Netflix eureka's self-preservation, which begins below 85 % of the expected heartbeats. Ours begins when a share
 *   of the nodes falls silent within one suspect window, so that nodes which died one by one over a day never cause it.
 */
import type { NodeId } from '@rollcall/protocol';

export interface PreservationOptions {
  /** Nodes that must fall silent within so many milliseconds of each other. */
  readonly windowMs: number;
  readonly fromNodes: number;
  /** Of the known nodes, 0–1. */
  readonly fromRatio: number;
}

export class SelfPreservation {
  readonly #options: PreservationOptions;
  /** All that are silent now, by the instant they were found so; oldest first. */
  readonly #silent = new Map<NodeId, number>();
  /** Those of them found within the window, oldest first. */
  readonly #recent = new Map<NodeId, number>();
  #isOn = false;

  constructor(options: PreservationOptions) {
    this.#options = options;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  get silent(): number {
    return this.#silent.size;
  }

  fellSilent(id: NodeId, nowMs: number): void {
    this.#silent.set(id, nowMs);
    this.#recent.set(id, nowMs);
  }

  /** The node is heard again, or is no longer waited for. */
  isHeard(id: NodeId): void {
    this.#silent.delete(id);
    this.#recent.delete(id);
  }

  /** Judges anew; `known` counts the nodes that are up or suspect. Returns whether it has changed. */
  judge(known: number, nowMs: number): boolean {
    for (const [id, atMs] of this.#recent) {
      if (nowMs - atMs <= this.#options.windowMs) break;
      this.#recent.delete(id);
    }
    const threshold = Math.max(this.#options.fromNodes, Math.ceil(this.#options.fromRatio * known));
    const isOn = this.#isOn ? this.#silent.size >= threshold : this.#recent.size >= threshold;
    if (isOn === this.#isOn) return false;
    this.#isOn = isOn;
    return true;
  }
}
