import { DEFAULT_PARAMETERS } from '@rollcall/core';
import type { NodeId, Route } from '@rollcall/protocol';
import type { RequestHead } from '../http1/request-head.ts';
import type { ClientConnection } from './client-connection.ts';

/** One finished request, for the access log. All durations in milliseconds. */
export interface AccessEntry {
  /** The client's own address, behind trusted proxies the one they tell. */
  readonly client: string;
  /** `''` when what came was no request. */
  readonly method: string;
  readonly host: string;
  /** As received, with its query and whatever session id is in it. */
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
  /** Parameters of a URL that may carry a session id, which no log should. */
  readonly sessionParameters: readonly string[];
  readonly stickyResult: string;
  /** The node that answered or was tried last. */
  readonly node: NodeId | undefined;
  readonly route: Route | undefined;
  readonly attempts: number;
  /** From sending the last attempt to its response head; -1 when there was none. */
  readonly upstreamMs: number;
  readonly totalMs: number;
}

type RequestPart = Pick<AccessEntry, 'method' | 'host' | 'target' | 'userAgent' | 'referer' | 'isHttp10'>;

const NO_REQUEST: RequestPart = { method: '', host: '', target: '', userAgent: '', referer: '', isHttp10: false };

/** What a head tells the access log. */
export function describeRequest({ method, host, target, forwarded, isHttp10 }: RequestHead): RequestPart {
  const userAgent = fieldValue(forwarded, 'user-agent');
  return { method, host, target, userAgent, referer: fieldValue(forwarded, 'referer'), isHttp10 };
}

/** The entry of an answer that no node had a part in. Without `head` what came was no request. */
export function ownEntry(
  client: ClientConnection,
  head: RequestHead | undefined,
  status: number,
  bytesOut: number,
): AccessEntry {
  return {
    ...(head === undefined ? NO_REQUEST : describeRequest(head)),
    client: head === undefined ? client.peer.address : client.clientAddress(),
    status,
    bytesOut,
    requestId: '',
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

/** Value of the first field of that lower-case name in forwarded lines; `''` when there is none. */
function fieldValue(fields: string, name: string): string {
  for (const line of fields.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon === name.length && line.slice(0, colon).toLowerCase() === name) return line.slice(colon + 1).trim();
  }
  return '';
}
