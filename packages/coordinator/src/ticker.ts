/** Gives the registry time: one timer for all leases, deadlines and windows. */
import type { Cluster } from './cluster.ts';

/** Between two ticks, milliseconds. */
export const TICK_MS = 200;
/** A tick that comes later than this was held up by us, not by the nodes. */
const STALL_MS = 500;

export class Ticker {
  readonly #cluster: Cluster;
  readonly #onStall: (stalledMs: number) => void;
  readonly #timer: NodeJS.Timeout;
  #lastMs: number;

  constructor(cluster: Cluster, onStall: (stalledMs: number) => void) {
    this.#cluster = cluster;
    this.#onStall = onStall;
    this.#lastMs = cluster.clocks.nowMs();
    this.#timer = setInterval(() => this.pass(), TICK_MS);
  }

  /** One tick now. Public so that tests need not wait for the timer. */
  pass(): void {
    const nowMs = this.#cluster.clocks.nowMs();
    const lateMs = nowMs - this.#lastMs - TICK_MS;
    this.#lastMs = nowMs;
    if (lateMs < STALL_MS) {
      this.#cluster.apply({ type: 'tick' });
      return;
    }
    this.#cluster.apply({ type: 'stalled', stalledMs: lateMs });
    this.#onStall(lateMs);
    // Timers run before sockets: let what arrived meanwhile be read before anybody is judged.
    setImmediate(() => this.#cluster.apply({ type: 'tick' }));
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
