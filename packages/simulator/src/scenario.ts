/** What is simulated. A scenario is data, so that it can be a file. All durations in milliseconds, all instants from the start. */

export interface Scenario {
  readonly name: string;
  /** One sentence for people. */
  readonly about?: string;
  /** Nodes that are there from the start, numbered from 0 in this order. */
  readonly nodes: readonly NodeGroup[];
  readonly proxies: number;
  /** Offered work over what the nodes of the start can do, antagonists counted in. */
  readonly utilisation: number;
  /** Work of one request at speed 1. */
  readonly work: Work;
  /** Every request belongs to a session that stays on its node; without it none does. */
  readonly sessions?: Sessions;
  /** A part of the nodes is slowed at any time, others after a while. */
  readonly antagonists?: { readonly share: number; readonly factor: number; readonly stayMs: number };
  readonly events?: readonly Happening[];
  /** Parts of the time whose latencies are told apart. */
  readonly windows?: readonly { readonly name: string; readonly fromMs: number; readonly toMs: number }[];
  /** Further attempts of one request; default 2. */
  readonly retries?: number;
  /** Whether proxies eject nodes as the product does; default true. */
  readonly ejects?: boolean;
  readonly warmupMs: number;
  readonly durationMs: number;
  /** A client that has no answer by then leaves; the request has failed, and counts as having taken so long. */
  readonly deadlineMs: number;
  /** Between two reports of a node. */
  readonly reportMs: number;
  /** Share of reports that do not arrive at a proxy; default 0. */
  readonly lostReports?: number;
  /** What nodes tell: beside each answer and by reports, by reports alone, or nothing at all; default `beside-answers`. */
  readonly tells?: 'beside-answers' | 'reports' | 'nothing';
}

export interface NodeGroup {
  readonly count: number;
  /** Work at speed 1 that is done per millisecond. */
  readonly speed: number;
  /** Operator's weight; default 1. */
  readonly weight?: number;
}

export type Work =
  | { readonly kind: 'constant'; readonly meanMs: number }
  | { readonly kind: 'exponential'; readonly meanMs: number }
  | { readonly kind: 'lognormal'; readonly meanMs: number; readonly variation: number }
  | { readonly kind: 'pareto'; readonly meanMs: number; readonly shape: number; readonly span: number };

export interface Sessions {
  /** Mean life of a session; lives are exponential. */
  readonly lifeMs: number;
  /** Requests per second of an average session. With the utilisation it gives the number of sessions. */
  readonly requestsPerSecond: number;
  /** How unevenly active sessions are: bounded Pareto of that shape, the most active `span` times the least. Default: all alike. */
  readonly activity?: { readonly shape: number; readonly span: number };
  /**
   * `open` (default): sessions come and go by chance and each asks by itself, so that their number and what they ask for together
   * vary. `fixed`: there are always as many, one that ends is followed by a new one, and all together ask at one rate; each
   * request is of a session by chance in proportion to its activity, and the first of a session is its login.
   */
  readonly population?: 'open' | 'fixed';
  /** Sessions at the start, as a part of the steady number; default 1. They log in during the warm-up. Open populations only. */
  readonly atStart?: number;
  /** The application shares its sessions, so that one may move: lets soft stickiness act. Default false. */
  readonly isMovable?: boolean;
}

/** What happens to nodes. A node is named by its number; one that joins has the next one. */
export type Happening =
  /** Others take a part of its speed; `factor` is what is left, 1 all. */
  | { readonly atMs: number; readonly does: 'slow'; readonly node: number; readonly factor: number }
  /** Every request gets an error 500 after `withinMs` of work. */
  | { readonly atMs: number; readonly does: 'fail'; readonly node: number; readonly withinMs: number }
  /** Every connection breaks before an answer, after `withinMs`. */
  | { readonly atMs: number; readonly does: 'break'; readonly node: number; readonly withinMs: number }
  /** Nothing listens any more: connects are refused, and what was there is lost. */
  | { readonly atMs: number; readonly does: 'crash'; readonly node: number }
  /** Full speed and no failures again. */
  | { readonly atMs: number; readonly does: 'recover'; readonly node: number }
  /** New nodes; they begin at `coldFactor` of their speed and reach all of it after `rampMs`. */
  | {
      readonly atMs: number;
      readonly does: 'join';
      readonly count: number;
      readonly speed: number;
      readonly coldFactor?: number;
      readonly rampMs?: number;
    }
  /** No new sessions and no requests without one. */
  | { readonly atMs: number; readonly does: 'drain'; readonly node: number }
  /** It has gone by its own choice: its sessions go elsewhere, what it has begun it finishes. */
  | { readonly atMs: number; readonly does: 'leave'; readonly node: number };
