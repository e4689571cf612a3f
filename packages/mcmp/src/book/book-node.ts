/** One node of the book. Nodes and hosts are immutable; a command replaces them, so that a refused command changes nothing. */
import type { ConnectionId } from '@rollcall/core';
import type { ContextPath, NodeId, Status } from '@rollcall/protocol';
import { parseContextPath } from '@rollcall/protocol';
import type { NodeConfig } from '../messages/node-config.ts';
import type { ProcessName } from './process-name.ts';

/** Status of a context as MCMP names it. */
export type ContextState = 'ENABLED' | 'DISABLED' | 'STOPPED';

/** One virtual host: the aliases that a node has named together, and its contexts. */
export interface BookHost {
  /** From 1, unique within the node. */
  readonly index: number;
  /** As sent, in order. */
  readonly aliases: readonly string[];
  /** By path as sent. */
  readonly contexts: ReadonlyMap<string, ContextState>;
}

/** The registration of a node at the registry. */
export interface Registered {
  /** Its text, to detect changes. */
  readonly text: string;
  readonly paths: ReadonlySet<ContextPath>;
  readonly requested: RequestedStatuses;
}

/** What the node has requested of the registry. The more restrictive one of both counts for a context. */
export interface RequestedStatuses {
  readonly whole: Status;
  /** Of single contexts; never `enabled`. */
  readonly single: ReadonlyMap<ContextPath, Status>;
}

export interface BookNode {
  readonly id: NodeId;
  /** Owner of the identity that has registered it: only peers of this owner speak for it. */
  readonly owner: string;
  /** From 1; stays while the node is in the book. */
  readonly index: number;
  readonly config: NodeConfig;
  readonly hosts: readonly BookHost[];
  /** Last load; `undefined` before the first STATUS. */
  readonly load: number | undefined;
  readonly connection: ConnectionId;
  /** `undefined` before it registers. */
  readonly process: ProcessName | undefined;
  /** `undefined` while the node has no context: the registry has no nodes without contexts. */
  readonly registered: Registered | undefined;
  /** It was registered and has left: the registry may remember what it had requested. */
  readonly hasLeft: boolean;
  /** The registry has it from before a restart: contexts that it names are registered together, see book.ts. */
  readonly isGathering: boolean;
  /** It has removed itself with its contexts, and has not named any since: the trap of a resync, see book.ts. */
  readonly isStranded: boolean;
}

/** Most contexts that the registry and the feed carry for one node. */
export const MAX_ROUTED = 16;

const STATUS: Readonly<Record<ContextState, Status>> = { ENABLED: 'enabled', DISABLED: 'draining', STOPPED: 'stopped' };
const OPENNESS: Readonly<Record<Status, number>> = { enabled: 2, draining: 1, stopped: 0 };

/**
 * Status per path: the one that admits most over all aliases, because requests are not matched with aliases (UseAlias Off). Paths that
 * cannot be routed, and those above `MAX_ROUTED`, are missing.
 */
export function routedStatuses(hosts: readonly BookHost[]): Map<ContextPath, Status> {
  const statuses = new Map<ContextPath, Status>();
  for (const { contexts } of hosts)
    for (const [text, state] of contexts) {
      const path = routedPath(text);
      if (path === undefined) continue;
      const status = STATUS[state];
      const known = statuses.get(path);
      if (known === undefined ? statuses.size < MAX_ROUTED : OPENNESS[status] > OPENNESS[known])
        statuses.set(path, status);
    }
  return statuses;
}

/** The path of a context at the registry; `undefined` when requests for it cannot be matched. */
export function routedPath(context: string): ContextPath | undefined {
  return parseContextPath(context.length > 1 && context.endsWith('/') ? context.slice(0, -1) : context);
}

/**
 * `hosts` after a command for `aliases` × `contexts`. Hosts that have one of the aliases are changed. Aliases that no host has join the
 * first of them, or make a new host. `undefined` as state removes; a host without contexts is dropped.
 */
export function withApps(
  hosts: readonly BookHost[],
  aliases: readonly string[],
  contexts: readonly string[],
  state: ContextState | undefined,
): readonly BookHost[] {
  const names = aliases.map((alias) => alias.toLowerCase());
  const has = (host: BookHost, name: string): boolean => host.aliases.some((alias) => alias.toLowerCase() === name);
  const targets = hosts.filter((host) => names.some((name) => has(host, name)));
  if (state === undefined) return changed(hosts, targets, contexts, undefined);
  const fresh = aliases.filter((_, i) => !hosts.some((host) => has(host, names[i]!)));
  const [first] = targets;
  if (first === undefined) {
    const index = 1 + Math.max(0, ...hosts.map((host) => host.index));
    return [...hosts, { index, aliases: fresh, contexts: new Map(contexts.map((path) => [path, state])) }];
  }
  const joined = hosts.map((host) => (host === first ? { ...host, aliases: [...host.aliases, ...fresh] } : host));
  const indexes = new Set(targets.map(({ index }) => index));
  return changed(
    joined,
    joined.filter(({ index }) => indexes.has(index)),
    contexts,
    state,
  );
}

/** `hosts` with all contexts in `state`. */
export function withAllApps(hosts: readonly BookHost[], state: ContextState): readonly BookHost[] {
  return hosts.map((host) => ({ ...host, contexts: new Map([...host.contexts.keys()].map((path) => [path, state])) }));
}

function changed(
  hosts: readonly BookHost[],
  targets: readonly BookHost[],
  paths: readonly string[],
  state: ContextState | undefined,
): readonly BookHost[] {
  const next: BookHost[] = [];
  for (const host of hosts) {
    if (!targets.includes(host)) {
      next.push(host);
      continue;
    }
    const contexts = new Map(host.contexts);
    for (const path of paths)
      if (state === undefined) contexts.delete(path);
      else contexts.set(path, state);
    if (contexts.size > 0) next.push({ ...host, contexts });
  }
  return next;
}
