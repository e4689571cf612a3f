/** Messages between the benchmark and its processes with agents or nodes. */
import type { HistogramRecord } from '../numbers/latency-histogram.ts';

/** The agents of one process. */
export interface AgentPlan {
  readonly controlPort: number;
  readonly token: string;
  /** Port of the nodes' server, which answers on all addresses of the loopback. */
  readonly nodePort: number;
  /** Number of the first agent; the numbers of the others follow. */
  readonly firstNumber: number;
  readonly count: number;
  readonly balancer: string;
  readonly path: string;
  /** Whether agents use the SDK. Otherwise they use bare sockets, which need less CPU. */
  readonly isSdk: boolean;
}

/**
 * `start` connects the agents of the plan that are not connected yet, all at once. `status` sends the wanted status of one node. `churn`
 * registers and removes `perSecond` further nodes a second until `perSecond` is 0. `change` switches between the first two agents of
 * the plan, `times` times, and measures when the site follows. `leave` ends all. `count` reports; `forget` resets the counts.
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
