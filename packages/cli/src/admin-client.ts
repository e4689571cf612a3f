/** Client of the admin API for the commands: requests have a timeout, failures are one line. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientTls, isToken } from '@rollcall/agent';
import { isObject } from '@rollcall/protocol';
import { coordinatorFetch, type FetchInit } from './coordinator-fetch.ts';
import { type ClientTlsFlags, clientTlsOf, placeOf } from './coordinator-tls.ts';
import { coordinatorUrls } from './coordinator-url.ts';
import { CliFailure, EXIT } from './exit.ts';
import { failedAttempt } from './no-coordinator.ts';
import { answerOf, Unanswered } from './reach.ts';
import { secretFrom } from './secret.ts';
import { isInUse, readAdminToken, stateDirectoryOf } from './state-directory.ts';

const TIMEOUT_MS = 5_000;
/** Time that a restarting coordinator may be unreachable, milliseconds. */
const ABSENT_MS = 15_000;
/** Time between two attempts, milliseconds. */
const RETRY_MS = 100;

export interface AdminTarget extends ClientTlsFlags {
  readonly coordinator?: string;
  readonly stateDir?: string;
}

interface Credentials {
  readonly token?: string | undefined;
  /** The state directory in which the token was looked for. */
  readonly stateDir?: string;
}

export class AdminClient {
  readonly base: string;
  readonly #credentials: Credentials;
  readonly #tls: ClientTls;

  private constructor(base: string, credentials: Credentials, tls: ClientTls) {
    this.base = base;
    this.#tls = tls;
    this.#credentials = credentials;
  }

  /**
   * Finds the coordinator that answers; waits for one of this machine whose `rollcall up` runs. Fails with exit 3 naming the
   * addresses tried, and what each did.
   */
  static async connect(target: AdminTarget, environment: NodeJS.ProcessEnv = process.env): Promise<AdminClient> {
    const endMs = performance.now() + ABSENT_MS;
    for (;;) {
      const places = coordinatorUrls(target.coordinator, environment).map((url) => placeOf(url, target, environment));
      const unanswered = new Unanswered();
      for (const place of places) {
        const { url: base } = place;
        const tls = clientTlsOf(place);
        const answer = await answerOf(base, '/livez', tls);
        if (answer.none === undefined) return new AdminClient(base, credentialsOf(base, target, environment), tls);
        unanswered.add(answer.none);
      }
      const isStarting = places.some(({ url }) => isInUse(stateDirectoryOf(url, target.stateDir, environment)));
      if (!isStarting || performance.now() > endMs) throw unanswered.failure();
      await sleep(RETRY_MS);
    }
  }

  get<Body>(path: string): Promise<Body> {
    return this.#call<Body>('GET', path, undefined);
  }

  send<Body>(
    method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body: object,
    timeoutMs: number = TIMEOUT_MS,
  ): Promise<Body> {
    return this.#call<Body>(method, path, body, timeoutMs);
  }

  /** Server-sent events as they arrive, until the server closes the stream or `signal` aborts. */
  async *events(path: string, signal: AbortSignal): AsyncGenerator<unknown> {
    const response = await this.#fetch(path, { headers: this.#headers({ accept: 'text/event-stream' }), signal });
    if (!response.ok || !response.body) throw await failureOf(response, this.#credentials);
    let buffered = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body) {
      buffered += decoder.decode(chunk, { stream: true });
      for (let end = buffered.indexOf('\n\n'); end >= 0; end = buffered.indexOf('\n\n')) {
        const data = /^data: ?(.*)$/m.exec(buffered.slice(0, end))?.[1];
        buffered = buffered.slice(end + 2);
        if (data !== undefined) yield JSON.parse(data);
      }
    }
  }

  async #call<Body>(
    method: string,
    path: string,
    body: object | undefined,
    timeoutMs: number = TIMEOUT_MS,
  ): Promise<Body> {
    const headers = this.#headers({
      accept: 'application/json',
      ...(body ? { 'content-type': 'application/json' } : {}),
    });
    const init = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) };
    const response = await this.#fetch(path, init, timeoutMs);
    if (!response.ok) throw await failureOf(response, this.#credentials);
    return (response.status === 204 ? undefined : await response.json()) as Body;
  }

  /** It has answered before: a refused connection means that it is restarting, for instance for a reload. */
  async #fetch(path: string, init: FetchInit, timeoutMs?: number): Promise<Response> {
    const endMs = performance.now() + ABSENT_MS;
    for (;;) {
      try {
        const signal = timeoutMs === undefined ? init.signal : AbortSignal.timeout(timeoutMs);
        return await coordinatorFetch(this.base + path, { ...init, ...(signal && { signal }) }, this.#tls);
      } catch (error) {
        if ((error as Error).name === 'TimeoutError')
          throw new CliFailure(failedAttempt(error, this.base).sentence, EXIT.timedOut);
        if ((error as Error).name === 'AbortError') throw error;
        if (!isRefused(error) || performance.now() > endMs)
          throw new CliFailure(failedAttempt(error, this.base).sentence, EXIT.unreachable);
      }
      await sleep(RETRY_MS);
    }
  }

  #headers(headers: Record<string, string>): Record<string, string> {
    const { token } = this.#credentials;
    return token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` };
  }
}

/** `ROLLCALL_ADMIN_TOKEN`, the file it names, or what a coordinator on this machine left in its state directory. */
function credentialsOf(base: string, target: AdminTarget, environment: NodeJS.ProcessEnv): Credentials {
  const token = secretFrom('ROLLCALL_ADMIN_TOKEN', environment, {
    consequence: 'the token of the state directory is used, if there is one',
    warn: (problem) => void process.stderr.write(`note: ${problem}\n`),
  });
  if (token !== undefined && !isToken(token))
    throw new CliFailure(
      'ROLLCALL_ADMIN_TOKEN is not a token: write visible ASCII, at most 4096 characters',
      EXIT.usage,
    );
  if (token !== undefined) return { token };
  const stateDir = stateDirectoryOf(base, target.stateDir, environment);
  return stateDir === undefined ? {} : { token: readAdminToken(stateDir), stateDir };
}

interface ConnectError {
  readonly code?: string;
  readonly cause?: ConnectError;
  /** An error for each address of a name. */
  readonly errors?: readonly ConnectError[];
}

/** With `fetch` the connection error is the cause, with node:https it is the error itself. */
function isRefused(error: unknown): boolean {
  const cause = (error as ConnectError).cause ?? (error as ConnectError);
  return (cause.errors ?? [cause]).every(({ code }) => code === 'ECONNREFUSED');
}

async function failureOf(response: Response, credentials: Credentials): Promise<CliFailure> {
  const text = await response.text();
  let detail = text.slice(0, 300);
  let code: string | undefined;
  try {
    const problem: unknown = JSON.parse(text);
    if (isObject(problem) && typeof problem['detail'] === 'string') detail = problem['detail'];
    if (isObject(problem) && typeof problem['code'] === 'string') code = problem['code'];
  } catch {
    // Not JSON: the text itself is the message.
  }
  const advice = response.status === 401 || response.status === 403 ? tokenAdvice(response.status, credentials) : '';
  return new CliFailure(`${detail || `the coordinator answered ${response.status}`}${advice}`, EXIT.failed, code);
}

function tokenAdvice(status: number, { token, stateDir }: Credentials): string {
  if (status === 401 && token === undefined && stateDir !== undefined)
    return ` (${stateDir} has no admin token that this user can read: set ROLLCALL_ADMIN_TOKEN, or name the state directory of \`rollcall up\` with --state-dir or ROLLCALL_STATE_DIR)`;
  return ' (set ROLLCALL_ADMIN_TOKEN, or run this as the user of `rollcall up`, with its --state-dir if it has one)';
}
