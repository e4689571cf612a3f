/** The admin API from a page: cookie-authenticated, bounded in time. */
import type { Problem } from '@rollcall/protocol';
import { byId, duration, showIf } from './dom.js';

const TIMEOUT_MS = 5_000;

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

export async function post<Body>(path: string, body: object): Promise<Body> {
  const response = await call(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return response.json() as Promise<Body>;
}

async function call(path: string, init: RequestInit): Promise<Response> {
  const response = await fetch(path, { ...init, credentials: 'same-origin', signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as Partial<Problem>;
  const advice =
    response.status === 401 || response.status === 403
      ? ' To act here, open the login link that `rollcall up` prints.'
      : '';
  throw new Refused(response.status, `${problem.detail ?? `The coordinator answered ${response.status}.`}${advice}`);
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
