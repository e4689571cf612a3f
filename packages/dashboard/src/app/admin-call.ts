/** Requests to the admin API, authenticated by login cookie and page key, with a time limit. */
import { AdminClient, AdminProblem } from '@rollcall/admin-client';
import { pageKeyField } from './page-key.ts';

const TIMEOUT_MS = 5_000;

/** The coordinator that serves the page. Streams have no time limit; all other requests have. */
export const api: AdminClient = new AdminClient({
  transport: (url, request) =>
    fetch(url, {
      ...request,
      headers: { ...request.headers, ...pageKeyField() },
      credentials: 'same-origin',
      signal: request.signal ?? AbortSignal.timeout(TIMEOUT_MS),
    }),
});

/** The JSON body of an answer; `undefined` if it has none. Throws `AdminProblem`, or the error of fetch. */
export async function call<Body>(
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  body?: object,
  fields: Readonly<Record<string, string>> = {},
): Promise<Body> {
  const response = await send(path, {
    method,
    headers: { ...fields, ...pageKeyField(), ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  return (response.status === 204 ? undefined : await response.json()) as Body;
}

/** The body of a GET as text. Throws as `call` does. */
export async function textOf(path: string): Promise<string> {
  return (await send(path, { headers: pageKeyField() })).text();
}

async function send(path: string, init: RequestInit): Promise<Response> {
  const response = await fetch(path, {
    ...init,
    credentials: 'same-origin',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw await AdminProblem.from(response);
  return response;
}

/** The page has no login with the right for the request. */
export function isLoginNeeded(error: unknown): error is AdminProblem {
  return error instanceof AdminProblem && (error.status === 401 || error.status === 403);
}

/** Text of an error for people. */
export function errorMessage(error: unknown): string {
  if (error instanceof AdminProblem) return error.message;
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return `the coordinator did not answer within ${TIMEOUT_MS / 1_000} s`;
  return error instanceof TypeError ? 'the coordinator cannot be reached' : String(error);
}
