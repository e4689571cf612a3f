/**
 * A load over time as mod_cluster weighs it: the newest value counts most, each older one by half of the next.
 *
 *     mean = Σ load(k) / decay^k  /  Σ 1 / decay^k      k = 0 newest
 *
 * @see mod_cluster DynamicLoadBalanceFactorProvider: decay 2, nine values before the newest, `initialLoad`.
 */

/** Larger values give older loads less weight. */
const DECAY = 2;
/** Values before the newest. */
const HISTORY = 9;
/** mod_cluster takes a value at each of its ticks. A load within this time after the newest replaces it, milliseconds. */
const TICK_MS = 900;
/** No ramp: the first value is the whole history. */
export const NO_INITIAL_LOAD = -1;

export class LoadHistory {
  /** Newest first. */
  readonly #loads: number[];
  #newestAtMs = Number.NEGATIVE_INFINITY;

  /**
   * `initialLoad`: free capacity that a new node is assumed to have until it has a history, percent. 0 ramps up from the
   * bottom as mod_cluster does; -1, the default, is no ramp.
   */
  constructor(initialLoad: number = NO_INITIAL_LOAD) {
    this.#loads = initialLoad < 0 ? [] : new Array<number>(HISTORY).fill(1 - Math.min(100, initialLoad) / 100);
  }

  /** Adds a load reported at `nowMs`, 0 idle … 1 full. A value that is no finite number is ignored. */
  add(load: number, nowMs: number): void {
    if (!Number.isFinite(load)) return;
    if (nowMs - this.#newestAtMs < TICK_MS) {
      this.#loads[0] = load;
      return;
    }
    this.#newestAtMs = nowMs;
    this.#loads.unshift(load);
    if (this.#loads.length > HISTORY + 1) this.#loads.pop();
  }

  /** The weighted mean; `undefined` before the first load. */
  get mean(): number | undefined {
    if (this.#newestAtMs === Number.NEGATIVE_INFINITY) return undefined;
    let [sum, weights, weight] = [0, 0, 1];
    for (const load of this.#loads) {
      sum += load * weight;
      weights += weight;
      weight /= DECAY;
    }
    return sum / weights;
  }
}

/** The histories of one node: of its load, and of each metric's part in it. */
export class NodeHistory {
  readonly load: LoadHistory = new LoadHistory();
  readonly #metrics = new Map<string, LoadHistory>();

  /** Adds a report at `nowMs`; metrics that it no longer has are dropped. */
  add(load: number | undefined, metrics: Readonly<Record<string, number>> | undefined, nowMs: number): void {
    if (load !== undefined) this.load.add(load, nowMs);
    if (metrics === undefined) return;
    let present = 0;
    for (const name in metrics) {
      present += 1;
      let history = this.#metrics.get(name);
      if (history === undefined) {
        history = new LoadHistory();
        this.#metrics.set(name, history);
      }
      history.add(Math.min(1, metrics[name]!), nowMs);
    }
    if (present === this.#metrics.size) return;
    for (const name of this.#metrics.keys()) if (!Object.hasOwn(metrics, name)) this.#metrics.delete(name);
  }

  /** Mean of a metric's part; `undefined` for a metric that was not in the last report. */
  meanOf(name: string): number | undefined {
    return this.#metrics.get(name)?.mean;
  }
}
