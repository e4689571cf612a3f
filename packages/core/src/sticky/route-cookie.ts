import type { ContextPath, Route } from '@rollcall/protocol';

/** Name of the cookie the proxy sets in insert mode. */
export const ROUTE_COOKIE = 'rc_route';
/** Characters of the id in our cookie: 96 random bits in base64url. */
export const ROUTE_COOKIE_ID_LENGTH = 16;

const ID_SHAPE = /^[A-Za-z0-9_-]{16}$/;

/** The fields after the value: `Path` is the context, so that balancers side by side keep their own cookies. */
export function routeCookieAttributes(path: ContextPath, isSecure: boolean): string {
  return `; Path=${path}; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
}

/** A `Set-Cookie` value that keeps session `id` on `route`. A session cookie: it ends with the browser. */
export function buildRouteCookie(id: string, route: Route, attributes: string): string {
  return `${ROUTE_COOKIE}=${id}.${route}${attributes}`;
}

/** The id in the value of our cookie; `undefined` when it is not of our making, so that nothing a client wrote is ever sent back. */
export function routeCookieId(value: string): string | undefined {
  const id = value.slice(0, ROUTE_COOKIE_ID_LENGTH);
  return value[ROUTE_COOKIE_ID_LENGTH] === '.' && ID_SHAPE.test(id) ? id : undefined;
}
