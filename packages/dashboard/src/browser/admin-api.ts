/** Requests of a page to the admin API, authenticated by login cookie and page key, with a time limit. */
import type { Problem } from '@rollcall/protocol';
import { byId, duration, showIf } from './dom.js';
import { pageKeyField } from './page-key.js';

const TIMEOUT_MS = 5_000;
/** Pause before the page follows events again, milliseconds. */
const RECONNECT_MS = 3_000;

/** The coordinator answered with an error status. `message` is the detail of the problem, with advice on a missing login. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The JSON body of a GET. Throws `Refused`, or the error of fetch. */
export async function get<Body>(path: string): Promise<Body> {
  return (await call(path, {})).json() as Promise<Body>;
}

/** The body of a GET as text. Throws as `get` does. */
export async function getText(path: string): Promise<string> {
  return (await call(path, {})).text();
}

/** The JSON body of a POST; `undefined` if the answer has no body. Throws as `get` does. */
export async function post<Body>(path: string, body: object): Promise<Body> {
  const response = await call(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return (response.status === 204 ? undefined : await response.json()) as Body;
}

async function call(path: string, init: RequestInit, signal = AbortSignal.timeout(TIMEOUT_MS)): Promise<Response> {
  const headers = { ...init.headers, ...pageKeyField() };
  const response = await fetch(path, { ...init, headers, credentials: 'same-origin', signal });
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as Partial<Problem>;
  const advice =
    response.status === 401 || response.status === 403
      ? ' To log in, open the login link that `rollcall up` or `rollcall logins --link` prints.'
      : '';
  throw new Refused(response.status, `${problem.detail ?? `The coordinator answered ${response.status}.`}${advice}`);
}

/**
 * Follows a stream of events until the page is closed. After an interruption it resumes after the last event that `onEvent`
 * received. It uses fetch because an EventSource cannot send the page key.
 */
export async function follow<Event>(path: string, onEvent: (event: Event) => void): Promise<never> {
  let lastId = '';
  for (;;) {
    try {
      const headers = { accept: 'text/event-stream', ...(lastId !== '' && { 'last-event-id': lastId }) };
      const response = await call(path, { headers }, new AbortController().signal);
      for await (const { id, data } of frames(response)) {
        lastId = id;
        onEvent(JSON.parse(data) as Event);
      }
    } catch {
      // `poll` reports on the page that the coordinator does not answer.
    }
    await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
  }
}

async function* frames({ body }: Response): AsyncGenerator<{ readonly id: string; readonly data: string }> {
  const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    text += part.value;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const frame = text.slice(0, end);
      text = text.slice(end + 2);
      const [, id = '', data] = /^id: (.*)\ndata: (.*)$/m.exec(frame) ?? [];
      if (data !== undefined) yield { id, data };
    }
  }
}

/**
 * Calls `refresh`, and again `periodMs` after each call has ended. If it fails, the alert line of the page shows the error, or
 * for how long the coordinator has not answered.
 */
export function poll(refresh: () => Promise<void>, periodMs: number): void {
  const trouble = byId('trouble');
  let lostAtMs: number | undefined;
  const turn = async (): Promise<void> => {
    try {
      await refresh();
      lostAtMs = undefined;
      if (trouble.dataset['kind'] === 'poll') showIf(trouble, '');
    } catch (error) {
      lostAtMs ??= Date.now();
      const why =
        error instanceof Refused
          ? error.message
          : `The coordinator has not answered for ${duration(Date.now() - lostAtMs)}. This page shows the last known state; traffic is not affected.`;
      trouble.dataset['kind'] = 'poll';
      showIf(trouble, why);
    }
    setTimeout(() => void turn(), periodMs);
  };
  void turn();
}

/** Shows the error of a user action in the alert line. */
export function tellFailure(error: unknown): void {
  const trouble = byId('trouble');
  trouble.dataset['kind'] = 'action';
  showIf(trouble, error instanceof Error ? error.message : String(error));
}
