/** What is compared: core's own algorithms, and published ones that the product does not ship. */
import type { Algorithm, Candidate, LoadField, Rng } from '@rollcall/core';

/** The truth about the nodes, for rules that may ask (probes) and for oracles, which no real proxy can be. */
export interface World {
  readonly nowMs: () => number;
  readonly nodes: number;
  readonly proxies: number;
  inFlight(node: number): number;
  /** Until an average request that came now would be answered. */
  finishMs(node: number): number;
  /** Median-like estimate of a request's latency at the node, as it would answer a probe. */
  probedLatencyMs(node: number): number;
}

export interface ContenderOptions {
  readonly rng: Rng;
  readonly world: World;
  /** Number of a node by its id. */
  readonly indexOf: (id: string) => number;
}

/** A rule under test: an algorithm as the proxy has it, with what it hears of the nodes. */
export interface Contender extends Algorithm {
  /** The node has told this of itself beside an answer. Told before `onResponse`. */
  onReport?(candidate: Candidate, report: LoadField, nowMs: number): void;
}

export type ContenderFactory = (options: ContenderOptions) => Contender;
