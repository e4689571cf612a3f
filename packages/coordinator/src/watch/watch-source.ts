/** Makes the state of `GET /v1/watch` from the registry, the rates and the problems. Figures that change a little are kept. */
import type { BalancerRow, NodeRow, Verdict } from '@rollcall/protocol';
import type { Cluster } from '../cluster.ts';
import { shownFigure } from './shown-figures.ts';
import type { TrafficRates } from './traffic-rates.ts';
import { kindsByNode, shownRates, verdictKey, type WatchState } from './watch-state.ts';

export interface WatchSourceOptions {
  readonly cluster: Cluster;
  readonly rates: TrafficRates;
  readonly verdict: () => Verdict;
}

/** Texts of a verdict that differ only in their numbers are sent again after this time, milliseconds. */
const TEXTS_MS = 2_000;
/** The wall clock is compared with the monotonic clock; a smaller difference than this is not a change of the wall clock, milliseconds. */
const CLOCK_STEP_MS = 500;

export class WatchSource {
  readonly #options: WatchSourceOptions;
  #unixOffsetMs = Number.NaN;
  #verdict: { readonly verdict: Verdict; readonly key: string; readonly atMs: number } | undefined;

  constructor(options: WatchSourceOptions) {
    this.#options = options;
  }

  /** The state now. `before` is the last one; its figures stay while they differ little. */
  state(before: WatchState | undefined): WatchState {
    const { cluster, rates } = this.#options;
    const { registry, clocks } = cluster;
    const verdict = this.#verdictNow();
    const kinds = kindsByNode(verdict.problems);
    const now = { nowMs: clocks.nowMs(), nowUnixMs: this.#nowUnixMs() };
    const balancers = new Map<string, BalancerRow>();
    for (const name of registry.balancers()) {
      const figures = registry.balancerFigures(name);
      balancers.set(name, {
        ...figures,
        rates: shownRates(rates.ofBalancer(name), before?.balancers.get(name)?.rates),
      });
    }
    const nodes = new Map<string, NodeRow>();
    for (const { id } of registry.nodes()) {
      const figures = registry.nodeFigures(id, now);
      if (figures === undefined) continue;
      const known = before?.nodes.get(id);
      const problems = kinds.get(id);
      nodes.set(id, {
        ...figures,
        ...(figures.latencyMs !== undefined && { latencyMs: shownFigure(figures.latencyMs, known?.latencyMs) }),
        rates: shownRates(rates.ofNode(id), known?.rates),
        ...(problems !== undefined && { problems }),
      });
    }
    return {
      atUnixMs: Math.floor(clocks.nowUnixMs()),
      verdict,
      totals: shownRates(rates.total(), before?.totals),
      balancers,
      nodes,
    };
  }

  #verdictNow(): Verdict {
    const { cluster, verdict: look } = this.#options;
    const nowMs = cluster.clocks.nowMs();
    const verdict = look();
    const key = verdictKey(verdict, cluster.registry.counts().up);
    if (this.#verdict === undefined || this.#verdict.key !== key || nowMs - this.#verdict.atMs >= TEXTS_MS)
      this.#verdict = { verdict, key, atMs: nowMs };
    return this.#verdict.verdict;
  }

  /** The wall clock at a fixed distance from the monotonic one, so that an instant of the past is the same number each time. */
  #nowUnixMs(): number {
    const { nowMs, nowUnixMs } = this.#options.cluster.clocks;
    const [ms, unixMs] = [nowMs(), nowUnixMs()];
    if (!(Math.abs(unixMs - ms - this.#unixOffsetMs) < CLOCK_STEP_MS)) this.#unixOffsetMs = unixMs - ms;
    return ms + this.#unixOffsetMs;
  }
}
