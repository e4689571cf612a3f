/** What is compared: core's own algorithms, and published ones that the product does not ship. */
import type { Algorithm, Rng } from '@rollcall/core';

/** The truth about the nodes, for rules that may ask (probes) and for oracles, which no real proxy can be. */
export interface World {
  readonly nowMs: () => number;
  /** Nodes that there will ever be, so that numbers of nodes stay below it. */
  readonly nodes: number;
  readonly proxies: number;
  inFlight(node: number): number;
  /** Until an average request that came now would be answered. */
  finishMs(node: number): number;
  /** Median-like estimate of a request's latency at the node, as it would answer a probe. */
  probedLatencyMs(node: number): number;
}

export interface RuleOptions {
  readonly rng: Rng;
  readonly world: World;
  /** Number of a node by its id. */
  readonly indexOf: (id: string) => number;
}

/** Makes one proxy's copy of a rule. Core's factories are rules as they are. */
export type Rule = (options: RuleOptions) => Algorithm;

/** A rule under test, or the pair that a proxy has. */
export interface Contender {
  readonly name: string;
  /** For requests without a session, and for new sessions when there is no other. */
  readonly requests: Rule;
  /** For new sessions. */
  readonly sessions?: Rule;
  /** Sessions leave nodes that are hot for long, where the scenario says that they may. */
  readonly movesSessions?: boolean;
  /** It neither counts nor times requests that their session binds to a node. Default false: a rule knows of all. */
  readonly ignoresBound?: boolean;
}
