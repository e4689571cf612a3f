/** Describes why a connection to a coordinator failed: one clause with the cause, and the remedy where it is known. */
import { AGENT_SUBPROTOCOL, isObject, printable, printableUrl } from '@rollcall/protocol';
import { socketPathOf } from './coordinator-url.ts';

const MAX_TEXT = 160;
/** Errors of a certificate whose issuer this process does not know. */
const UNTRUSTED: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_UNTRUSTED',
]);
/** Errors of OpenSSL for a response that is not TLS. */
const NOT_TLS = /wrong.version.number|packet.length.too.long|record.too.(?:small|large)|unknown.protocol|http.request/i;

/**
 * Returns the cause of a failed attempt to connect to `url` (`ws`, `wss`, `http`, `https` or `ws+unix`).
 *
 * `error` is the error of a socket, `ws` or `fetch`. If the causes of several addresses differ, each address is named. The
 * text never contains user names, passwords or queries.
 */
export function connectCause(error: unknown, url: string): string {
  const cause = innermost(error);
  if (cause instanceof AggregateError && cause.errors.length > 0) {
    const faults = cause.errors.map((each) => ({ address: textOf(each, 'address'), cause: connectCause(each, url) }));
    return addressCauses(faults);
  }
  if (cause instanceof Error && cause.name === 'TimeoutError') return 'no answer in time';
  const code = textOf(cause, 'code') ?? '';
  const message = cause instanceof Error ? cause.message : String(cause);
  return (
    networkCause(code, url) ??
    certificateCause(code, cause, url) ??
    protocolCause(code, message, cause, url) ??
    printable(code === '' ? message || 'unknown error' : code, MAX_TEXT)
  );
}

/** The cause of each address of one name; a single cause if all are equal. */
export function addressCauses(
  faults: readonly { readonly address?: string | undefined; readonly cause: string }[],
): string {
  const causes = new Set(faults.map(({ cause }) => cause));
  if (causes.size <= 1) return [...causes][0] ?? 'unknown error';
  return faults.map(({ address, cause }) => (address === undefined ? cause : `${address} ${cause}`)).join(', ');
}

function networkCause(code: string, url: string): string | undefined {
  const host = hostOf(url);
  switch (code) {
    case 'ECONNREFUSED':
      return 'connection refused';
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return 'connect timed out';
    case 'EHOSTUNREACH':
    case 'EHOSTDOWN':
    case 'ENETUNREACH':
    case 'ENETDOWN':
    case 'EADDRNOTAVAIL':
      return `no route to the host (${code})`;
    case 'ENOTFOUND':
    case 'ENODATA':
    case 'EAI_NONAME':
    case 'EAI_NODATA':
      return `name ${host} not found (${code})`;
    case 'EAI_AGAIN':
    case 'EAI_FAIL':
      return `look-up of ${host} failed (${code}): the name server does not answer`;
    case 'ETIMEOUT':
      return `look-up of ${host} timed out after 10 s: slow name server, or the program's thread pool is full`;
    case 'EACCES':
    case 'EPERM':
      return `permission denied (${code})`;
    case 'ENOENT':
      return 'the socket does not exist (ENOENT)';
    case 'EMFILE':
    case 'ENFILE':
      return `too many open files (${code})`;
    default:
      return undefined;
  }
}

function certificateCause(code: string, error: unknown, url: string): string | undefined {
  if (UNTRUSTED.has(code)) return `certificate not trusted (${code}): set ROLLCALL_CA (--ca) to the file of its CA`;
  if (code === 'CERT_HAS_EXPIRED') return `certificate expired (${code}): renew it, or correct this machine's clock`;
  if (code === 'CERT_NOT_YET_VALID') return `certificate not valid yet (${code}): correct this machine's clock`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code === 'HOSTNAME_MISMATCH') {
    const certificate = error instanceof Error && 'cert' in error ? error.cert : undefined;
    const names = textOf(certificate, 'subjectaltname') ?? 'other names';
    return `certificate is not for ${hostOf(url)} but for ${printable(names, MAX_TEXT)} (${code})`;
  }
  return code.startsWith('CERT_') ? `certificate refused (${code})` : undefined;
}

function protocolCause(code: string, message: string, error: unknown, url: string): string | undefined {
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') {
    const scheme = url.startsWith('https:') ? 'http' : 'ws';
    if (NOT_TLS.test(`${code} ${message}`)) return `the port does not speak TLS: use ${scheme}://`;
    return `TLS handshake failed (${/:SSL routines:[^:]*:([^:]+)/.exec(message)?.[1] ?? code})`;
  }
  if (code === 'ECONNRESET' || code === 'EPIPE' || code === 'UND_ERR_SOCKET') {
    if (isTls(url)) return 'the port closed the connection during the TLS handshake';
    if (socketPathOf(url) !== undefined) return 'the connection was closed without an answer';
    return `the port closed the connection without an answer: not a Rollcall port, or a TLS port (use ${tlsScheme(url)}://)`;
  }
  if (code.startsWith('HPE_')) {
    const raw = error instanceof Error && 'rawPacket' in error ? error.rawPacket : undefined;
    const octets = Buffer.isBuffer(raw) ? raw : Buffer.alloc(0);
    if (octets[0] === 0x15 && octets[1] === 0x03) return `the port speaks TLS: use ${tlsScheme(url)}://`;
    const start = printable(octets.subarray(0, 40).toString('latin1'), 40);
    return `not a Rollcall port: the answer is not HTTP${start === '' ? '' : ` (${JSON.stringify(start)})`}`;
  }
  // Errors of ws about the upgrade have a message only.
  if (code === '' && /^(?:Invalid |Server sent )/.test(message))
    return `not a Rollcall port: no WebSocket with ${AGENT_SUBPROTOCOL} (${printable(message, MAX_TEXT)})`;
  return undefined;
}

/** An HTTP response instead of an upgrade, or instead of a response of a coordinator. */
export interface Refusal {
  readonly status: number;
  readonly server?: string;
  readonly location?: string;
  /** Code and sentence of a coordinator's refusal; absent if the response is not from a coordinator. */
  readonly code?: string;
  readonly detail?: string;
  /** The body states that the port expects TLS. */
  readonly wantsTls?: boolean;
}

/** Maximum length of the body of a refusal that is read, in characters. */
export const MAX_REFUSAL_BODY = 4_096;

/** Reads an HTTP response; `header` returns a field by its lower-case name. Never throws. */
export function readRefusal(status: number, header: (name: string) => string | undefined, body: string): Refusal {
  const server = header('server');
  const location = header('location');
  const answer = {
    status,
    ...(server === undefined ? {} : { server }),
    ...(location === undefined ? {} : { location }),
    ...(/\bHTTP request\b.*\bHTTPS\b/i.test(body) ? { wantsTls: true } : {}),
  };
  try {
    const problem: unknown = JSON.parse(body);
    if (!isObject(problem) || typeof problem['code'] !== 'string') return answer;
    const { code, detail } = problem;
    return { ...answer, code, ...(typeof detail === 'string' ? { detail } : {}) };
  } catch {
    return answer;
  }
}

/** Describes why a response of `url` is not from a coordinator. */
export function notRollcallCause({ status, server, location, wantsTls }: Refusal, url: string): string {
  if (wantsTls) return `the port speaks TLS: use ${tlsScheme(url)}://`;
  const from = server === undefined ? '' : ` from ${printable(server, 60)}`;
  if (location !== undefined && status >= 300 && status < 400)
    return `not a Rollcall port: HTTP ${status}${from}, which redirects to ${printableUrl(location)}`;
  if (status === 502 || status === 503 || status === 504)
    return `HTTP ${status}${from}: the reverse proxy does not reach a coordinator`;
  return `not a Rollcall port: HTTP ${status}${from}`;
}

/** Credentials of a request. */
export interface Shown {
  readonly hasToken: boolean;
  /** Whether it has a TLS client certificate. */
  readonly hasCertificate: boolean;
}

/** Describes why the upgrade of an agent connection was refused, with the remedy. */
export function refusalCause(refusal: Refusal, url: string, { hasToken, hasCertificate }: Shown): string {
  const { status, code, detail } = refusal;
  const answer = code === undefined ? `HTTP ${status}` : `HTTP ${status} ${printable(code, 64)}`;
  const said = detail === undefined ? '' : `: ${printable(detail, MAX_TEXT)}`;
  switch (status) {
    case 401:
      if (socketPathOf(url) !== undefined)
        return 'the secret in ROLLCALL_NODE is not the one of this socket (HTTP 401)';
      if (hasCertificate && !hasToken)
        return `client certificate refused (${answer}${said}): use one that a token of this cluster names, or set ROLLCALL_JOIN_TOKEN`;
      return hasToken
        ? `join token refused (${answer}${said}): set ROLLCALL_JOIN_TOKEN to a token of this cluster`
        : `join token required (${answer}): set ROLLCALL_JOIN_TOKEN`;
    case 403:
      return `not allowed (${answer}${said}): set ROLLCALL_JOIN_TOKEN to a token with the role join`;
    case 426:
      return `no protocol version in common (${answer}${said}): this agent speaks ${AGENT_SUBPROTOCOL}`;
    case 429:
      return `too many connections (${answer}${said})`;
    default:
      if (code === 'not-found') return `no agent endpoint at this path (${answer}): check the path in ROLLCALL_URL`;
      return code === undefined ? notRollcallCause(refusal, url) : `refused (${answer}${said})`;
  }
}

function isTls(url: string): boolean {
  return /^(?:wss|https):/.test(url);
}

function tlsScheme(url: string): string {
  return url.startsWith('http') ? 'https' : 'wss';
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : '';
}

/** The innermost cause: `fetch` wraps the error of the socket. */
function innermost(error: unknown): unknown {
  let inner = error;
  for (let depth = 0; depth < 4 && inner instanceof Error && inner.cause instanceof Error; depth += 1)
    inner = inner.cause;
  return inner;
}

function textOf(value: unknown, key: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const text: unknown = Reflect.get(value, key);
  return typeof text === 'string' && text !== '' ? text : undefined;
}
