/** Client of the admin API for the commands: requests have a timeout, failures are one line. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AdminProblem,
  AdminClient as ApiClient,
  type Given,
  type OperationAnswer,
  type OperationId,
  type OperationInput,
  type StreamId,
  type StreamOf,
} from '@rollcall/admin-client';
import { type ClientTls, isToken } from '@rollcall/agent';
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

  /** Calls an operation. Failures are one line with an exit code; `code` is that of the problem. */
  async call<Id extends OperationId>(
    id: Id,
    ...[input, timeoutMs = TIMEOUT_MS]: Given<OperationInput<Id>, number>
  ): Promise<OperationAnswer<Id>> {
    return this.#explained(() => this.#client(timeoutMs).call(id, input ?? ({} as OperationInput<Id>)));
  }

  /** Events as they arrive, until the coordinator closes the stream or `signal` aborts. */
  async *stream<Id extends StreamId>(
    id: Id,
    input: OperationInput<Id>,
    signal: AbortSignal,
  ): AsyncGenerator<StreamOf<Id>, void, undefined> {
    const events = this.#client().stream(id, input, { signal });
    for (;;) {
      const next = await this.#explained(() => events.next());
      if (next.done) return;
      yield next.value;
    }
  }

  #client(timeoutMs?: number): ApiClient {
    return new ApiClient({ base: this.base, transport: (url, request) => this.#fetch(url, request, timeoutMs) });
  }

  async #explained<Value>(request: () => Promise<Value>): Promise<Value> {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof AdminProblem)) throw error;
      const { status, message, code } = error;
      const advice = status === 401 || status === 403 ? tokenAdvice(status, this.#credentials) : '';
      throw new CliFailure(`${message}${advice}`, EXIT.failed, code);
    }
  }

  /** It has answered before: a refused connection means that it is restarting, for instance for a reload. */
  async #fetch(url: string, request: FetchInit, timeoutMs?: number): Promise<Response> {
    const { token } = this.#credentials;
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const init = { ...request, headers: { ...request.headers, ...authorization } };
    const endMs = performance.now() + ABSENT_MS;
    for (;;) {
      try {
        const signal = timeoutMs === undefined ? init.signal : AbortSignal.timeout(timeoutMs);
        return await coordinatorFetch(url, { ...init, ...(signal && { signal }) }, this.#tls);
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

function tokenAdvice(status: number, { token, stateDir }: Credentials): string {
  if (status === 401 && token === undefined && stateDir !== undefined)
    return ` (${stateDir} has no admin token that this user can read: set ROLLCALL_ADMIN_TOKEN, or name the state directory of \`rollcall up\` with --state-dir or ROLLCALL_STATE_DIR)`;
  return ' (set ROLLCALL_ADMIN_TOKEN, or run this as the user of `rollcall up`, with its --state-dir if it has one)';
}
