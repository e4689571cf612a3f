/** Stateful applications for nodes that a test serves itself: they count visits per session and name themselves. */
import { randomBytes } from 'node:crypto';
import type { RequestListener } from 'node:http';

/** Answer of a counter. */
export interface Visit {
  readonly node: string;
  readonly count: number;
  /** The session id as the application knows it. */
  readonly session: string;
  readonly link: string;
}

export interface CounterOptions {
  readonly node: string;
  /** Cookie that carries the session id; `''` for none. */
  readonly cookie?: string;
  /** Query parameter or `;parameter` that carries it; `''` for none. */
  readonly parameter?: string;
  /** Appended to each new id, as suffix mode wants it. */
  readonly route?: string;
  /** Sessions are shared with others when given. */
  readonly visits?: Map<string, number>;
}

/** Counts visits per session in its own memory. */
export function counter(options: CounterOptions): RequestListener {
  const { node, cookie = '', parameter = '', route } = options;
  const visits = options.visits ?? new Map<string, number>();
  return (request, response) => {
    const target = request.url ?? '/';
    const asked =
      (cookie && cookieOf(request.headers.cookie ?? '', cookie)) || (parameter && parameterOf(target, parameter));
    const session =
      asked && visits.has(asked) ? asked : randomBytes(9).toString('hex') + (route === undefined ? '' : `.${route}`);
    const count = (visits.get(session) ?? 0) + 1;
    visits.set(session, count);
    if (cookie !== '' && session !== asked) response.setHeader('set-cookie', `${cookie}=${session}; Path=/; HttpOnly`);
    const visit: Visit = { node, count, session, link: parameter === '' ? '' : `?${parameter}=${session}` };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(visit));
  };
}

function cookieOf(field: string, name: string): string {
  for (const pair of field.split('; ')) if (pair.startsWith(`${name}=`)) return pair.slice(name.length + 1);
  return '';
}

function parameterOf(target: string, name: string): string {
  return new RegExp(`[;?&]${name}=([^;?&]*)`).exec(target)?.[1] ?? '';
}
