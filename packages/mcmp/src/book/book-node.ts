/** One node of the book. Nodes and hosts are immutable; a command replaces them, so that a refused command changes nothing. */
import type { ConnectionId } from '@rollcall/core';
import type { NodeId, Status } from '@rollcall/protocol';
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
  /** The contexts that get requests, by `contextKey`. */
  readonly keys: ReadonlySet<string>;
  readonly requested: RequestedStatuses;
}

/** What the node has requested of the registry. The more restrictive one of both counts for a context. */
export interface RequestedStatuses {
  readonly whole: Status;
  /** Of single contexts, by `contextKey`; never `enabled`. */
  readonly single: ReadonlyMap<string, Status>;
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

export function hasAlias({ aliases }: BookHost, alias: string): boolean {
  return aliases.some((one) => one.toLowerCase() === alias.toLowerCase());
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
  const targets = hosts.filter((host) => aliases.some((alias) => hasAlias(host, alias)));
  if (state === undefined) return changed(hosts, targets, contexts, undefined);
  const fresh = aliases.filter((alias) => !hosts.some((host) => hasAlias(host, alias)));
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
