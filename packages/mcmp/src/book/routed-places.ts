/**
 * Which hosts and paths of a node get requests, and in which status.
 *
 * Without aliases (`UseAlias Off`) each context is served on every host, in the status that admits most over its aliases. With aliases a
 * context is served on the aliases of its virtual host, in its status on each.
 */
import { contextKey, type HostedContext } from '@rollcall/core';
import type { ContextEntry, ContextPath, HostPattern, NodeRegistration, Status } from '@rollcall/protocol';
import {
  MAX_CONTEXTS,
  MAX_HOSTS,
  MAX_PLACES_LENGTH,
  parseContextPath,
  parseHostPattern,
  placesLength,
} from '@rollcall/protocol';
import { type BookHost, type ContextState, hasAlias } from './book-node.ts';

export interface RoutedPlace extends HostedContext {
  readonly status: Status;
}

/** What a node registers. */
export interface RoutedPlaces extends Pick<NodeRegistration, 'contexts' | 'hosts'> {
  /** By `contextKey`. */
  readonly places: ReadonlyMap<string, RoutedPlace>;
}

const STATUS: Readonly<Record<ContextState, Status>> = { ENABLED: 'enabled', DISABLED: 'draining', STOPPED: 'stopped' };
const OPENNESS: Readonly<Record<Status, number>> = { enabled: 2, draining: 1, stopped: 0 };
const ANY_HOST = parseHostPattern('*')!;
const ANY = [ANY_HOST];
/** Names of the default virtual host of Tomcat and WildFly. A client on another machine sends none of them. */
const LOCAL: ReadonlySet<string> = new Set(['localhost', 'default-host', '127.0.0.1', '[::1]']);
/** Most names in a note. */
const MAX_NAMED = 20;

/** Contexts above the bounds of a registration, and those whose path or alias cannot be matched, are missing. */
export function routedPlaces(hosts: readonly BookHost[], hasAliases: boolean): RoutedPlaces {
  const entries = [...statusesByPath(hosts, hasAliases)]
    .flatMap(([path, statuses]) =>
      chunks([...statuses.keys()]).map((own) => ({ path, own, text: own.join(), statuses })),
    )
    .slice(0, MAX_CONTEXTS);
  const places = new Map<string, RoutedPlace>();
  const most = mostFrequent(entries.map(({ text }) => text));
  const ofNode = entries.find(({ text }) => text === most)?.own ?? ANY;
  const contexts: ContextEntry[] = [];
  for (const { path, own, text, statuses } of entries) {
    contexts.push(text === most ? { path } : { path, hosts: own });
    if (placesLength({ contexts, hosts: ofNode }) > MAX_PLACES_LENGTH) {
      contexts.pop();
      break;
    }
    for (const host of own) places.set(contextKey({ host, path }), { host, path, status: statuses.get(host)! });
  }
  return { contexts, hosts: ofNode, places };
}

/** The first paths, as many as a registration may have. */
function statusesByPath(
  hosts: readonly BookHost[],
  hasAliases: boolean,
): ReadonlyMap<ContextPath, ReadonlyMap<HostPattern, Status>> {
  const byPath = new Map<ContextPath, Map<HostPattern, Status>>();
  for (const { aliases, contexts } of hosts) {
    const patterns = hasAliases ? hostsOfAliases(aliases) : ANY;
    for (const [text, state] of contexts) {
      const path = routedPath(text);
      if (path === undefined) continue;
      const statuses = byPath.get(path) ?? new Map<HostPattern, Status>();
      if (statuses.size === 0 && byPath.size === MAX_CONTEXTS) continue;
      byPath.set(path, statuses);
      const status = STATUS[state];
      for (const pattern of patterns) {
        const known = statuses.get(pattern);
        if (known === undefined || OPENNESS[status] > OPENNESS[known]) statuses.set(pattern, status);
      }
    }
  }
  return byPath;
}

function chunks(hosts: readonly HostPattern[]): (readonly HostPattern[])[] {
  return Array.from({ length: Math.ceil(hosts.length / MAX_HOSTS) }, (_, i) =>
    hosts.slice(i * MAX_HOSTS, (i + 1) * MAX_HOSTS),
  );
}

function mostFrequent(texts: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  const most = Math.max(...counts.values());
  return texts.find((text) => counts.get(text) === most);
}

/**
 * A virtual host with local names only is the default one of its server, which serves every name. It is served on every host, so that a
 * node in its initial configuration gets the requests for a public name.
 */
export function hostsOfAliases(aliases: readonly string[]): readonly HostPattern[] {
  const hosts = new Set(aliases.map(hostOfAlias).filter((host) => host !== undefined));
  return hosts.size > 0 && [...hosts].every((host) => LOCAL.has(host)) ? ANY : [...hosts];
}

/** The host name of an alias, without its port; `undefined` when it is none. */
function hostOfAlias(alias: string): HostPattern | undefined {
  const host = parseHostPattern(alias.replace(/:\d+$/, ''));
  return host === ANY_HOST ? undefined : host;
}

/** The path of a context at the registry; `undefined` when requests for it cannot be matched. */
export function routedPath(context: string): ContextPath | undefined {
  return parseContextPath(context.length > 1 && context.endsWith('/') ? context.slice(0, -1) : context);
}

/** The contexts of a command at the registry: on all hosts of the virtual hosts that have one of its aliases, which it has changed. */
export function placesOfCommand(
  hosts: readonly BookHost[],
  { aliases, contexts }: { readonly aliases: readonly string[]; readonly contexts: readonly string[] },
  hasAliases: boolean,
): readonly HostedContext[] {
  const paths = contexts.map(routedPath).filter((path) => path !== undefined);
  const changed = hosts.filter((host) => aliases.some((alias) => hasAlias(host, alias)));
  const patterns = hasAliases ? changed.flatMap((host) => hostsOfAliases(host.aliases)) : ANY;
  return patterns.flatMap((host) => paths.map((path) => ({ host, path })));
}

/** Sentence on contexts and aliases that get no requests; `undefined` without any. `keys`: of contexts that get requests. */
export function unroutedNote(
  hosts: readonly BookHost[],
  keys: ReadonlySet<string>,
  hasAliases: boolean,
): string | undefined {
  const missing = new Set<string>();
  for (const { aliases, contexts } of hosts) {
    // The last one is the first to be left out.
    const host = hasAliases ? hostsOfAliases(aliases).at(-1) : ANY_HOST;
    for (const text of host === undefined ? [] : contexts.keys()) {
      const path = routedPath(text);
      if (path === undefined || !keys.has(contextKey({ host: host!, path })))
        missing.add(hasAliases ? `${text} on ${host}` : text);
    }
  }
  const names = hasAliases ? hosts.flatMap(({ aliases }) => aliases).filter((alias) => !hostOfAlias(alias)) : [];
  const parts = [
    missing.size > 0 && `contexts ${named(missing)}`,
    names.length > 0 && `aliases that are no host names ${named(new Set(names))}`,
  ].filter((part) => part !== false);
  return parts.length === 0 ? undefined : parts.join('; ');
}

function named(names: ReadonlySet<string>): string {
  const more = names.size - MAX_NAMED;
  return `${[...names].slice(0, MAX_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
