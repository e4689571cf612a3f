import type { NodeId } from '@rollcall/protocol';

/** One finished request, for the access log. All durations in milliseconds. */
export interface AccessEntry {
  /** The client's own address, behind trusted proxies the one they tell. */
  readonly client: string;
  readonly method: string;
  readonly host: string;
  /** As received, with its query. */
  readonly target: string;
  readonly userAgent: string;
  readonly referer: string;
  readonly isHttp10: boolean;
  /** Status of the answer; 499 when the client left before it was whole, 101 when the connection was upgraded. */
  readonly status: number;
  /** Octets written to the client for this request. */
  readonly bytesOut: number;
  readonly requestId: string;
  /** Balancer and context, `''` when none was chosen. */
  readonly balancer: string;
  readonly stickyResult: string;
  /** The node that answered or was tried last. */
  readonly node: NodeId | undefined;
  readonly attempts: number;
  /** From sending the last attempt to its response head; -1 when there was none. */
  readonly upstreamMs: number;
  readonly totalMs: number;
}
