/** Addresses of coordinators: parses configured text to URLs of agent WebSockets. */
import { AGENT_PATH, DEFAULT_CONTROL_PORT, printableUrl } from '@rollcall/protocol';

/** Maximum number of coordinators of one agent. */
export const MAX_COORDINATORS = 16;

/** Hosts without a configured coordinator, tried in this order: this machine, then the Compose service name. */
const DEFAULT_HOSTS = ['localhost', 'rollcall'] as const;

/** Addresses in the order of the attempts, and the invalid texts. */
export interface CoordinatorList {
  readonly urls: readonly string[];
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
    return { urls: DEFAULT_HOSTS.map((host) => `ws://${host}:${DEFAULT_CONTROL_PORT}${AGENT_PATH}`), refused: [] };
  }
  const urls = new Set<string>();
  const refused: string[] = [];
  for (const text of named) {
    const url = agentUrl(text);
    if (url === undefined) refused.push(refusedText(text));
    else if (urls.size < MAX_COORDINATORS) urls.add(url);
  }
  return { urls: [...urls], refused };
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

/**
 * The configured coordinators, and announced coordinators with verified TLS or on a configured host. Other addresses are
 * ignored: an agent would send its token to an unverified host.
 */
export function acceptedCoordinators(configured: readonly string[], announced: readonly string[]): readonly string[] {
  const hosts = new Set(configured.map((url) => new URL(url).hostname));
  const accepted = new Set(configured);
  for (const text of announced) {
    const url = agentUrl(text);
    if (url === undefined || accepted.size >= MAX_COORDINATORS) continue;
    if (url.startsWith('wss:') || hosts.has(new URL(url).hostname)) accepted.add(url);
  }
  return [...accepted];
}
