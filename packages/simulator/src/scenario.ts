/** What is simulated. A scenario is data, so that it can be a file. All durations in milliseconds. */

export interface Scenario {
  readonly name: string;
  /** Nodes by speed; speed 1 is the reference for work. */
  readonly nodes: readonly { readonly count: number; readonly speed: number }[];
  readonly proxies: number;
  /** Offered work over what the nodes can do, antagonists counted in. */
  readonly utilisation: number;
  /** Work of one request at speed 1. */
  readonly work: Work;
  /** A part of the nodes is slowed at any time, others after a while. */
  readonly antagonists?: { readonly share: number; readonly factor: number; readonly stayMs: number };
  /** What happens to single nodes. */
  readonly steps?: readonly Step[];
  readonly warmupMs: number;
  readonly durationMs: number;
  /** A request that has no answer by then has failed, and counts as having taken so long. */
  readonly deadlineMs: number;
  /** Between two reports of load. */
  readonly reportMs: number;
}

export type Work =
  | { readonly kind: 'constant'; readonly meanMs: number }
  | { readonly kind: 'exponential'; readonly meanMs: number }
  | { readonly kind: 'lognormal'; readonly meanMs: number; readonly variation: number }
  | { readonly kind: 'pareto'; readonly meanMs: number; readonly shape: number; readonly span: number };

export interface Step {
  readonly atMs: number;
  /** Number of the node, from 0. */
  readonly node: number;
  readonly does:
    | { readonly kind: 'slow'; readonly factor: number }
    | { readonly kind: 'fail-fast'; readonly withinMs: number };
}
