/**
 * Who failed when a request did not come to a whole answer: one type for the whole proxy. What follows (another attempt, the status for the
 * client, what counts against the node) is decided from this alone.
 */
import { NOT_ALLOWED } from './connect-guard.ts';

/**
 * `client`: it left, or broke its own request. `our-bound`: a bound of ours cut a good node short. `our-machine`: the system has no more
 * files, ports or buffers, or cannot look up names. `connect`: no connection that answered. `node-before-answer`: the connection
 * stood, and no whole response head came. `node-within-answer`: the answer broke off.
 */
export type FailedParty =
  | 'client'
  | 'our-bound'
  | 'our-machine'
  | 'connect'
  | 'node-before-answer'
  | 'node-within-answer';

export interface Failure {
  readonly party: FailedParty;
  /** What happened, in words that logs and `explain` use. */
  readonly how: string;
  /** Status for a client that has no answer yet. */
  readonly status: 502 | 503 | 504;
}

const failure = (party: FailedParty, how: string, status: 502 | 503 | 504): Failure =>
  Object.freeze({ party, how, status });

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
  | 'client';

/** All failures there are. Compared by identity. */
export const FAILURE: Readonly<Record<FailureName, Failure>> = {
  /** The connect was refused or reset: nothing listens there. */
  refused: failure('connect', 'connection refused', 502),
  /** The address of the node, or what its name has come to be, may not be connected to. */
  notAllowed: failure('connect', 'address not allowed', 502),
  /** A fresh connection was accepted and closed without an octet. */
  closedUnused: failure('connect', 'connection closed without an octet', 502),
  /** No connection within `connect-timeout`. */
  connectTimeout: failure('connect', 'connect timed out', 504),
  /** No route, no such name, or no TLS connection. */
  unreachable: failure('connect', 'address unreachable', 504),
  /** The connection broke before the response head was whole. */
  closed: failure('node-before-answer', 'connection closed before the answer', 502),
  /** What came is not HTTP. */
  broken: failure('node-before-answer', 'answer is not HTTP', 502),
  /** No response head within `upstream-timeout`. */
  headTimeout: failure('node-before-answer', 'no answer in time', 504),
  /** The connection broke, or its framing did, within the answer. */
  cut: failure('node-within-answer', 'answer broke off', 502),
  /** The answer was silent for longer than an idle bound of ours. */
  idle: failure('our-bound', 'answer silent beyond our idle bound', 504),
  /** The response head, its chunk extensions or trailers are larger than we take. */
  tooLarge: failure('our-bound', 'response beyond our bounds', 502),
  /** This machine has no more files, ports or buffers. */
  local: failure('our-machine', 'no resources on this machine', 503),
  /** The client left or broke its request. */
  client: failure('client', 'client left', 502),
};

/** True for failures that count against the node when new work is placed. */
export function countsAgainstNode({ party }: Failure): boolean {
  return party === 'connect' || party === 'node-before-answer' || party === 'node-within-answer';
}

/** Errors of a connect that are this machine's own. */
const LOCAL_CODES: ReadonlySet<string> = new Set([
  'EMFILE',
  'ENFILE',
  'EADDRNOTAVAIL',
  'ENOBUFS',
  'ENOMEM',
  'EAI_AGAIN',
]);

/** What a socket error means. `isFresh`: nothing had been answered on the connection before. */
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
