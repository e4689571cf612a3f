/**
 * Client of the admin API. It knows paths, bodies, problems and streams. Everything else is the caller's: the transport finds the
 * coordinator, adds credentials, limits the time and repeats what may be repeated.
 */
import { AdminProblem } from './admin-problem.ts';
import { eventsOf } from './event-stream.ts';
import type { OperationAnswer, OperationId, OperationInput, StreamId, StreamOf } from './operation-types.ts';
import { OPERATIONS } from './operations.ts';

/** Time between two connections of `follow`, milliseconds, unless the caller has another. */
const RECONNECT_MS = 3_000;

export interface TransportRequest {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

/** Sends one request. Rejects if there is no answer; an answer with an error status is an answer. `fetch` is a transport. */
export type Transport = (url: string, request: TransportRequest) => Promise<Response>;

export interface AdminClientOptions {
  /** URL of the control port with a path prefix if there is one, without a slash at its end. Default: `''`, the origin of the page. */
  readonly base?: string;
  /** Default: `fetch`. */
  readonly transport?: Transport;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** ETag of the resource when it was read: the write fails with `precondition-failed` if it has changed since. */
  readonly ifMatch?: string;
}

export interface FollowOptions {
  readonly signal?: AbortSignal;
  /** Id of an event: the stream begins after it. */
  readonly lastEventId?: string;
  /** Resolves when the next connection may be made. Default: after 3 s. */
  readonly pause?: () => Promise<void>;
}

/** An answer with its status and ETag. */
export interface Exchange<Answer> {
  readonly answer: Answer;
  readonly status: number;
  /** Absent from answers that are no resource. */
  readonly etag?: string;
}

/** The arguments of a call after the operation: the input may be left out if the operation needs none. */
export type Given<Input, Options> = object extends Input
  ? [input?: Input, options?: Options]
  : [input: Input, options?: Options];

interface AnyInput {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: object;
}

export class AdminClient {
  readonly base: string;
  readonly #transport: Transport;

  constructor({ base = '', transport = (url, request) => fetch(url, request) }: AdminClientOptions = {}) {
    this.base = base;
    this.#transport = transport;
  }

  /** The answer of an operation; `undefined` if it has none. Rejects with an `AdminProblem`, or the error of the transport. */
  async call<Id extends OperationId>(
    id: Id,
    ...[input, options]: Given<OperationInput<Id>, CallOptions>
  ): Promise<OperationAnswer<Id>> {
    return (await this.#exchange(id, input ?? {}, options)).answer;
  }

  /** The same with the status and the ETag. */
  exchange<Id extends OperationId>(
    id: Id,
    ...[input, options]: Given<OperationInput<Id>, CallOptions>
  ): Promise<Exchange<OperationAnswer<Id>>> {
    return this.#exchange(id, input ?? {}, options);
  }

  /**
   * The events of one connection: ends when the coordinator closes it. Rejects as `call` does, and with the reason of `signal` when it is
   * aborted.
   */
  async *stream<Id extends StreamId>(
    id: Id,
    input: OperationInput<Id>,
    { signal, lastEventId }: Omit<FollowOptions, 'pause'> = {},
  ): AsyncGenerator<StreamOf<Id>, void, undefined> {
    const response = await this.#send(id, input, {
      accept: 'text/event-stream',
      ...(lastEventId !== undefined && lastEventId !== '' && { 'last-event-id': lastEventId }),
      ...(signal && { signal }),
    });
    if (response.body === null) return;
    for await (const { data, ...event } of eventsOf(response.body))
      yield { ...event, data: JSON.parse(data) } as StreamOf<Id>;
  }

  /**
   * The events of `stream`, over as many connections as needed: each resumes after the last event. Ends when `signal` is aborted. Rejects
   * with an `AdminProblem` of status below 500 other than 429: each repeat would fail again.
   */
  async *follow<Id extends StreamId>(
    id: Id,
    input: OperationInput<Id>,
    { signal, lastEventId = '', pause = shortPause }: FollowOptions = {},
  ): AsyncGenerator<StreamOf<Id>, void, undefined> {
    const isEnded = (): boolean => signal?.aborted === true;
    while (!isEnded()) {
      try {
        for await (const event of this.stream(id, input, { lastEventId, ...(signal && { signal }) })) {
          lastEventId = event.id;
          yield event;
        }
      } catch (error) {
        if (error instanceof AdminProblem && error.status < 500 && error.status !== 429) throw error;
      }
      if (!isEnded()) await pause();
    }
  }

  async #exchange<Id extends OperationId>(
    id: Id,
    input: AnyInput,
    { signal, ifMatch }: CallOptions = {},
  ): Promise<Exchange<OperationAnswer<Id>>> {
    const response = await this.#send(id, input, {
      accept: 'application/json',
      ...(ifMatch !== undefined && { 'if-match': ifMatch }),
      ...(signal && { signal }),
    });
    const etag = response.headers.get('etag');
    const answer = response.status === 204 ? undefined : await bodyOf(response);
    return { answer: answer as OperationAnswer<Id>, status: response.status, ...(etag !== null && { etag }) };
  }

  async #send(
    id: OperationId,
    input: AnyInput,
    {
      signal,
      ...fields
    }: { readonly signal?: AbortSignal; readonly [field: string]: string | AbortSignal | undefined },
  ): Promise<Response> {
    const { method, path } = OPERATIONS[id];
    const isWrite = method !== 'GET';
    const response = await this.#transport(this.base + urlOf(path, input), {
      method,
      headers: { ...(fields as Record<string, string>), ...(isWrite && { 'content-type': 'application/json' }) },
      ...(isWrite && { body: JSON.stringify(input.body ?? {}) }),
      ...(signal && { signal }),
    });
    if (!response.ok) throw await AdminProblem.from(response);
    return response;
  }
}

function urlOf(template: string, { path = {}, query = {} }: AnyInput): string {
  const url = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path[name] ?? ''));
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) words.set(name, String(value));
  return words.size === 0 ? url : `${url}?${words}`;
}

function bodyOf(response: Response): Promise<unknown> {
  return /^text\//.test(response.headers.get('content-type') ?? '') ? response.text() : response.json();
}

function shortPause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
}
