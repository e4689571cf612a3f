/**
 * Why a request got no complete answer: one type for the whole proxy. It names the failed party and the cause. The status for the client,
 * another attempt, and what counts against the node follow from it.
 */

/** `code` of the error of a connect to a forbidden address. */
export const NOT_ALLOWED = 'ERR_NODE_ADDRESS';

/**
 * - `client`: it left, or its request was invalid.
 * - `our-bound`: a limit of this proxy ended the answer of a good node.
 * - `our-machine`: the system has no more files, ports or buffers, or cannot resolve names.
 * - `connect`: no connection that answered.
 * - `node-before-answer`: a connection was established, and no complete response head came.
 * - `node-within-answer`: the answer is incomplete.
 */
export type FailedParty =
  | 'client'
  | 'our-bound'
  | 'our-machine'
  | 'connect'
  | 'node-before-answer'
  | 'node-within-answer';

/**
 * Whether a request may be sent once more after a failure, as far as the failure decides it.
 *
 * - `unsent`: no octet of the request has left. Any method may be sent, also to another node.
 * - `idempotent`: octets may have left, and no octet of an answer has come. Idempotent methods only (RFC 9110 §9.2.2).
 * - `never`: the node may be processing the request, or another attempt does not help.
 */
export type Retry = 'unsent' | 'idempotent' | 'never';

export class Failure {
  readonly party: FailedParty;
  /** The event, in words for logs and `explain`. */
  readonly how: string;
  /** Status for a client that has no answer yet. */
  readonly status: 431 | 501 | 502 | 503 | 504;
  readonly retry: Retry;
  /** The error that ended the connection, with `code` and `errno`; `undefined` without one. */
  readonly cause: NodeJS.ErrnoException | undefined;
  /** Its entry in `FAILURE`, which is compared by identity. */
  readonly kind: Failure;

  /** Without `kind` it is a kind itself. */
  constructor(fields: Pick<Failure, 'party' | 'how' | 'status' | 'retry'>, kind?: Failure, cause?: Failure['cause']) {
    this.party = fields.party;
    this.how = fields.how;
    this.status = fields.status;
    this.retry = fields.retry;
    this.cause = cause;
    this.kind = kind ?? this;
  }
}

const failure = (party: FailedParty, how: string, status: Failure['status'], retry: Retry): Failure =>
  new Failure({ party, how, status, retry });

type FailureName =
  | 'refused'
  | 'notAllowed'
  | 'closedUnused'
  | 'connectTimeout'
  | 'unreachable'
  | 'closed'
  | 'broken'
  | 'headTimeout'
  | 'cut'
  | 'idle'
  | 'tooLarge'
  | 'local'
  | 'client'
  | 'packetTooSmall'
  | 'noUpgrade';

/** All kinds of failures. Compared by identity. */
export const FAILURE: Readonly<Record<FailureName, Failure>> = {
  /** The connect was refused or reset: nothing listens there. */
  refused: failure('connect', 'connection refused', 502, 'unsent'),
  /** The address of the node, or a present address of its name, may not be connected to. */
  notAllowed: failure('connect', 'address not allowed', 502, 'unsent'),
  /** A fresh connection was accepted and closed without an octet. */
  closedUnused: failure('connect', 'connection closed without an octet', 502, 'idempotent'),
  /** No connection within `connect-timeout`. */
  connectTimeout: failure('connect', 'connect timed out', 504, 'unsent'),
  /** No route, no such name, or no TLS connection. */
  unreachable: failure('connect', 'address unreachable', 504, 'unsent'),
  /** The connection closed before the response head was complete. */
  closed: failure('node-before-answer', 'connection closed before the answer', 502, 'idempotent'),
  /** The octets are not HTTP. */
  broken: failure('node-before-answer', 'answer is not HTTP', 502, 'never'),
  /** No response head within `upstream-timeout`. */
  headTimeout: failure('node-before-answer', 'no answer in time', 504, 'never'),
  /** The connection closed, or its framing was invalid, within the answer. */
  cut: failure('node-within-answer', 'answer broke off', 502, 'never'),
  /** The answer was silent for longer than an idle limit of this proxy. */
  idle: failure('our-bound', 'answer silent beyond our idle bound', 504, 'never'),
  /** The response head, its chunk extensions or trailers exceed a limit of this proxy. */
  tooLarge: failure('our-bound', 'response beyond our bounds', 502, 'never'),
  /** This machine has no more files, ports or buffers. */
  local: failure('our-machine', 'no resources on this machine', 503, 'never'),
  /** The client left, or its request was invalid. */
  client: failure('client', 'client left', 502, 'never'),
  /** The head does not fit into one packet of AJP. */
  packetTooSmall: failure('client', 'request head larger than an AJP packet', 431, 'never'),
  /** A WebSocket was requested of a node that speaks AJP. */
  noUpgrade: failure('client', 'AJP carries no WebSocket', 501, 'never'),
};

/** True for failures that count against the node when new work is placed. */
export function countsAgainstNode({ party }: Failure): boolean {
  return party === 'connect' || party === 'node-before-answer' || party === 'node-within-answer';
}

/** Errors of a connect that this machine causes. */
const LOCAL_CODES: ReadonlySet<string> = new Set([
  'EMFILE',
  'ENFILE',
  'EADDRNOTAVAIL',
  'ENOBUFS',
  'ENOMEM',
  'EAI_AGAIN',
]);

/** The failure `kind` as it happened on one connection. `isConnected`: octets of the request may have left. */
export function failureOn(kind: Failure, isConnected: boolean, cause: Failure['cause']): Failure {
  const retry = isConnected || kind.retry === 'never' ? kind.retry : 'unsent';
  if (cause === undefined && retry === kind.retry) return kind;
  return new Failure({ ...kind, retry }, kind, cause);
}

/** The kind of failure that a socket error means. `isFresh`: no answer has come on the connection before. */
export function failureOfError(
  code: string | undefined,
  isConnected: boolean,
  isFresh: boolean,
  hasOctets: boolean,
): Failure {
  if (isConnected) return isFresh && !hasOctets ? FAILURE.closedUnused : FAILURE.closed;
  if (code === NOT_ALLOWED) return FAILURE.notAllowed;
  if (code !== undefined && LOCAL_CODES.has(code)) return FAILURE.local;
  return code === 'ECONNREFUSED' || code === 'ECONNRESET' ? FAILURE.refused : FAILURE.unreachable;
}
