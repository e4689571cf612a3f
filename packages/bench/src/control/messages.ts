/** What the bench and its processes with agents or nodes tell each other. */
import type { HistogramRecord } from '../numbers/latency-histogram.ts';

/** Agents of one process. */
export interface AgentPlan {
  readonly controlPort: number;
  readonly token: string;
  /** Port of the nodes' server, which answers on all addresses of the loopback. */
  readonly nodePort: number;
  /** Of the first agent; the others follow. */
  readonly firstNumber: number;
  readonly count: number;
  readonly balancer: string;
  readonly path: string;
  /** True: the SDK. False: agents on bare sockets, which cost this machine little. */
  readonly isSdk: boolean;
}

/**
 * `start` connects all agents of the plan at once, as many as there are more than before. `status` sends the wish of one node. `churn`
 * registers and removes `perSecond` further nodes a second until `perSecond` is 0. `change` switches between the first two agents of
 * the plan, `times` times, and measures when the site follows. `leave` ends all. `count` reports; `forget` begins counting anew.
 */
export type AgentOrder =
  | { readonly order: 'start'; readonly plan: AgentPlan }
  | { readonly order: 'churn'; readonly perSecond: number; readonly firstNumber: number }
  | { readonly order: 'change'; readonly sitePort: number; readonly times: number }
  | { readonly order: 'leave' }
  | { readonly order: 'count' }
  | { readonly order: 'forget' };

export interface AgentCounts {
  readonly agents: number;
  readonly registered: number;
  /** Wall clock of the last registration; 0 without any. */
  readonly lastRegisteredAtUnixMs: number;
  /** Connections that were lost or refused since `forget`, by reason. */
  readonly ends: Readonly<Record<string, number>>;
  /** Registrations since `forget`. */
  readonly registrations: number;
}

export type AgentReply =
  | { readonly reply: 'start' | 'churn' | 'leave' | 'forget' }
  | { readonly reply: 'change'; readonly latency: HistogramRecord }
  | { readonly reply: 'count'; readonly counts: AgentCounts };
