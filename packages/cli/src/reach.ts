/** Checks whether a coordinator answers at an address, and reports the cause if none does. */
import { type ClientTls, MAX_REFUSAL_BODY, readRefusal } from '@rollcall/agent';
import { coordinatorFetch } from './coordinator-fetch.ts';
import { CliFailure, EXIT } from './exit.ts';
import { failedAttempt, foreignAnswer, type NoCoordinator } from './no-coordinator.ts';

/** Longest time for an answer, in milliseconds. */
const TIMEOUT_MS = 3_000;

/** Answer of a coordinator; `none` if there was no answer, or one of another program. */
export type Answer =
  | { readonly none?: undefined; readonly isOk: boolean }
  | { readonly none: NoCoordinator; readonly isOk?: undefined };

/** Requests a health page (`/livez`, `/readyz`) of a coordinator. Never rejects. */
export async function answerOf(
  base: string,
  page: '/livez' | '/readyz',
  tls: ClientTls = { hasCertificate: false },
): Promise<Answer> {
  const url = base + page;
  try {
    const init = { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) } as const;
    const response = await coordinatorFetch(url, init, tls);
    const body = await startOf(response);
    if (response.ok && body.trim() === 'ok') return { isOk: true };
    if (response.status === 503 && body.trim() === 'not ready') return { isOk: false };
    const refusal = readRefusal(response.status, (name) => response.headers.get(name) ?? undefined, body);
    return refusal.code === undefined ? { none: foreignAnswer(refusal, base) } : { isOk: false };
  } catch (error) {
    return { none: failedAttempt(error, base) };
  }
}

/** The page of another program is not read to its end. */
async function startOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const octets of response.body ?? []) {
    text += decoder.decode(octets, { stream: true });
    if (text.length >= MAX_REFUSAL_BODY) break;
  }
  return text;
}

/** The addresses without a coordinator, and the causes. */
export class Unanswered {
  readonly #found: NoCoordinator[] = [];

  add(none: NoCoordinator): void {
    this.#found.push(none);
  }

  failure(): CliFailure {
    const sentences = this.#found.map(({ sentence }) => sentence).join('; ');
    // For a coordinator with a wrong certificate, or one that is frozen, the advice to start or name one is wrong.
    const isThere = this.#found.every(({ stage }) => stage === 'tls' || stage === 'silent');
    const advice = isThere ? '' : '; start one with `rollcall up`, or name it with --coordinator or ROLLCALL_URL';
    return new CliFailure(sentences + advice, EXIT.unreachable);
  }
}
