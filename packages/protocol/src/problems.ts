/** What is wrong with the cluster: the words of `rollcall status`, `/v1/status`, metrics and alerts. */
import type { BalancerName, NodeId } from './ids.ts';

/**
 * `outage`: visitors get 503. `harm`: some visitors get errors or slow answers, or have lost their session. `risk`: nothing yet, but the next
 * failure may harm. `planned`: an operator's work in progress, which is no problem.
 */
export type ProblemLevel = 'outage' | 'harm' | 'risk' | 'planned';
/** The gravest first. */
export const PROBLEM_LEVELS: readonly ProblemLevel[] = ['outage', 'harm', 'risk', 'planned'];

/** Kinds in the order of their severity within a level. */
export const PROBLEM_KINDS = [
  'unserved',
  'no-worker',
  'errors',
  'slow',
  'missing',
  'not-answering',
  'copies',
  'process',
  'coordinator',
  'sharing',
  'store',
  'state',
  'certificate',
  'drain-overdue',
  'forgotten-request',
  'flapping',
  'not-ready',
  'sticky',
  'token',
  'configuration',
  'draining',
  'override',
] as const;
export type ProblemKind = (typeof PROBLEM_KINDS)[number];

export interface ClusterProblem {
  readonly kind: ProblemKind;
  readonly level: ProblemLevel;
  readonly balancer?: BalancerName;
  /** Nodes concerned: at most `MAX_PROBLEM_NODES`. */
  readonly nodes?: readonly NodeId[];
  /** One sentence without its full stop: what is wrong. */
  readonly message: string;
  /** What users notice, as the continuation of the message; absent: it is part of the message. */
  readonly effect?: string;
  /** What to do, with the command if there is one; absent: it is part of the message. */
  readonly remedy?: string;
  /** Since when; absent when unknown. */
  readonly sinceUnixMs?: number;
}

/** Greatest number of nodes in one problem. */
export const MAX_PROBLEM_NODES = 20;

/** The state of the cluster in one line, with everything that is wrong, the gravest first. */
export interface Verdict {
  /** For people, e.g. `All well: 3 nodes up, 55.0 requests/s`. */
  readonly line: string;
  /** Level of the gravest problem; absent: all well. `planned` counts as well. */
  readonly level?: Exclude<ProblemLevel, 'planned'>;
  /** At most `MAX_PROBLEMS`. */
  readonly problems: readonly ClusterProblem[];
  /** Number of further problems; absent: 0. */
  readonly more?: number;
}

/** Greatest number of problems in a verdict. */
export const MAX_PROBLEMS = 100;

/** The problem in one sentence, without the remedy. */
export function problemText({ message, effect }: Pick<ClusterProblem, 'message' | 'effect'>): string {
  return effect === undefined ? message : `${message}; ${effect}`;
}
