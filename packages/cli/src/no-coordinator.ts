/** Why there is no coordinator at an address, in one sentence that separates connecting, TLS and the answer. */
import { connectCause, notRollcallCause, type Refusal } from '@rollcall/agent';
import { printableUrl } from '@rollcall/protocol';

/**
 * Stage that failed. `unconnected`: no connection. `silent`: no answer in time. `tls`: connected, but TLS failed. `other`: an
 * answer of another program.
 */
export type Stage = 'unconnected' | 'silent' | 'tls' | 'other';

export interface NoCoordinator {
  readonly stage: Stage;
  /** Address, cause and remedy. */
  readonly sentence: string;
}

const TLS_CODE = /^(?:CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH$|EPROTO$)/;
const CLOSED_CODE = /^(?:ECONNRESET|EPIPE|UND_ERR_SOCKET)$/;
const NOT_CONNECTED_CODE = /^(?:E[A-Z_]+|UND_ERR_CONNECT_TIMEOUT)$/;

/** Classifies the error of an attempt to connect to `url`. */
export function failedAttempt(error: unknown, url: string): NoCoordinator {
  const inner = innermost(error);
  const cause = connectCause(error, url);
  return noCoordinator(stageOf(inner, cause, url), cause + remedyOf(inner), url);
}

/** Describes the answer of another program. */
export function foreignAnswer(answer: Refusal, url: string): NoCoordinator {
  const cause = notRollcallCause(answer, url);
  return noCoordinator(answer.wantsTls ? 'tls' : 'other', cause, url);
}

function noCoordinator(stage: Stage, cause: string, url: string): NoCoordinator {
  const address = printableUrl(url);
  switch (stage) {
    case 'unconnected':
      return { stage, sentence: `cannot connect to ${address}: ${cause}` };
    case 'silent':
      return {
        stage,
        sentence: `no answer from ${address} in time: the coordinator is frozen or overloaded, its machine cannot be reached, or another program listens there`,
      };
    case 'tls':
      return { stage, sentence: `connected to ${address}, but ${isOfPort(cause) ? '' : 'TLS failed: '}${cause}` };
    case 'other':
      return { stage, sentence: `no coordinator at ${address}: ${cause}` };
  }
}

function stageOf({ name, code }: Inner, cause: string, url: string): Stage {
  if (name === 'TimeoutError') return 'silent';
  if (TLS_CODE.test(code) || cause.startsWith('the port speaks TLS')) return 'tls';
  if (CLOSED_CODE.test(code)) return /^(?:https|wss):/.test(url) ? 'tls' : 'other';
  return NOT_CONNECTED_CODE.test(code) ? 'unconnected' : 'other';
}

/** `the port speaks TLS: use https://` needs no further introduction. */
function isOfPort(cause: string): boolean {
  return cause.startsWith('the port ');
}

/** Remedies that `connectCause` does not name: where to change the certificate, and where the name. */
function remedyOf({ code }: Inner): string {
  if (code === 'CERT_HAS_EXPIRED') return ' (`up --control-cert`)';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code === 'HOSTNAME_MISMATCH')
    return ': use one of these names in the address (--coordinator, ROLLCALL_URL)';
  return '';
}

interface Inner {
  readonly name: string;
  readonly code: string;
}

/** With `fetch` the connection error is the cause; with several addresses the first error counts. */
function innermost(error: unknown): Inner {
  let inner = error;
  for (let depth = 0; depth < 4 && inner instanceof Error; depth += 1) {
    const next: unknown = inner instanceof AggregateError ? inner.errors[0] : inner.cause;
    if (!(next instanceof Error)) break;
    inner = next;
  }
  const { name = '', code = '' } = (inner ?? {}) as { name?: string; code?: unknown };
  return { name, code: String(code) };
}
