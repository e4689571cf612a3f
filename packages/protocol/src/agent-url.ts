/** Addresses of coordinators: the text that people write, and the URL of the WebSocket of agents. */
import { AGENT_PATH, DEFAULT_CONTROL_PORT } from './version.ts';

/** A host with this prefix is a name with SRV records. */
export const SERVICE_PREFIX = '_rollcall._tcp.';

/** Greatest length of an address that a coordinator announces, characters. */
export const MAX_COORDINATOR_URL_LENGTH = 512;

/**
 * Parses the address of a coordinator to its WebSocket address; `undefined` if `text` is invalid.
 *
 * `text` is a URL with `http`, `https`, `ws` or `wss`, or `host:port`. A path is a prefix, as behind a reverse proxy:
 * `wss://ops.example/rollcall` is `wss://ops.example:443/rollcall/v1/agent`. Without a port: 8400, or 443 with TLS.
 * A host `_rollcall._tcp.NAME` has SRV records, which contain the ports; a port is refused, and the result has none.
 * User name, password, query and fragment are refused.
 */
export function agentUrl(text: string): string | undefined {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `ws://${text}`;
  const match = /^(https?|wss?):\/\/([^/?#@\s]+)(?:\/[^?#@\s]*)?$/i.exec(withScheme);
  if (!match || !URL.canParse(withScheme)) return undefined;
  const isTls = /^(?:https|wss)$/i.test(match[1]!);
  const authority = match[2]!;
  const { hostname, pathname } = new URL(withScheme);
  if (hostname === '') return undefined;
  const givenPort = /:(\d*)$/.exec(authority)?.[1];
  if (hostname.toLowerCase().startsWith(SERVICE_PREFIX)) {
    if (givenPort !== undefined || hostname.length === SERVICE_PREFIX.length) return undefined;
    return `${isTls ? 'wss' : 'ws'}://${hostname}${prefixOf(pathname)}${AGENT_PATH}`;
  }
  const port = givenPort || (isTls ? '443' : String(DEFAULT_CONTROL_PORT));
  if (Number(port) < 1) return undefined;
  return `${isTls ? 'wss' : 'ws'}://${hostname}:${port}${prefixOf(pathname)}${AGENT_PATH}`;
}

/** The path without trailing slashes, and without the path of agents, which may be part of a copied address. */
function prefixOf(path: string): string {
  const prefix = path.replace(/\/+$/, '');
  return prefix.endsWith(AGENT_PATH) ? prefix.slice(0, -AGENT_PATH.length) : prefix;
}

/**
 * The address of a coordinator, if it may be announced to agents; `undefined` for another text. It has `ws://` or `wss://`, and printable
 * ASCII without quotes and backslashes. A name with SRV records is refused.
 */
export function parseAnnouncedUrl(text: string): string | undefined {
  if (text.length > MAX_COORDINATOR_URL_LENGTH || !/^wss?:\/\/[!#-[\]-~]+$/.test(text)) return undefined;
  const url = agentUrl(text);
  return url === undefined || new URL(url).hostname.startsWith(SERVICE_PREFIX) ? undefined : text;
}
