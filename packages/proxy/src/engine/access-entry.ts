import { DEFAULT_PARAMETERS } from '@rollcall/core';
import type { NodeId, Route } from '@rollcall/protocol';
import { fieldValue } from '../http1/field-rules.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { ClientPeer } from './client-report.ts';
import { traceparentOf } from './trace-context.ts';

/** One finished request, for the access log. All durations in milliseconds. */
export interface AccessEntry {
  /** The address of the client, behind trusted proxies the reported one. */
  readonly client: string;
  /** `''` if the octets were not a request. */
  readonly method: string;
  readonly host: string;
  /** As received, with its query and any session id in it. */
  readonly target: string;
  readonly userAgent: string;
  readonly referer: string;
  readonly isHttp10: boolean;
  /** Status of the answer; 499 if the client left before it was complete, 101 if the connection was upgraded. */
  readonly status: number;
  /** Octets written to the client for this request. */
  readonly bytesOut: number;
  readonly requestId: string;
  /** `traceparent` of the request, its own or one that the proxy made; `''` for none. */
  readonly traceparent: string;
  /** Balancer and context, `''` before a choice. */
  readonly balancer: string;
  /** URL parameters that may carry a session id, which is not logged. */
  readonly sessionParameters: readonly string[];
  readonly stickyResult: string;
  /** The node that answered, or the last one that was tried. */
  readonly node: NodeId | undefined;
  readonly route: Route | undefined;
  readonly attempts: number;
  /** From sending the last attempt to its response head; -1 without a response head. */
  readonly upstreamMs: number;
  readonly totalMs: number;
}

/** The client of an entry. */
export interface AccessClient {
  readonly peer: ClientPeer;
  /** The address of the client, behind trusted proxies the reported one. */
  clientAddress(): string;
}

/** The entry for an answer of the proxy itself. `head` is `undefined` if the request could not be parsed. */
export function ownEntry(
  client: AccessClient,
  head: RequestHead | undefined,
  { status, bytesOut, requestId }: Pick<AccessEntry, 'status' | 'bytesOut' | 'requestId'>,
): AccessEntry {
  return {
    client: head === undefined ? client.peer.address : client.clientAddress(),
    method: head?.method ?? '',
    host: head?.host ?? '',
    target: head?.target ?? '',
    userAgent: head === undefined ? '' : fieldValue(head.forwarded, 'user-agent'),
    referer: head === undefined ? '' : fieldValue(head.forwarded, 'referer'),
    isHttp10: head?.isHttp10 ?? false,
    status,
    bytesOut,
    requestId,
    traceparent: head === undefined ? '' : traceparentOf(head.forwarded),
    balancer: '',
    sessionParameters: DEFAULT_PARAMETERS,
    stickyResult: '',
    node: undefined,
    route: undefined,
    attempts: 0,
    upstreamMs: -1,
    totalMs: 0,
  };
}
