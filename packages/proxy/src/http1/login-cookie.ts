/**
 * The cookie that logs a browser in on a control port. Browsers keep one cookie jar for all ports of a host, so it comes with
 * the requests for the site as well. It is for the control port alone: nodes never see it and never set it.
 */
import { LOGIN_COOKIE_PREFIX } from '@rollcall/protocol';

/** What browsers may take for a cookie of that name. One without a name is sent back as its value alone (RFC 6265bis §5.6). */
const SETS_LOGIN = new RegExp(`^[= \\t]*${LOGIN_COOKIE_PREFIX}`);

/** The value of a `Cookie` field without login cookies; the same text when it has none. `''` when nothing else was in it. */
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
