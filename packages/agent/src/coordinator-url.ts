/** Addresses of coordinators: parses configured text to URLs of agent WebSockets. */
import { isIP } from 'node:net';
import { AGENT_PATH, agentUrl, DEFAULT_CONTROL_PORT, printableUrl, SERVICE_PREFIX } from '@rollcall/protocol';

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
  if (named.includes('')) problems.push('the list of coordinators has an empty entry');
  const refused: string[] = [];
  let isOverMaximum = false;
  for (const text of named.filter((each) => each !== '')) {
    const url = agentUrl(text);
    if (url === undefined) refused.push(refusedText(text));
    else if (urls.has(url)) problems.push(`the coordinator ${coordinatorText(url)} is listed twice`);
    else if (urls.size < MAX_COORDINATORS) urls.add(url);
    else isOverMaximum = true;
  }
  if (isOverMaximum)
    problems.push(
      `the list of coordinators has more than ${MAX_COORDINATORS} entries, and those after the first ${MAX_COORDINATORS} are left out`,
    );
  return { urls: [...urls], areAlternatives: false, problems, refused };
}

/** The entries, empty ones included. None if all are empty. */
function texts(given: string | readonly string[] | undefined): string[] {
  // The value may come from an untyped configuration: values that are not text are ignored.
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  const all = list.flatMap((text) => (typeof text === 'string' ? text.split(',').map((each) => each.trim()) : ['']));
  return all.some((text) => text !== '') ? all : [];
}

function refusedText(text: string): string {
  const printed = printableUrl(text);
  if (text.includes('@'))
    return `${printed} with a user name or password (set ROLLCALL_JOIN_TOKEN, for commands ROLLCALL_ADMIN_TOKEN)`;
  if (text.includes(SERVICE_PREFIX)) return `${printed} with a port, which SRV records contain already,`;
  return /[?#]/.test(text) ? `${printed} with a query or fragment` : printed;
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

/** The name with SRV records in `url`, which is a result of `agentUrl`; `undefined` for other addresses. */
export function serviceOf(url: string): string | undefined {
  const host = hostOf(url);
  return host.startsWith(SERVICE_PREFIX) ? host : undefined;
}

/** One SRV record: the lowest priority is used first. */
export interface ServiceRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/**
 * The addresses of coordinators in `records`, which are the SRV records of the name in `url`: those with the lowest priority
 * first, at most five. They have the scheme and the path of `url`.
 *
 * Answers of name servers can be forged. With TLS the agent must not send its token to another domain that has a certificate.
 * Therefore the targets of a `wss` URL must be in the domain of the name; others are in `ignored`.
 */
export function serviceAddresses(
  url: string,
  records: readonly ServiceRecord[],
): { readonly addresses: readonly string[]; readonly ignored: readonly string[] } {
  const { protocol, pathname } = new URL(url);
  const domain = (serviceOf(url) ?? '').slice(SERVICE_PREFIX.length);
  const sorted = [...records].sort(
    (one, other) =>
      one.priority - other.priority ||
      other.weight - one.weight ||
      compare(one.name, other.name) ||
      one.port - other.port,
  );
  const addresses = new Set<string>();
  const ignored = new Set<string>();
  for (const { name, port } of sorted) {
    const host = name.replace(/\.$/, '').toLowerCase();
    const address = agentUrl(`${protocol}//${host}:${port}${pathname}`);
    if (host === '' || address === undefined) continue;
    // The host of the parsed address: the target of a record may contain any octets.
    const found = hostOf(address);
    const isTrusted = protocol === 'ws:' || found === domain || found.endsWith(`.${domain}`);
    (isTrusted ? addresses : ignored).add(address);
  }
  const most = (urls: ReadonlySet<string>) => [...urls].slice(0, MAX_COORDINATORS);
  return { addresses: most(addresses), ignored: most(ignored) };
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
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
  const all = [...urls].filter((url) => url !== undefined && serviceOf(url) === undefined) as string[];
  return { accepted: all.filter(isAccepted), ignored: all.filter((url) => !isAccepted(url)) };
}
