import type { Failure } from '../failure.ts';
import type { ResponseEdits, ResponseHead } from '../http1/response-head.ts';
import type { NodeConnection } from './node-connection.ts';

/** Who asked a node something: the exchange of a client, or a probe. What a `NodeConnection` needs of it. */
export interface Downstream extends ResponseEdits {
  readonly method: string;
  /** The other end does not take what the node sends; the node is not to blame for silence. */
  readonly isClientSlow: boolean;
  /** The rest of the request is the client's to send. */
  readonly isClientDue: boolean;
  /** Nothing of the request is to come. */
  readonly isRequestComplete: boolean;
  /** How long the node may take for its response head from `nowMs` on, milliseconds. */
  headTimeoutMs(nowMs: number): number;
  onConnected(connection: NodeConnection): void;
  onNodeDrained(): void;
  /** An interim response. */
  onInterim(head: ResponseHead): void;
  /** A final head. Returns the head for the client. */
  onHead(connection: NodeConnection, head: ResponseHead, nowMs: number): string;
  /** The node switches protocols; `early` came behind its head. */
  onSwitch(connection: NodeConnection, early: Buffer): void;
  /** `octets[start, end)` of the body with `headText` before it; only valid until this returns. */
  writeBody(headText: string, octets: Buffer, start: number, end: number, isLast: boolean): void;
  /** The response is complete. */
  onBodyEnd(nowMs: number): void;
  /** The connection has failed; it is closed already. */
  onNodeFailed(connection: NodeConnection, failure: Failure, atMs: number): void;
}
