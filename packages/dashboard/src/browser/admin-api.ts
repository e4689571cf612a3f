/** The admin API from a page: authenticated by login cookie and page key, bounded in time. */
import type { Problem } from '@rollcall/protocol';
import { byId, duration, showIf } from './dom.js';
import { pageKeyField } from './page-key.js';

const TIMEOUT_MS = 5_000;
/** Between two tries to follow events, milliseconds. */
const RECONNECT_MS = 3_000;

/** The coordinator answered, but not with what was asked for. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export async function get<Body>(path: string): Promise<Body> {
  return (await call(path, {})).json() as Promise<Body>;
}

/** What a link of the API answers, as text. */
export async function getText(path: string): Promise<string> {
  return (await call(path, {})).text();
}

/** `undefined` when the answer has no body. */
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
      ? ' To act here, open the login link that `rollcall up` or `rollcall logins --link` prints.'
      : '';
  throw new Refused(response.status, `${problem.detail ?? `The coordinator answered ${response.status}.`}${advice}`);
}

/**
 * Follows a stream of events until the page is closed; after an interruption it resumes behind the last event that `onEvent` got. An
 * EventSource cannot send the page key.
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
      // The alert line of the page reports a coordinator that does not answer.
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
 * Calls `refresh` every `periodMs`, one at a time, and tells in the page's alert line when the coordinator does not
 * answer, and since when. Traffic does not depend on it, and the line says so.
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
          : `The coordinator has not answered for ${duration(Date.now() - lostAtMs)}. What you see is from before; traffic goes on without it.`;
      trouble.dataset['kind'] = 'poll';
      showIf(trouble, why);
    }
    setTimeout(() => void turn(), periodMs);
  };
  void turn();
}

/** Shows what went wrong with something that the user did. */
export function tellFailure(error: unknown): void {
  const trouble = byId('trouble');
  trouble.dataset['kind'] = 'action';
  showIf(trouble, error instanceof Error ? error.message : String(error));
}
