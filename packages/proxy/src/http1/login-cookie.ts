/**
 * The cookie that logs a browser in on a control port. Browsers have one cookie jar for all ports of a host, so the cookie comes
 * with requests for the site as well. It is for the control port only: nodes never see it and never set it.
 */
import { LOGIN_COOKIE_PREFIX } from '@rollcall/protocol';

/** Texts that browsers accept as a cookie of that name. A cookie without a name is sent back as its value (RFC 6265bis §5.6). */
const SETS_LOGIN = new RegExp(`^[= \\t]*${LOGIN_COOKIE_PREFIX}`);

/** The value of a `Cookie` field without login cookies; the same text if it has none. `''` if it has only login cookies. */
export function withoutLogin(value: string): string {
  if (!value.includes(LOGIN_COOKIE_PREFIX)) return value;
  return value
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '' && !pair.startsWith(LOGIN_COOKIE_PREFIX))
    .join('; ');
}

/** True for a `Set-Cookie` value that would set, replace or delete a login cookie. */
export function setsLogin(value: string): boolean {
  return value.includes(LOGIN_COOKIE_PREFIX) && SETS_LOGIN.test(value);
}
