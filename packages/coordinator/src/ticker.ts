/** The clock of the registry: one timer for all leases, deadlines and windows. */
import type { Cluster } from './cluster.ts';
import { TICK_MS } from './stall-clock.ts';

export class Ticker {
  readonly #cluster: Cluster;
  readonly #onStall: (stalledMs: number) => void;
  readonly #timer: NodeJS.Timeout;

  constructor(cluster: Cluster, onStall: (stalledMs: number) => void) {
    this.#cluster = cluster;
    this.#onStall = onStall;
    cluster.stalls.tick(cluster.clocks.nowMs());
    this.#timer = setInterval(() => this.pass(), TICK_MS);
  }

  /** One tick now. Public so that tests need not wait for the timer. */
  pass(): void {
    const { stalls, clocks } = this.#cluster;
    const lateMs = stalls.tick(clocks.nowMs());
    if (lateMs === 0) {
      this.#cluster.apply({ type: 'tick' });
      return;
    }
    this.#cluster.apply({ type: 'stalled', stalledMs: lateMs });
    this.#onStall(lateMs);
    // Timers run before sockets: data that has arrived is read before leases are checked.
    setImmediate(() => this.#cluster.apply({ type: 'tick' }));
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
