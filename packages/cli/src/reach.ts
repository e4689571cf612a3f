/** Asks whether a coordinator answers at an address, and says why none does. */
import { type ClientTls, connectCause, MAX_REFUSAL_BODY, notRollcallCause, readRefusal } from '@rollcall/agent';
import { coordinatorFetch } from './coordinator-fetch.ts';
import { CliFailure, EXIT } from './exit.ts';

/** Longest time for an answer, in milliseconds. */
const TIMEOUT_MS = 3_000;

/** What a coordinator answered; `cause` instead when nothing did, or something else. */
export type Answer = { readonly cause?: undefined; readonly isOk: boolean } | { readonly cause: string };

/** Asks `url`, a health page (`/livez`, `/readyz`) of a coordinator. Never rejects. */
export async function answerOf(url: string, tls: ClientTls = { hasCertificate: false }): Promise<Answer> {
  try {
    const init = { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) } as const;
    const response = await coordinatorFetch(url, init, tls);
    const body = await startOf(response);
    if (response.ok && body.trim() === 'ok') return { isOk: true };
    if (response.status === 503 && body.trim() === 'not ready') return { isOk: false };
    const refusal = readRefusal(response.status, (name) => response.headers.get(name) ?? undefined, body);
    return refusal.code === undefined ? { cause: notRollcallCause(refusal, url) } : { isOk: false };
  } catch (error) {
    return { cause: connectCause(error, url) };
  }
}

/** A page of something else is not read to its end. */
async function startOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const octets of response.body ?? []) {
    text += decoder.decode(octets, { stream: true });
    if (text.length >= MAX_REFUSAL_BODY) break;
  }
  return text;
}

/** The addresses that did not answer, and why. */
export class Unanswered {
  readonly #parts: string[] = [];

  add(base: string, cause: string): void {
    this.#parts.push(`${base}: ${cause}`);
  }

  failure(): CliFailure {
    return new CliFailure(
      `no coordinator answers at ${this.#parts.join('; at ')}; start one with \`rollcall up\`, or name it with --coordinator or ROLLCALL_URL`,
      EXIT.unreachable,
    );
  }
}
