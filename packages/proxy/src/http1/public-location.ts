/**
 * A node that redirects to its own address must not be seen by the client: `Location` (RFC 9110 §10.2.2),
 * `Content-Location` (§8.7) and the URL of `Refresh` get the public address instead. Values that are relative, or name any
 * other place, stay as they are.
 */

/** RFC 3986 §4.2: an absolute URL, or one that only leaves its scheme out. */
const ABSOLUTE = /^(?:(https?):)?\/\/([^/?#\\]*)(.*)$/is;
/** WHATWG HTML, "shared declarative refresh steps": after `;`, `,` or white space, `url=` and a quote may stand or not. */
const REFRESH = /^(\s*[\d.]+(?:\s*[;,]\s*|\s+)(?:url\s*=\s*)?["']?)(.*)$/is;
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * `value` of `Location` or `Content-Location` as the client gets it. `nodeAuthority` is the node's `host:port` in lower
 * case, `publicOrigin` what the client sees of it, like `https://shop.example`.
 */
export function publicLocation(value: string, nodeAuthority: string, publicOrigin: string): string {
  const match = ABSOLUTE.exec(value);
  if (match === null) return value;
  const [, scheme = '', authority = '', rest = ''] = match;
  return isOwn(authority, scheme, nodeAuthority) ? publicOrigin + rest : value;
}

/** The same for `Refresh`, whose URL stands behind the seconds. */
export function publicRefresh(value: string, nodeAuthority: string, publicOrigin: string): string {
  const match = REFRESH.exec(value);
  if (match === null) return value;
  const [, before = '', url = ''] = match;
  return before + publicLocation(url, nodeAuthority, publicOrigin);
}

/** RFC 3986 §3.2 and §6.2.3: without user, in any case, with the scheme's port when it says none; without a scheme, of either. */
function isOwn(authority: string, scheme: string, nodeAuthority: string): boolean {
  const host = authority.slice(authority.lastIndexOf('@') + 1).toLowerCase();
  const colon = nodeAuthority.lastIndexOf(':');
  const nodeName = nodeAuthority.slice(0, colon);
  const nodePort = nodeAuthority.slice(colon + 1);
  const [, name = '', port = defaultPort(scheme, nodePort)] = /^(\[[^\]]*\]|[^:]*)(?::([0-9]+))?:?$/.exec(host) ?? [];
  // A program that is asked on 127.0.0.1 may call itself localhost.
  return port === nodePort && (name === nodeName || (LOOPBACK.test(name) && LOOPBACK.test(nodeName)));
}

function defaultPort(scheme: string, nodePort: string): string {
  if (scheme === '') return nodePort === '443' ? '443' : '80';
  return scheme.toLowerCase() === 'https' ? '443' : '80';
}
