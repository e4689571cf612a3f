/** Addresses of coordinators: parses configured text to URLs of agent WebSockets. */
import { isIP } from 'node:net';
import { AGENT_PATH, DEFAULT_CONTROL_PORT, printableUrl } from '@rollcall/protocol';

/** Maximum number of coordinators of one agent. */
export const MAX_COORDINATORS = 5;

/** Hosts without a configured coordinator, tried in this order: this machine, then the Compose service name. */
const DEFAULT_HOSTS = ['localhost', 'rollcall'] as const;

/** Addresses of coordinators, and the invalid texts. */
export interface CoordinatorList {
  readonly urls: readonly string[];
  /** True for the default list: one connection, tried in order. Otherwise an agent connects to each coordinator. */
  readonly areAlternatives: boolean;
  /** Sentences about repeated addresses and addresses above the maximum number, which are not in `urls`. */
  readonly problems: readonly string[];
  /** Subjects of the sentence "… is no address of a coordinator", without secrets. A secret that is the cause is mentioned. */
  readonly refused: readonly string[];
}

/**
 * Returns the addresses of coordinators: `given` if it has any, else `ROLLCALL_URL` (several separated by commas), else
 * `ws://localhost:8400` and `ws://rollcall:8400`. An empty text is unset.
 */
export function coordinatorList(
  given: string | readonly string[] | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): CoordinatorList {
  const option = texts(given);
  const named = option.length > 0 ? option : texts(environment['ROLLCALL_URL']);
  if (named.length === 0) {
    const urls = DEFAULT_HOSTS.map((host) => `ws://${host}:${DEFAULT_CONTROL_PORT}${AGENT_PATH}`);
    return { urls, areAlternatives: true, problems: [], refused: [] };
  }
  const urls = new Set<string>();
  const problems: string[] = [];
  const refused: string[] = [];
  let isOverMaximum = false;
  for (const text of named) {
    const url = agentUrl(text);
    if (url === undefined) refused.push(refusedText(text));
    else if (urls.has(url)) problems.push(`the coordinator ${coordinatorText(url)} is listed twice`);
    else if (urls.size < MAX_COORDINATORS) urls.add(url);
    else isOverMaximum = true;
  }
  if (isOverMaximum) problems.push(`more than ${MAX_COORDINATORS} coordinators are listed`);
  return { urls: [...urls], areAlternatives: false, problems, refused };
}

function texts(given: string | readonly string[] | undefined): string[] {
  // The value may come from an untyped configuration: values that are not text are ignored.
  const list: readonly unknown[] = typeof given === 'string' ? given.split(',') : Array.isArray(given) ? given : [];
  return list.map((text) => (typeof text === 'string' ? text.trim() : '')).filter((text) => text !== '');
}

function refusedText(text: string): string {
  const printed = printableUrl(text);
  if (text.includes('@'))
    return `${printed} with a user name or password (set ROLLCALL_JOIN_TOKEN, for commands ROLLCALL_ADMIN_TOKEN)`;
  return /[?#]/.test(text) ? `${printed} with a query or fragment` : printed;
}

/**
 * Parses the address of a coordinator to its WebSocket address; `undefined` if `text` is invalid.
 *
 * `text` is a URL with `http`, `https`, `ws` or `wss`, or `host:port`. A path is a prefix, as behind a reverse proxy:
 * `wss://ops.example/rollcall` is `wss://ops.example:443/rollcall/v1/agent`. Without a port: 8400, or 443 with TLS.
 * User name, password, query and fragment are refused.
 */
export function agentUrl(text: string): string | undefined {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `ws://${text}`;
  const match = /^(https?|wss?):\/\/([^/?#@\s]+)(?:\/[^?#@\s]*)?$/i.exec(withScheme);
  if (!match || !URL.canParse(withScheme)) return undefined;
  const isTls = /^(?:https|wss)$/i.test(match[1]!);
  const authority = match[2]!;
  const port = /:(\d+)$/.exec(authority)?.[1] ?? (isTls ? '443' : String(DEFAULT_CONTROL_PORT));
  if (Number(port) < 1) return undefined;
  const { hostname, pathname } = new URL(withScheme);
  if (hostname === '') return undefined;
  return `${isTls ? 'wss' : 'ws'}://${hostname}:${port}${prefixOf(pathname)}${AGENT_PATH}`;
}

/** The path without trailing slashes, and without the path of agents, which may be part of a copied address. */
function prefixOf(path: string): string {
  const prefix = path.replace(/\/+$/, '');
  return prefix.endsWith(AGENT_PATH) ? prefix.slice(0, -AGENT_PATH.length) : prefix;
}

/** Base of the admin API at the same address: `http://host:port/prefix`. `url` is a result of `agentUrl`. */
export function adminUrl(url: string): string {
  return withoutAgentPath(url).replace(/^ws/, 'http');
}

/** Printable form of `url`, which is a result of `agentUrl` or `ws+unix:PATH:/v1/agent`. */
export function coordinatorText(url: string): string {
  const socket = socketPathOf(url);
  return socket === undefined ? printableUrl(withoutAgentPath(url)) : `the local socket ${socket}`;
}

/** The path of the UNIX socket in `url`; `undefined` for other kinds of addresses. */
export function socketPathOf(url: string): string | undefined {
  return /^ws\+unix:(?:\/\/)?([^:]*)/.exec(url)?.[1];
}

function withoutAgentPath(url: string): string {
  return url.endsWith(AGENT_PATH) ? url.slice(0, -AGENT_PATH.length) : url;
}

/** The host of `url`, an IPv6 address without brackets; empty for a UNIX socket. */
export function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}

/** The name to look up; `undefined` for a literal address and for a UNIX socket. */
export function nameOf(url: string): string | undefined {
  const host = hostOf(url);
  return host === '' || isIP(host) !== 0 ? undefined : host;
}

/** Announced coordinators. */
export interface AnnouncedCoordinators {
  readonly accepted: readonly string[];
  /** Valid addresses that are not used. */
  readonly ignored: readonly string[];
}

/**
 * Accepts announced coordinators with verified TLS or on a configured host. Other addresses are ignored: an agent would send
 * its token to an unverified host. Configured coordinators are in neither list.
 */
export function announcedCoordinators(
  configured: readonly string[],
  announced: readonly string[],
): AnnouncedCoordinators {
  const hosts = new Set(configured.map(hostOf));
  const urls = new Set(announced.map(agentUrl).filter((url) => url !== undefined && !configured.includes(url)));
  const isAccepted = (url: string) => url.startsWith('wss:') || hosts.has(hostOf(url));
  const all = [...urls].filter((url) => url !== undefined);
  return { accepted: all.filter(isAccepted), ignored: all.filter((url) => !isAccepted(url)) };
}
