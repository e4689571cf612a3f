/** Edits one `Set-Cookie` of a node for the client: the route in rewrite mode, and the prefix of its path. All other octets stay. */
import { isUnder } from './path-prefix.ts';

/** Parts of the routing that shape a `Set-Cookie`. */
export interface CookieEdits {
  /** Names of cookies to which the route is appended; empty for none. */
  readonly rewriteCookies: readonly string[];
  readonly rewriteRoute: string;
  /** Path prefix that was taken off the request; `''` for none. */
  readonly prefix: string;
}

/** RFC 6265bis §4.1.3.2: browsers refuse such a cookie with another path than `/`. */
const HOST_PREFIX = /^\s*__Host-/i;

/** `value` for the client; the same string if nothing changes. */
export function publicCookie(value: string, edits: CookieEdits): string {
  const routed = edits.rewriteCookies.length === 0 ? value : withRoute(value, edits);
  return edits.prefix === '' || HOST_PREFIX.test(routed) ? routed : withPathPrefix(routed, edits.prefix);
}

/** The route is appended if the name is one of the names to rewrite; quotes and white space around the id stay. */
function withRoute(value: string, { rewriteCookies, rewriteRoute }: CookieEdits): string {
  const equals = value.indexOf('=');
  if (equals < 0 || !rewriteCookies.includes(value.slice(0, equals).trim())) return value;
  const semicolon = value.indexOf(';', equals);
  const pair = semicolon < 0 ? value : value.slice(0, semicolon);
  let end = pair.trimEnd().length;
  const id = pair.slice(equals + 1, end).trim();
  if (id === '') return value;
  if (id.length > 1 && id.startsWith('"') && id.endsWith('"')) end--;
  return `${value.slice(0, end)}.${rewriteRoute}${value.slice(end)}`;
}

/**
 * RFC 6265 §5.2: attributes end at `;`. A path under the prefix already is not changed. Without a path, or with one that is not absolute, the
 * browser uses the path of the request, which has the prefix.
 */
function withPathPrefix(value: string, prefix: string): string {
  let edited = '';
  let copied = 0;
  for (let semicolon = value.indexOf(';'); semicolon >= 0; semicolon = value.indexOf(';', semicolon + 1)) {
    const equals = value.indexOf('=', semicolon);
    if (equals < 0) break;
    if (
      value
        .slice(semicolon + 1, equals)
        .trim()
        .toLowerCase() !== 'path'
    )
      continue;
    const next = value.indexOf(';', equals);
    const written = value.slice(equals + 1, next < 0 ? value.length : next);
    const path = written.trim();
    if (!path.startsWith('/') || isUnder(path, prefix)) continue;
    const at = equals + 1 + written.indexOf('/');
    edited += value.slice(copied, at) + prefix;
    copied = path === '/' ? at + 1 : at;
  }
  return edited + value.slice(copied);
}
