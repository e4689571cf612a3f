/** Where the coordinators are: from text people write to the addresses of agent WebSockets. */
import { AGENT_PATH, DEFAULT_CONTROL_PORT, printableUrl } from '@rollcall/protocol';

/** Most coordinators one agent goes round. */
export const MAX_COORDINATORS = 16;

/** Tried in this order when nobody says where the coordinator is: this machine, then the Compose service name. */
const DEFAULT_HOSTS = ['localhost', 'rollcall'] as const;

/** Addresses to try in order, and the texts that are none. */
export interface CoordinatorList {
  readonly urls: readonly string[];
  /** For a sentence that goes on with "is no address of a coordinator". Secrets are left out, and named where they are the cause. */
  readonly refused: readonly string[];
}

/**
 * Addresses of coordinators: `given` when it names any, else `ROLLCALL_URL` (several separated by commas), else
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
  // The value comes out of somebody's configuration; what is no text in it is no address either.
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
 * The WebSocket address of the coordinator that `text` names; `undefined` when it names none.
 *
 * `http`, `https`, `ws`, `wss`, or a bare `host:port`. A path is a prefix, for a coordinator behind a reverse proxy:
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

/** A path without the slashes at its end; without the agents' own path, which people copy along. */
function prefixOf(path: string): string {
  const prefix = path.replace(/\/+$/, '');
  return prefix.endsWith(AGENT_PATH) ? prefix.slice(0, -AGENT_PATH.length) : prefix;
}

/** The base of the admin API beside `agentUrl`'s result: `http://host:port/prefix`. */
export function adminUrl(url: string): string {
  return withoutAgentPath(url).replace(/^ws/, 'http');
}

/** The coordinator at `url`, an address of `agentUrl` or `ws+unix:PATH:/v1/agent`, as it is printed. */
export function coordinatorText(url: string): string {
  const socket = socketPathOf(url);
  return socket === undefined ? printableUrl(withoutAgentPath(url)) : `the local socket ${socket}`;
}

/** The path of the UNIX socket that `url` names; `undefined` for an address of another kind. */
export function socketPathOf(url: string): string | undefined {
  return /^ws\+unix:(?:\/\/)?([^:]*)/.exec(url)?.[1];
}

function withoutAgentPath(url: string): string {
  return url.endsWith(AGENT_PATH) ? url.slice(0, -AGENT_PATH.length) : url;
}

/**
 * Coordinators that an answer named and that may be used: those reached over verified TLS, or on a host that was
 * configured. Anything else could lead an agent and its token away.
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
