/** The rules of browsers and of the proxy that settings of a route cookie have to keep together. */
import { LOGIN_COOKIE_PREFIX, type RouteCookieSettings } from '@rollcall/protocol';

/**
 * The first rule that `cookie` breaks, as a sentence with the remedy in keys of `rollcall balancer NAME set`; `undefined` when
 * it breaks none. `applicationCookies` are the names of the balancer's setting `cookies`.
 *
 * @see RFC 6265bis §4.1.3 (prefixes of names) and §5.7 (SameSite=None); the draft of CHIPS (Partitioned)
 */
export function routeCookieMistake(
  cookie: RouteCookieSettings,
  applicationCookies: readonly string[],
): string | undefined {
  const { name, sameSite, secure, partitioned, domain, path } = cookie;
  const isSecure = secure === 'always';
  if (applicationCookies.includes(name))
    return `the route cookie cannot have the name ${name}, because cookies lists it as a session cookie of the application: set another route-cookie-name`;
  if (name.startsWith(LOGIN_COOKIE_PREFIX))
    return `cookies with a name like ${name} are logins of control ports, which the proxy removes: set another route-cookie-name`;
  if (sameSite === 'None' && !isSecure)
    return 'browsers refuse SameSite=None without Secure: set route-cookie-secure=always as well';
  if (partitioned && !isSecure)
    return 'browsers refuse Partitioned without Secure: set route-cookie-secure=always as well';
  // Browsers compare prefixes without regard to case.
  const prefix = /^__(?:host-http|host|http|secure)-/i.exec(name)?.[0].toLowerCase();
  if (prefix === undefined) return undefined;
  if (!isSecure)
    return `browsers refuse the name ${name} without Secure: set route-cookie-secure=always, or a name without ${prefix}`;
  if (!prefix.startsWith('__host-')) return undefined;
  if (domain !== '')
    return `browsers refuse the name ${name} with Domain=${domain}: unset route-cookie-domain, or set a name without ${prefix}`;
  if (path !== '/')
    return `browsers refuse the name ${name} with a path other than /: set route-cookie-path=/, or a name without ${prefix}`;
  return undefined;
}
