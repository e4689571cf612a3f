/** Where the coordinators are: from text people write to the addresses of agent WebSockets. */
import { AGENT_PATH, DEFAULT_CONTROL_PORT } from '@rollcall/protocol';

/** Most coordinators one agent goes round. */
export const MAX_COORDINATORS = 16;

/** Tried in this order when nobody says where the coordinator is: this machine, then the Compose service name. */
const DEFAULT_HOSTS = ['localhost', 'rollcall'] as const;

/** Addresses to try in order, and the texts that are none. */
export interface CoordinatorList {
  readonly urls: readonly string[];
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
    if (url === undefined) refused.push(text);
    else if (urls.size < MAX_COORDINATORS) urls.add(url);
  }
  return { urls: [...urls], refused };
}

function texts(given: string | readonly string[] | undefined): string[] {
  // The value comes out of somebody's configuration; what is no text in it is no address either.
  const list: readonly unknown[] = typeof given === 'string' ? given.split(',') : Array.isArray(given) ? given : [];
  return list.map((text) => (typeof text === 'string' ? text.trim() : '')).filter((text) => text !== '');
}

/**
 * The WebSocket address of the coordinator that `text` names; `undefined` when it names none.
 *
 * `http`, `https`, `ws`, `wss`, or a bare `host:port`; only scheme, host and port count. Without a port: 8400, or 443
 * with TLS.
 */
export function agentUrl(text: string): string | undefined {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `ws://${text}`;
  const match = /^(https?|wss?):\/\/([^/?#@\s]+)(?=[/?#]|$)/i.exec(withScheme);
  if (!match || !URL.canParse(withScheme)) return undefined;
  const isTls = /^(?:https|wss)$/i.test(match[1]!);
  const authority = match[2]!;
  const port = /:(\d+)$/.exec(authority)?.[1] ?? (isTls ? '443' : String(DEFAULT_CONTROL_PORT));
  if (Number(port) < 1) return undefined;
  const host = new URL(withScheme).hostname;
  return host === '' ? undefined : `${isTls ? 'wss' : 'ws'}://${host}:${port}${AGENT_PATH}`;
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
