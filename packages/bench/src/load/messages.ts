/** Messages between the benchmark and the processes of its load generator. */
import type { HistogramRecord } from '../numbers/latency-histogram.ts';
import type { RequestShape } from './request-text.ts';
import type { ExpectedAnswer } from './response-reader.ts';

/**
 * - `closed`: each connection sends the next request after the response, at the maximum rate of the contender.
 * - `open`: requests are sent at predetermined times, independent of earlier responses, as users do.
 * - `hold`: each connection sends one request and then stays open and idle.
 */
export type Pace =
  | { readonly kind: 'closed' }
  | { readonly kind: 'open'; readonly perSecond: number; readonly isEven: boolean; readonly seed: number }
  | { readonly kind: 'hold' };

/** `http`: requests; `tunnel`: WebSocket messages that the node returns. */
export interface Traffic {
  readonly kind: 'http' | 'tunnel';
  readonly request: RequestShape;
  readonly expected: ExpectedAnswer;
  readonly isTls: boolean;
  /** Clients send the cookies that they have received. */
  readonly keepsCookies: boolean;
}

export interface LoadPlan {
  readonly port: number;
  readonly connections: number;
  readonly traffic: Traffic;
  readonly pace: Pace;
}

/** `start` opens connections and sends; `count` resets the counts; `report` requests them; `stop` closes all connections. */
export type LoadOrder =
  | { readonly order: 'start'; readonly plan: LoadPlan }
  | { readonly order: 'count' }
  | { readonly order: 'report' }
  | { readonly order: 'stop' };

/** Counts of one process since `count`. */
export interface LoadReport {
  /** Number of responses as expected. */
  readonly answered: number;
  /** Number of wrong responses and failed connections, by reason. */
  readonly failures: Readonly<Record<string, number>>;
  /** Time from the due time of a request (`open`) or its sending (others) to the last octet of the response. */
  readonly latency: HistogramRecord;
  readonly elapsedMs: number;
  /** CPU use of the process, 0–1. About 1: the process may be the bottleneck. Always 1 in an open loop. */
  readonly busyRatio: number;
  /** Number of responses of an open loop that `latency` excludes, because the generator was interrupted. */
  readonly spoiled: number;
}

/** `reply` to each order, with the report after `report`. */
export type LoadReply =
  | { readonly reply: 'start' | 'count' | 'stop' }
  | { readonly reply: 'report'; readonly report: LoadReport };
