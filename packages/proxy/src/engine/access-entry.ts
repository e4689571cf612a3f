import { DEFAULT_PARAMETERS } from '@rollcall/core';
import type { NodeId, Route } from '@rollcall/protocol';
import type { RequestHead } from '../http1/request-head.ts';
import type { ClientConnection } from './client-connection.ts';

const COLON = 0x3a;

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

/** The entry of an answer that no node had a part in. Without `head` what came was no request. */
export function ownEntry(
  client: ClientConnection,
  head: RequestHead | undefined,
  status: number,
  bytesOut: number,
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
export function fieldValue(fields: string, name: string): string {
  for (let start = 0; start < fields.length; ) {
    const end = fields.indexOf('\r\n', start);
    const colon = start + name.length;
    if (fields.charCodeAt(colon) === COLON && fields.slice(start, colon).toLowerCase() === name)
      return fields.slice(colon + 1, end).trim();
    start = end + 2;
  }
  return '';
}
