/**
 * The route inside a session id: `abc123.node1`, `s%3Aabc123.node1.signature`, or with further dots anywhere. A route of MCMP may itself
 * have dots: `abc123.node.1:8080`.
 */
import { decodeOctets } from '../contexts/path-match.ts';

/** Segments that are checked, from the right. */
const MAX_SEGMENTS = 8;
/** Longest route, in characters. */
const MAX_ROUTE_LENGTH = 64;
const ROUTE_SHAPE = /^[A-Za-z0-9_-]{1,64}$/;

/** Known routes of a balancer: `get` returns the entry of a route by its name. */
export interface KnownRoutes<T> {
  get(route: string): T | undefined;
}

/** How a session id may name its route. */
export interface SessionIdShape {
  /** True when the whole id may be a route, as in the proxy's cookie. Otherwise the part before the first dot never is. */
  readonly mayBeBare: boolean;
}

/**
 * The entry of the route that `id` names; `undefined` when it names no known route. A known route with dots is the whole text after the
 * first dot. Otherwise the right-most segment that names a known route counts.
 *
 * `id` is percent-decoded exactly once and split at dots. At most 8 segments are checked, so that the cost depends only on
 * the length of the id.
 *
 * @see Apache mod_proxy_balancer takes all after the first dot, which fails on signed Node cookies
 *   (`s:id.route.signature`); the right-most known segment serves both.
 */
export function findRoute<T>(id: string, routes: KnownRoutes<T>, { mayBeBare }: SessionIdShape): T | undefined {
  const text = decodeOctets(id);
  const tail = dottedTail(text);
  const whole = tail === undefined ? undefined : routes.get(tail);
  if (whole !== undefined) return whole;
  let end = text.length;
  for (let i = 0; i < MAX_SEGMENTS && end > 0; i++) {
    const dot = text.lastIndexOf('.', end - 1);
    if (dot < 0 && !mayBeBare) return undefined;
    const length = end - dot - 1;
    if (length > 0 && length <= MAX_ROUTE_LENGTH) {
      const known = routes.get(text.slice(dot + 1, end));
      if (known !== undefined) return known;
    }
    end = dot;
  }
  return undefined;
}

/** The text after the first dot of `id`, if it has a further dot and may be a route. */
function dottedTail(id: string): string | undefined {
  const start = id.indexOf('.') + 1;
  const mayBeRoute = start > 0 && id.length - start <= MAX_ROUTE_LENGTH && id.includes('.', start);
  return mayBeRoute ? id.slice(start) : undefined;
}

/** True when `id` has a last segment after a dot that could be a route: it names one, known or not. */
export function namesRoute(id: string): boolean {
  const text = decodeOctets(id);
  const dot = text.lastIndexOf('.');
  return dot >= 0 && ROUTE_SHAPE.test(text.slice(dot + 1));
}

/** `id` without the `.route` that was appended in rewrite mode; `id` itself when it ends with no known route. */
export function withoutRoute(id: string, routes: KnownRoutes<unknown>): string {
  const tail = dottedTail(id);
  if (tail !== undefined && routes.get(tail) !== undefined) return id.slice(0, -tail.length - 1);
  const dot = id.lastIndexOf('.');
  return dot >= 0 && routes.get(id.slice(dot + 1)) !== undefined ? id.slice(0, dot) : id;
}
