import type { BalancerName, ContextPath } from '@rollcall/protocol';
import { hashText } from './text-hash.ts';

/** Name of the cookie the proxy sets in insert mode. */
export const ROUTE_COOKIE = 'rc_route';
/** Characters of the id in our cookie: two that mark the balancer, and 96 random bits in base64url. */
const ID_LENGTH = 18;
const ID_SHAPE = /^[A-Za-z0-9_-]{18}$/;
const DOT = 0x2e;
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/**
 * Begins the ids of a balancer's cookies. Where contexts lie inside each other a browser sends the outer cookie along, and
 * the routes of two balancers may have the same names: the mark tells whose a cookie is.
 */
export function routeCookieMark(balancer: BalancerName): string {
  const hash = hashText(balancer, 0);
  return DIGITS[hash & 63]! + DIGITS[(hash >>> 6) & 63]!;
}

/** The fields after the value: `Path` is the context, so that balancers side by side keep their own cookies. */
export function routeCookieAttributes(path: ContextPath, isSecure: boolean): string {
  return `; Path=${path}; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
}

/** True when `value`, one of our cookies, has an id of our making with another mark. */
export function isOfAnother(value: string, mark: string): boolean {
  return value.charCodeAt(ID_LENGTH) === DOT && !value.startsWith(mark) && routeCookieId(value) !== undefined;
}

/** Makes and checks the seals that keep clients from aiming at a node. The worker has one when there is a secret. */
export interface CookieSeal {
  /** The seal of `text`, without dots. */
  sealOf(text: string): string;
  /** True when `seal` is that of `text`, by the present secret or the one before. */
  isSealOf(text: string, seal: string): boolean;
}

/**
 * A `Set-Cookie` value that keeps a session on its route: `text` is `id.route`, the value that, or `id.route.seal`. A session cookie: it ends with
 * the browser.
 */
export function buildRouteCookie(text: string, attributes: string, seal?: CookieSeal): string {
  return `${ROUTE_COOKIE}=${text}${seal === undefined ? '' : `.${seal.sealOf(text)}`}${attributes}`;
}

/** What stands before the seal in the value of our cookie; `undefined` when the seal is missing or wrong. */
export function unsealed(value: string, seal: CookieSeal): string | undefined {
  const dot = value.lastIndexOf('.');
  if (dot < 0) return undefined;
  const text = value.slice(0, dot);
  return seal.isSealOf(text, value.slice(dot + 1)) ? text : undefined;
}

/** The id in the value of our cookie; `undefined` when it is not of our making, so that nothing a client wrote is ever sent back. */
export function routeCookieId(value: string): string | undefined {
  const id = value.slice(0, ID_LENGTH);
  return value[ID_LENGTH] === '.' && ID_SHAPE.test(id) ? id : undefined;
}
