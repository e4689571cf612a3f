/** What the bench and the processes of its load generator tell each other. */
import type { HistogramRecord } from '../numbers/latency-histogram.ts';
import type { RequestShape } from './request-text.ts';
import type { ExpectedAnswer } from './response-reader.ts';

/**
 * - `closed`: each connection sends the next request when it has the answer: as much as the contender can do.
 * - `open`: requests leave at instants fixed beforehand, whatever becomes of those before them: as users come.
 * - `hold`: each connection sends one request and then stays open in silence.
 */
export type Pace =
  | { readonly kind: 'closed' }
  | { readonly kind: 'open'; readonly perSecond: number; readonly isEven: boolean; readonly seed: number }
  | { readonly kind: 'hold' };

/** `http` for requests, `tunnel` for WebSocket messages that come back. */
export interface Traffic {
  readonly kind: 'http' | 'tunnel';
  readonly request: RequestShape;
  readonly expected: ExpectedAnswer;
  readonly isTls: boolean;
  /** Clients send the cookies back that they are given. */
  readonly keepsCookies: boolean;
}

export interface LoadPlan {
  readonly port: number;
  readonly connections: number;
  readonly traffic: Traffic;
  readonly pace: Pace;
}

/** `start` opens connections and begins; `count` forgets what was counted; `report` tells it; `stop` closes all. */
export type LoadOrder =
  | { readonly order: 'start'; readonly plan: LoadPlan }
  | { readonly order: 'count' }
  | { readonly order: 'report' }
  | { readonly order: 'stop' };

/** What one process has counted since `count`. */
export interface LoadReport {
  /** Answers that were as expected. */
  readonly answered: number;
  /** Answers and connections that were not, by what was wrong. */
  readonly failures: Readonly<Record<string, number>>;
  /** From the instant a request was due (`open`) or sent (others) to the last octet of its answer. */
  readonly latency: HistogramRecord;
  readonly elapsedMs: number;
  /** CPU time of the process itself by time, 0–1; about 1: it, not the contender, may be the limit. Always 1 in an open loop. */
  readonly busyRatio: number;
  /** Answers of an open loop that are not in `latency`, because the generator itself was kept from its work meanwhile. */
  readonly spoiled: number;
}

/** `reply` to each order, with the report after `report`. */
export type LoadReply =
  | { readonly reply: 'start' | 'count' | 'stop' }
  | { readonly reply: 'report'; readonly report: LoadReport };
