/** The rules under test: core's algorithms, and published ones that the product does not ship. */
import type { Algorithm, Rng } from '@rollcall/core';

/** The actual state of the nodes, for rules with probes, and for oracles, which cannot be built in a real proxy. */
export interface World {
  readonly nowMs: () => number;
  /** Number of nodes including later joins; node numbers are below it. */
  readonly nodes: number;
  readonly proxies: number;
  inFlight(node: number): number;
  /** Time until an average request that arrives now would be answered, milliseconds. */
  finishMs(node: number): number;
  /** The estimate that the node would return to a probe: median latency at its current number of requests, milliseconds. */
  probedLatencyMs(node: number): number;
}

export interface RuleOptions {
  readonly rng: Rng;
  readonly world: World;
  /** The number of the node with this id. */
  readonly indexOf: (id: string) => number;
}

/** Creates the copy of a rule for one proxy. The factories of core are rules. */
export type Rule = (options: RuleOptions) => Algorithm;

/** A rule under test, or a pair of rules: one for requests, one for new sessions. */
export interface Contender {
  readonly name: string;
  /** Places requests without a session, and new sessions if `sessions` is absent. */
  readonly requests: Rule;
  /** Places new sessions. */
  readonly sessions?: Rule;
  /** Soft stickiness: sessions may leave a node that stays hot, if the scenario has movable sessions. Default false. */
  readonly movesSessions?: boolean;
  /** Whether the rule ignores requests whose session determines the node. Default false. */
  readonly ignoresBound?: boolean;
}
