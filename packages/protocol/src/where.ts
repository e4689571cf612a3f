/** Selectors: nodes by version, group, host, balancer or id. One rule for admin API and CLI. */
import { canonicalHost } from './canonical-host.ts';
import { type NodeUrl, nodeAddress } from './ids.ts';
import type { NodeProcess } from './messages.ts';

/** Keys of a selector, in the order of its text. */
export const WHERE_KEYS = ['version', 'group', 'host', 'balancer', 'node'] as const;

export type WhereKey = (typeof WHERE_KEYS)[number];

/**
 * Selects the nodes that match every given key; at least one is given. `host`: host of the node's address, or host name of its process.
 * `node`: its id, with `*` for any characters and `?` for one. The other keys are compared as a whole.
 */
export type Where = { readonly [Key in WhereKey]?: string };

/** Longest value of a selector, characters. */
export const MAX_WHERE_CHARACTERS = 255;
/** Values that one message lists. */
const MAX_LISTED = 8;

/** The facts about a node that a selector compares. */
export interface WhereFacts {
  readonly id: string;
  readonly balancer: string;
  readonly url: NodeUrl;
  readonly version?: string;
  readonly group?: string;
  readonly process?: NodeProcess;
}

export function matchesWhere(where: Where, node: WhereFacts): boolean {
  return WHERE_KEYS.every((key) => where[key] === undefined || matches(key, where[key], node));
}

function matches(key: WhereKey, wanted: string, node: WhereFacts): boolean {
  if (key === 'node') return matchesGlob(wanted, node.id);
  if (key === 'host') return hostsOf(node).some((host) => sameHost(host, wanted));
  return node[key] === wanted;
}

function hostsOf({ url, process }: WhereFacts): string[] {
  const host = process?.host;
  return [nodeAddress(url).host, ...(host === undefined ? [] : [host])];
}

function sameHost(one: string, other: string): boolean {
  return canonical(one) === canonical(other);
}

/** An IPv6 address in one form, with or without brackets; a name in lower case. */
function canonical(host: string): string {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  return canonicalHost(bare.includes(':') ? `[${bare}]` : bare);
}

/** Linear in the length of the text for each star, so that no pattern takes long. */
function matchesGlob(pattern: string, text: string): boolean {
  let [at, from, star, resume] = [0, 0, -1, 0];
  while (from < text.length) {
    if (at < pattern.length && pattern[at] !== '*' && (pattern[at] === '?' || pattern[at] === text[from])) {
      at++;
      from++;
    } else if (pattern[at] === '*') {
      star = at++;
      resume = from;
    } else if (star >= 0) {
      at = star + 1;
      from = ++resume;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

/** `version=1.4.1,group=eu-1`. */
export function whereText(where: Where): string {
  return WHERE_KEYS.flatMap((key) => (where[key] === undefined ? [] : [`${key}=${where[key]}`])).join(',');
}

/** Why no node matches: which values the nodes have for the keys of the selector. */
export function noMatchText(where: Where, nodes: Iterable<WhereFacts>): string {
  const all = [...nodes];
  const head = `no node matches ${whereText(where)}`;
  if (all.length === 0) return `${head}: there are no nodes`;
  const parts = WHERE_KEYS.filter((key) => where[key] !== undefined).map((key) => {
    const values = [...new Set(all.flatMap((node) => valuesOf(key, node)))].sort();
    const more = values.length - MAX_LISTED;
    const listed = `${values.slice(0, MAX_LISTED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
    return values.length === 0 ? `no node has a ${key}` : `${key} is one of ${listed}`;
  });
  return `${head}: ${parts.join('; ')}`;
}

function valuesOf(key: WhereKey, node: WhereFacts): string[] {
  if (key === 'node') return [node.id];
  if (key === 'host') return hostsOf(node);
  const value = node[key];
  return value === undefined ? [] : [value];
}
