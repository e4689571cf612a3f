/** What a pass and its processes tell each other over their channels. */
import type { Traffic } from './traffic.ts';

/** One node as its process is told of it. */
export interface NodeOrder {
  /** Number from 0, the same in every process. */
  readonly number: number;
  readonly speed: number;
}

/** Where nodes are that a process keeps, in the order they were asked for. */
export interface NodePorts {
  readonly number: number;
  readonly httpPort: number;
  /** Where HAProxy's agent checks ask. */
  readonly checkPort: number;
}

/** What a node has seen while it was counted. */
export interface NodeCount {
  readonly number: number;
  readonly requests: number;
  /** Work that it was given, served or not, milliseconds at speed 1. */
  readonly workMs: number;
  /** Most requests at a time. */
  readonly maxInFlight: number;
}

export type NodeProcessOrder =
  /** Nodes begin to listen. They count a session until it was silent for `sessionIdleMs`. */
  | { readonly order: 'listen'; readonly nodes: readonly NodeOrder[]; readonly sessionIdleMs: number }
  /** They register with the coordinator whose control port has this URL, as its agents. Replies when all are registered. */
  | { readonly order: 'register'; readonly numbers: readonly number[]; readonly coordinator: string }
  /** The pass begins at an instant of the wall clock: these changes of its own follow from it, and what counts. */
  | {
      readonly order: 'play';
      readonly atUnixMs: number;
      readonly steps: readonly SpeedStep[];
      readonly fromMs: number;
      readonly toMs: number;
    }
  /**
   * One node goes: as an agent when it is one, otherwise when it has been without requests for a while, for somebody else
   * has told the balancer. Replies when it does not listen any more.
   */
  | { readonly order: 'leave'; readonly number: number }
  | { readonly order: 'count' };

export interface SpeedStep {
  readonly atMs: number;
  readonly node: number;
  /** 0: it fails at once. */
  readonly factor: number;
}

export type NodeProcessReply =
  | { readonly reply: 'listen'; readonly ports: readonly NodePorts[] }
  | { readonly reply: 'register' | 'play' | 'leave' }
  | { readonly reply: 'count'; readonly counts: readonly NodeCount[]; readonly lateMs: number };

/** What clients are to send, and where. */
export interface VisitPlan {
  /** Ports of one balancer's instances; a client takes any of them. */
  readonly ports: readonly number[];
  readonly traffic: Traffic;
  readonly warmUpMs: number;
  readonly endMs: number;
  readonly seed: number;
}

export type VisitOrder =
  /** Make all requests ready. Replies when they are. */
  | { readonly order: 'plan'; readonly plan: VisitPlan }
  /** Send them; the pass begins at an instant of the wall clock. Replies when all are over. */
  | { readonly order: 'visit'; readonly atUnixMs: number };

export type VisitReply = { readonly reply: 'plan' } | { readonly reply: 'visit'; readonly report: VisitReport };

/** All requests in the order they were due, as columns. */
export interface VisitReport {
  /** From when it was due to the end of the answer, milliseconds; the deadline where there was none. */
  readonly latencyMs: readonly number[];
  /** Status; 0 for no answer. */
  readonly status: readonly number[];
  /** Node that has answered; -1 for none. */
  readonly node: readonly number[];
  /** What went wrong, by the number of the request; answers with another status than 200 are not in it. */
  readonly failures: Readonly<Record<number, string>>;
  /** How late requests were sent after the warm-up, milliseconds: 99 % were not later. */
  readonly lateMs: number;
}
