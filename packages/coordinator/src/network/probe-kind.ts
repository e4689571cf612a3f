/**
 * Determines how a node answers a request to its port. The probes of the workers send the same request later. `OPTIONS *`
 * concerns the server and not a resource (RFC 9110 section 9.3.7), so it has no side effect. Any status is an answer.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { ProbeKind } from '@rollcall/feed';
import { type NodeUrl, PROBE_FIELD, PROOF_FIELD } from '@rollcall/protocol';
import { askNode } from './node-request.ts';

export interface KindQuestion {
  readonly url: NodeUrl;
  /** The checked address to connect to. */
  readonly host: string;
  readonly port: number;
  /** The key of proofs; `undefined` for members without an agent. */
  readonly instance: string | undefined;
  /** The node can be probed by HEAD. */
  readonly hasReadyPath: boolean;
  /** For a node that has promised a proof: a path that it serves, for the second question. `undefined`: every answer counts. */
  readonly provesAt: string | undefined;
  readonly userAgent: string;
}

/** The best kind of probe that the node has answered; `other` if another program answers in its place. */
export type KindAnswer = ProbeKind | 'other';

/** Asks once, or twice if a promised proof is missing. Never rejects. */
export type KindProbe = (question: KindQuestion, signal: AbortSignal) => Promise<KindAnswer>;

/** `forwarded`: an answer without a proof, from an intermediary that adds `Via` and may have removed the proof. */
type Answer = 'proved' | 'forwarded' | 'answered' | 'none';

/** Time limit of one answer, including the connect, milliseconds. */
const ANSWER_WITHIN_MS = 1_000;

export const probeKind: KindProbe = async (question, signal) => {
  const { provesAt, hasReadyPath, url } = question;
  const first = await ask(question, 'OPTIONS', '*', signal);
  // CPING instead, as the workers send it. AJP has no proof.
  if (url.startsWith('ajp:')) return first === 'none' ? 'connect' : 'options';
  if (first === 'none') return hasReadyPath ? 'head' : 'connect';
  if (first === 'proved') return 'proof';
  if (first === 'forwarded' || provesAt === undefined) return 'options';
  // A service mesh answers `OPTIONS *` itself, and forwards a request for a resource.
  const second = await ask(question, 'HEAD', provesAt, signal);
  return second === 'answered' ? 'other' : 'options';
};

async function ask(
  { url, host, port, instance, userAgent }: KindQuestion,
  method: 'OPTIONS' | 'HEAD',
  path: string,
  signal: AbortSignal,
): Promise<Answer> {
  const nonce = randomBytes(16).toString('hex');
  const headers = { 'user-agent': userAgent, [PROBE_FIELD]: nonce };
  const answer = await askNode({ url, host, port, method, path, headers, timeoutMs: ANSWER_WITHIN_MS }, signal);
  return answer.headers === undefined ? 'none' : answerOf(answer.headers, instance, nonce);
}

function answerOf(headers: IncomingHttpHeaders, instance: string | undefined, nonce: string): Answer {
  if (instance !== undefined && headers[PROOF_FIELD] === createHmac('sha256', instance).update(nonce).digest('hex'))
    return 'proved';
  return headers['via'] === undefined ? 'answered' : 'forwarded';
}
