/**
 * The one table of error codes. A code is for programs and never changes its meaning. The message beside it is a
 * lower-case sentence that contains the values. `http`: status when the error answers an HTTP request. `close`: WebSocket
 * close code when the error ends an agent connection; absent means that the connection stays.
 */
export const ERROR_CODES = {
  // Syntax of the frame or body
  'bad-message': { http: 400, means: 'not one JSON object with a known shape' },
  'unknown-message': { http: 400, means: 'the type of the message is not known here' },
  'bad-field': { http: 400, means: 'a field has the wrong type or is out of its range' },
  'missing-field': { http: 400, means: 'a required field is absent' },
  'bad-name': { http: 400, means: 'a name does not match [A-Za-z0-9_-]{1,64}' },
  'bad-address': {
    http: 400,
    close: 4400,
    means: 'an address is not http(s)://host:port, or may not be used as a node',
  },
  'too-many-errors': { http: 400, close: 4400, means: 'three bad messages within 60 s' },
  'frame-too-big': { http: 413, close: 1009, means: 'a frame is larger than 65,536 bytes' },
  'binary-frame': { http: 415, close: 1003, means: 'only text frames are understood' },
  'bad-utf8': { http: 400, close: 1007, means: 'a text frame is not UTF-8' },
  'too-fast': { http: 429, means: 'more messages than the connection may send; the excess was dropped' },
  // Order of messages
  'not-registered': { http: 409, means: 'register first' },
  'already-registered': { http: 409, means: 'this connection has registered another node' },
  'register-timeout': { http: 408, close: 4408, means: 'no registration within 5 s' },
  'not-this-node': { http: 409, close: 4403, means: 'this process does not serve the port of the node it reports for' },
  // Authentication and authorization
  unauthenticated: { http: 401, close: 4401, means: 'the token is missing or unknown' },
  forbidden: { http: 403, close: 4403, means: 'the token may not do this' },
  removed: { http: 403, close: 4403, means: 'an operator has removed this instance' },
  'rate-limited': { http: 429, means: 'too many connections or requests from this address' },
  'unsupported-version': { http: 426, close: 4426, means: 'no protocol version in common' },
  // Identity
  superseded: { http: 409, close: 4409, means: 'a newer process or connection has this id' },
  'id-taken': { http: 409, close: 4409, means: 'another process holds this id' },
  'id-owned': { http: 403, close: 4403, means: 'this id belongs to another token' },
  'address-taken': { http: 409, close: 4409, means: 'another node with a current heartbeat has this address' },
  'wrong-program': { http: 409, close: 4409, means: 'another program answers at the announced address' },
  'route-taken': { http: 409, close: 4409, means: 'another node of the balancer has this route' },
  'context-taken': { http: 409, close: 4409, means: 'the host and context are served by another balancer' },
  'too-many-nodes': { http: 403, close: 4403, means: 'a quota is used up; the message names it and its setting' },
  unreachable: { http: 422, means: 'the coordinator cannot connect to the announced address' },
  // Admin API
  'not-found': { http: 404, means: 'there is no such thing' },
  'not-scalable': { http: 409, means: 'no wrapper keeps copies of the program' },
  conflict: { http: 409, means: 'the state does not allow this' },
  'nobody-eligible': { http: 409, means: 'no eligible node would be left, and the request has no force' },
  budget: { http: 409, means: 'fewer eligible nodes than min-eligible would be left, without force' },
  'precondition-failed': { http: 412, means: 'the thing has changed since it was read' },
  'too-large': { http: 413, means: 'the body is larger than it may be' },
  'not-json': { http: 415, means: 'writes need content-type application/json' },
  misdirected: { http: 421, means: 'this Host is not served here' },
  internal: { http: 500, means: 'internal error' },
  'worker-unavailable': { http: 503, means: 'no proxy worker is connected to answer this' },
  'shutting-down': { http: 503, close: 1012, means: 'the coordinator is shutting down; reconnect with jitter' },
  'timed-out': { http: 504, means: 'the answer did not come in time' },
  // Warnings: the registration is accepted
  'weight-clamped': { http: 200, means: 'announced weight × cores is beyond eight times the median of the balancer' },
  'balancer-settings-differ': { http: 200, means: 'sticky settings differ from the ones in force for the balancer' },
} as const;

export interface ErrorCodeEntry {
  readonly http: number;
  readonly close?: number;
  readonly means: string;
}

export type ErrorCode = keyof typeof ERROR_CODES;

/** An expected failure as a value: a stable code and a sentence. */
export interface Fault {
  readonly code: ErrorCode;
  readonly message: string;
  /** With a name that is taken: whether its holder is connected and has sent `register` or `heartbeat` within `suspectMs`. */
  readonly holderConnected?: boolean;
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_CODES, text);
}

/** Close code of an orderly end; no error has it. */
export const CLOSE_NORMAL = 1000;
