/** Proof that a probe has reached this very node and not a later tenant of its address. PROTOCOL.md section 7. */
import { createHmac } from 'node:crypto';
import { PROBE_FIELD } from '@rollcall/protocol';

const NONCE = /^[0-9a-fA-F]{32}$/;
/** Sets the bit that lower-case letters have and upper-case ones do not. */
const LOWER_CASE = 32;
const FIRST = PROBE_FIELD.charCodeAt(0);

/** As much of a request as is looked at. `rawHeaders` is a list of names and values in turn. */
export interface ProbedRequest {
  readonly rawHeaders?: readonly string[];
}

/**
 * The nonce of a probe; `undefined` for any other request, and for a nonce that is malformed or given twice.
 *
 * Reads `rawHeaders`, because `headers` is built on first access: for a program that never reads it that costs more than
 * all else the agent does with a request.
 */
export function probeNonce({ rawHeaders }: ProbedRequest): string | undefined {
  if (rawHeaders === undefined) return undefined;
  let nonce: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    // By length and first letter: `Content-Length` is as long.
    if (name.length !== PROBE_FIELD.length || (name.charCodeAt(0) | LOWER_CASE) !== FIRST) continue;
    if (name.toLowerCase() !== PROBE_FIELD) continue;
    if (nonce !== undefined) return undefined;
    nonce = rawHeaders[at + 1]!;
  }
  return nonce !== undefined && NONCE.test(nonce) ? nonce : undefined;
}

/** HMAC-SHA256 in lower-case hex; the key is the registered `instance` as text, the message the nonce as it was sent. */
export function proofOf(instance: string, nonce: string): string {
  return createHmac('sha256', instance).update(nonce).digest('hex');
}
