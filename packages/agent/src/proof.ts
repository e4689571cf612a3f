/** Proof that a probe has reached this node, not a later process at its address. PROTOCOL.md section 7. */
import { createHmac } from 'node:crypto';
import { PROBE_FIELD } from '@rollcall/protocol';

const NONCE = /^[0-9a-fA-F]{32}$/;
/** Bit that is set in lower-case ASCII letters only. */
const LOWER_CASE = 32;
const FIRST = PROBE_FIELD.charCodeAt(0);

/** The part of a request that is read. `rawHeaders` is a list of alternating names and values. */
export interface ProbedRequest {
  readonly rawHeaders?: readonly string[];
}

/**
 * The nonce of a probe; `undefined` for other requests, and for a malformed or repeated nonce.
 *
 * Reads `rawHeaders`, because `headers` is built on first access. For a program that never reads it, this costs more than
 * the remaining work of the agent for a request.
 */
export function probeNonce({ rawHeaders }: ProbedRequest): string | undefined {
  if (rawHeaders === undefined) return undefined;
  let nonce: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    // Compares length and first letter first: `Content-Length` has the same length.
    if (name.length !== PROBE_FIELD.length || (name.charCodeAt(0) | LOWER_CASE) !== FIRST) continue;
    if (name.toLowerCase() !== PROBE_FIELD) continue;
    if (nonce !== undefined) return undefined;
    nonce = rawHeaders[at + 1]!;
  }
  return nonce !== undefined && NONCE.test(nonce) ? nonce : undefined;
}

/** HMAC-SHA256 in lower-case hex. The key is the registered `instance` as text, the message the nonce as received. */
export function proofOf(instance: string, nonce: string): string {
  return createHmac('sha256', instance).update(nonce).digest('hex');
}
