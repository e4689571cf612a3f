/** The rules of browsers and of the proxy that settings of a route cookie have to keep together. */
import { LOGIN_COOKIE_PREFIX, type RouteCookieSettings } from '@rollcall/protocol';

/** Names a setting by its key of `rollcall balancer NAME set`, with the value that it should have, in the words of one source. */
export type SettingWriter = (key: string, value?: string) => string;

/** The words of `rollcall balancer NAME set`. */
export const asSettingKey: SettingWriter = (key, value) => (value === undefined ? key : `${key}=${value}`);

/** A rule that the settings of a route cookie break. */
export interface RouteCookieMistake {
  /** The setting that is refused; the remedy may be another one. */
  readonly setting: keyof RouteCookieSettings;
  /** The rule and the remedy, as a sentence. */
  readonly text: (write: SettingWriter) => string;
}

/**
 * The first rule that `cookie` breaks; `undefined` when it breaks none. `applicationCookies` are the names of the balancer's setting
 * `cookies`.
 *
 * @see RFC 6265bis §4.1.3 (prefixes of names) and §5.7 (SameSite=None, Domain); the draft of CHIPS (Partitioned)
 */
export function routeCookieMistake(
  cookie: RouteCookieSettings,
  applicationCookies: readonly string[],
): RouteCookieMistake | undefined {
  const { name, sameSite, secure, partitioned, domain } = cookie;
  const isSecure = secure === 'always';
  const always = (write: SettingWriter): string => write('route-cookie-secure', 'always');
  if (applicationCookies.includes(name))
    return {
      setting: 'name',
      text: (write) =>
        `the route cookie cannot have the name ${name}, because ${write('cookies')} lists it as a session cookie of the application: set another ${write('route-cookie-name')}`,
    };
  if (name.startsWith(LOGIN_COOKIE_PREFIX))
    return {
      setting: 'name',
      text: (write) =>
        `cookies with a name like ${name} are logins of control ports, which the proxy removes: set another ${write('route-cookie-name')}`,
    };
  if (sameSite === 'None' && !isSecure)
    return {
      setting: 'sameSite',
      text: (write) => `browsers refuse SameSite=None without Secure: set ${always(write)} as well`,
    };
  if (partitioned && !isSecure)
    return {
      setting: 'partitioned',
      text: (write) => `browsers refuse Partitioned without Secure: set ${always(write)} as well`,
    };
  if (domain !== '' && !domain.includes('.'))
    return {
      setting: 'domain',
      text: (write) =>
        `browsers refuse Domain=${domain}, a name without a dot, from all hosts but ${domain} itself: set ${write('route-cookie-domain', 'example.com')}, or unset it`,
    };
  return prefixMistake(cookie);
}

/** The first rule of the prefixes of names that `cookie` breaks. */
function prefixMistake({ name, secure, domain, path }: RouteCookieSettings): RouteCookieMistake | undefined {
  // Browsers compare prefixes without regard to case.
  const prefix = /^__(?:host-http|host|http|secure)-/i.exec(name)?.[0].toLowerCase();
  if (prefix === undefined) return undefined;
  const mistake = (text: (write: SettingWriter) => string): RouteCookieMistake => ({
    setting: 'name',
    text: (write) => `${text(write)}, or set a name without ${prefix}`,
  });
  if (secure !== 'always')
    return mistake(
      (write) => `browsers refuse the name ${name} without Secure: set ${write('route-cookie-secure', 'always')}`,
    );
  if (!prefix.startsWith('__host-')) return undefined;
  if (domain !== '')
    return mistake(
      (write) => `browsers refuse the name ${name} with Domain=${domain}: unset ${write('route-cookie-domain')}`,
    );
  if (path !== '/')
    return mistake(
      (write) => `browsers refuse the name ${name} with a path other than /: set ${write('route-cookie-path', '/')}`,
    );
  return undefined;
}
