/** A scenario is data, so that it can be a file. Durations are in milliseconds, instants in milliseconds from the start. */

export interface Scenario {
  readonly name: string;
  /** One sentence that describes the scenario. */
  readonly about?: string;
  /** Nodes present from the start, numbered from 0 in this order. */
  readonly nodes: readonly NodeGroup[];
  readonly proxies: number;
  /** Offered work over the capacity of the nodes of the start, reduced by antagonists. */
  readonly utilisation: number;
  /** Work of one request at speed 1. */
  readonly work: Work;
  /** With sessions, every request belongs to a session that stays on its node. Default: no sessions. */
  readonly sessions?: Sessions;
  /** At any time a `share` of the nodes runs at `factor` of its speed, each for `stayMs` on average. Default: no node. */
  readonly antagonists?: { readonly share: number; readonly factor: number; readonly stayMs: number };
  readonly events?: readonly Happening[];
  /** Intervals whose latencies are measured separately. */
  readonly windows?: readonly { readonly name: string; readonly fromMs: number; readonly toMs: number }[];
  /** Maximum number of retries of one request; default 2. */
  readonly retries?: number;
  /** Whether proxies eject nodes as the product does; default true. */
  readonly ejects?: boolean;
  readonly warmupMs: number;
  readonly durationMs: number;
  /** A client without an answer after this time aborts. The request counts as failed, with this time as its latency. */
  readonly deadlineMs: number;
  /** Interval of the reports of a node. */
  readonly reportMs: number;
  /** Probability that a report does not arrive at a proxy; default 0. */
  readonly lostReports?: number;
  /** How nodes report load: in answers and reports (`beside-answers`, the default), in `reports` only, or not (`nothing`). */
  readonly tells?: 'beside-answers' | 'reports' | 'nothing';
}

export interface NodeGroup {
  readonly count: number;
  /** Work done per millisecond, milliseconds at speed 1. */
  readonly speed: number;
  /** Weight set by the operator; default 1. */
  readonly weight?: number;
}

export type Work =
  | { readonly kind: 'constant'; readonly meanMs: number }
  | { readonly kind: 'exponential'; readonly meanMs: number }
  | { readonly kind: 'lognormal'; readonly meanMs: number; readonly variation: number }
  | { readonly kind: 'pareto'; readonly meanMs: number; readonly shape: number; readonly span: number };

export interface Sessions {
  /** Mean lifetime of a session; lifetimes are exponential. */
  readonly lifeMs: number;
  /** Requests per second of an average session. Together with the utilisation it determines the number of sessions. */
  readonly requestsPerSecond: number;
  /** Distribution of activity: bounded Pareto, the most active session `span` times the least. Default: equal activity. */
  readonly activity?: { readonly shape: number; readonly span: number };
  /**
   * `open` (default): sessions log in at random and send requests independently, so that their number and total rate vary.
   *
   * `fixed`: the number of sessions is constant, and a new session replaces each that ends. The total rate is constant. Each
   * request belongs to a random session in proportion to its activity; the first request of a session is its login.
   */
  readonly population?: 'open' | 'fixed';
  /** Sessions at the start over the steady number; default 1. They log in during the warm-up. Open populations only. */
  readonly atStart?: number;
  /** Whether nodes share sessions, so that soft stickiness may move one. Default false. */
  readonly isMovable?: boolean;
}

/** An event that changes nodes. `node` is the number of a node; a node that joins gets the next number. */
export type Happening =
  /** The node runs at `factor` of its speed, 0 … 1. */
  | { readonly atMs: number; readonly does: 'slow'; readonly node: number; readonly factor: number }
  /** Every request gets a response 500 after at most `withinMs` of work. */
  | { readonly atMs: number; readonly does: 'fail'; readonly node: number; readonly withinMs: number }
  /** Every connection is reset before the response, after at most `withinMs` of work. */
  | { readonly atMs: number; readonly does: 'break'; readonly node: number; readonly withinMs: number }
  /** The process ends: connections are refused, and requests at the node are lost. */
  | { readonly atMs: number; readonly does: 'crash'; readonly node: number }
  /** The node returns to full speed without failures. */
  | { readonly atMs: number; readonly does: 'recover'; readonly node: number }
  /** New nodes join. They start at `coldFactor` of their speed (default 1) and reach full speed after `rampMs`. */
  | {
      readonly atMs: number;
      readonly does: 'join';
      readonly count: number;
      readonly speed: number;
      readonly coldFactor?: number;
      readonly rampMs?: number;
    }
  /** The node gets no new sessions and no requests without a session. */
  | { readonly atMs: number; readonly does: 'drain'; readonly node: number }
  /** The node leaves: its sessions fail over, and it completes the requests that it has. */
  | { readonly atMs: number; readonly does: 'leave'; readonly node: number };
