/** Settings of the route cookie: the cookie that the proxy sets in mode `insert` so that a session stays on its node. */
import type { Fields } from './fields.ts';
import { parseContextPath } from './ids.ts';

/** When browsers send the cookie with requests from other sites. `None`: always, with `Secure` only. */
export type SameSite = 'Lax' | 'Strict' | 'None';
/** All of them. */
export const SAME_SITES: readonly SameSite[] = ['Lax', 'Strict', 'None'];

/** `auto`: `Secure` if the client uses TLS, to this proxy or to a trusted proxy in front. */
export type CookieSecure = 'auto' | 'always';
/** All of them. */
export const COOKIE_SECURE: readonly CookieSecure[] = ['auto', 'always'];

/**
 * When the cookie ends. `session`: with the browser. `application`: also when an answer removes the session cookie of the
 * application. `idle`: `afterMs` after the last request. `whole`: `afterMs` after the session began.
 */
export type CookieLifetime =
  | { readonly ends: 'session' | 'application' }
  | { readonly ends: 'idle' | 'whole'; readonly afterMs: number };

/** All values of `ends`. */
export const COOKIE_ENDS: readonly CookieLifetime['ends'][] = ['session', 'application', 'idle', 'whole'];
/** Bounds of `afterMs`, milliseconds: 10 s to 400 days, the longest that browsers keep a cookie (RFC 6265bis §5.5). */
export const COOKIE_AFTER_MS = { min: 10_000, max: 34_560_000_000 } as const;

/** Settings that a source may set. */
export interface RouteCookieSettings {
  /** Default `rc_route_` and the first 6 hexadecimal digits of the cluster id; `rc_route` while the id is not known. */
  readonly name: string;
  /** Default `Lax`. */
  readonly sameSite: SameSite;
  /** Default `auto`. */
  readonly secure: CookieSecure;
  /** A separate cookie for each site that embeds this one in a frame. Default false. */
  readonly partitioned: boolean;
  /** Hosts that get the cookie: this name and all names below it. Default `''`: only the host of the request. */
  readonly domain: string;
  /** Default `''`: the context. */
  readonly path: string;
  /** Default `session`. */
  readonly lifetime: CookieLifetime;
}

/** Settings in force. */
export interface RouteCookie extends RouteCookieSettings {
  /** Names of earlier cookies that are still read, and replaced by this one. */
  readonly earlierNames: readonly string[];
}

/** The cookie of releases without cluster ids; without settings it differs from later ones in its name only. */
export const FIRST_ROUTE_COOKIE: RouteCookie = {
  name: 'rc_route',
  sameSite: 'Lax',
  secure: 'auto',
  partitioned: false,
  domain: '',
  path: '',
  lifetime: { ends: 'session' },
  earlierNames: [],
};

/** Changes of the settings; `null` removes one. */
export type RouteCookiePatch = { readonly [Key in keyof RouteCookieSettings]?: RouteCookieSettings[Key] | null };

const HOST_NAME = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** An RFC 9110 token: everything an RFC 6265 cookie name may be. */
const COOKIE_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/;

/** A cookie name of at most 64 characters, RFC 9110 token. */
export function parseCookieName(text: string): string | undefined {
  return COOKIE_NAME.test(text) ? text : undefined;
}

/**
 * A host name for `Domain`, in lower case: no address, no empty label, no dot at the end, no `*`. A leading dot is removed, as
 * browsers do (RFC 6265 §5.2.3). `''` is the host of the request only.
 */
export function parseCookieDomain(text: string): string | undefined {
  if (text === '') return '';
  const name = text.toLowerCase().replace(/^\./, '');
  return name.length <= 253 && HOST_NAME.test(name) && /^[!-~]*$/.test(text) ? name : undefined;
}

/** A path for `Path`, of the form of a context. `''` is the context. */
export function parseCookiePath(text: string): string | undefined {
  return text === '' ? '' : parseContextPath(text);
}

/** Reads settings of one source; absent ones stay absent. */
export function readRouteCookiePatch(fields: Fields): Partial<RouteCookieSettings> {
  const read = {
    name: fields.parsed('name', parseCookieName, 'a cookie name'),
    sameSite: fields.oneOf('sameSite', SAME_SITES),
    secure: fields.oneOf('secure', COOKIE_SECURE),
    partitioned: fields.boolean('partitioned'),
    domain: fields.parsed('domain', parseCookieDomain, 'a host name'),
    path: fields.parsed('path', parseCookiePath, 'a path'),
    lifetime: readLifetime(fields.object('lifetime')),
  };
  const present = Object.entries(read).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as Partial<RouteCookieSettings>;
}

function readLifetime(fields: Fields | undefined): CookieLifetime | undefined {
  const ends = fields?.oneOf('ends', COOKIE_ENDS);
  if (fields === undefined || ends === undefined) return undefined;
  if (ends === 'session' || ends === 'application') return { ends };
  const afterMs = fields.number('afterMs', COOKIE_AFTER_MS) ?? fields.missing('afterMs');
  return afterMs === undefined ? undefined : { ends, afterMs };
}
