/**
 * Makes redirects of a node public: `Location` (RFC 9110 §10.2.2), `Content-Location` (§8.7) and the URL of `Refresh`. The address of a
 * node is replaced by the public one, and the path prefix that was taken off the request is put back. Other values are not changed.
 */
import { comparableAuthority, defaultPort, isSameSite } from './authority.ts';
import { relativeWithPrefix, withPrefix } from './path-prefix.ts';

/** RFC 3986 §4.2: an absolute URL, or one without its scheme. */
const ABSOLUTE = /^(?:(https?):)?\/\/([^/?#\\]*)(.*)$/is;
/** RFC 3986 §3.1. */
const SCHEME = /^[a-z][a-z0-9+.-]*:/i;
/** WHATWG HTML, "shared declarative refresh steps": `url=` and a quote are optional after `;`, `,` or white space. */
const REFRESH = /^(\s*[\d.]+(?:\s*[;,]\s*|\s+)(?:url\s*=\s*)?)(["']?)(.*)$/is;

/** The request of an answer as the client sees it, and the nodes that the client does not see. */
export interface PublicPlace {
  /** `https://shop.example`; `''` if the client sent no Host: then addresses are not changed. */
  readonly publicOrigin: string;
  /** Path prefix that was taken off the request; `''` for none. */
  readonly prefix: string;
  /** Target of the request as the client sent it. */
  readonly target: string;
  /**
   * Path prefix that is taken off requests for the node of the balancer at `authority`, a `comparableAuthority`. `''` for none, `undefined`
   * if no node has the address.
   */
  prefixAt(authority: string): string | undefined;
}

/** `value` of `Location` or `Content-Location` for the client. */
export function publicLocation(value: string, place: PublicPlace): string {
  const { publicOrigin, prefix } = place;
  const match = ABSOLUTE.exec(value);
  if (match === null) return prefix === '' ? value : publicPath(value, place);
  if (publicOrigin === '') return value;
  const [, scheme = '', authority = '', rest = ''] = match;
  const nodePrefix = prefixOfNode(authority, scheme, place);
  if (nodePrefix !== undefined) return publicOrigin + (nodePrefix === '' ? rest : withPrefix(rest, nodePrefix));
  if (prefix === '') return value;
  // A program that builds absolute URLs from Host knows the public address, but not the prefix.
  const colon = publicOrigin.indexOf(':');
  const publicScheme = publicOrigin.slice(0, colon);
  const isPublic = isSameSite(
    authority,
    scheme === '' ? publicScheme : scheme,
    publicOrigin.slice(colon + 3),
    publicScheme,
  );
  return isPublic ? value.slice(0, value.length - rest.length) + withPrefix(rest, prefix) : value;
}

/** The same for `Refresh`, whose URL is behind the seconds, perhaps in quotes. */
export function publicRefresh(value: string, place: PublicPlace): string {
  const match = REFRESH.exec(value);
  if (match === null) return value;
  const [, before = '', quote = '', behind = ''] = match;
  const end = quote === '' ? -1 : behind.indexOf(quote);
  const url = end < 0 ? behind : behind.slice(0, end);
  return before + quote + publicLocation(url, place) + behind.slice(url.length);
}

/** A value without an authority. */
function publicPath(value: string, { prefix, target }: PublicPlace): string {
  if (value.startsWith('/')) return withPrefix(value, prefix);
  const isOfSamePath = value === '' || value.startsWith('?') || value.startsWith('#');
  return isOfSamePath || SCHEME.test(value) ? value : relativeWithPrefix(value, prefix, target);
}

/** In any scheme; without a scheme, at the default port of either. */
function prefixOfNode(authority: string, scheme: string, place: PublicPlace): string | undefined {
  const prefix = place.prefixAt(comparableAuthority(authority, defaultPort(scheme)));
  return prefix === undefined && scheme === '' ? place.prefixAt(comparableAuthority(authority, '443')) : prefix;
}
