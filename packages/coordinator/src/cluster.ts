/**
 * Runs the registry: applies commands with the present time, and passes events to all listeners in order. Only this file calls
 * `apply`, so every change reaches all listeners.
 */
import type { Command, ConnectionId, Event, NodeView, Registry, Rejection } from '@rollcall/core';
import type {
  BalancerName,
  BalancerResource,
  DrainResource,
  NodeExplanation,
  NodeId,
  NodeResource,
} from '@rollcall/protocol';
import type { Clocks } from './clocks.ts';
import { Changes } from './events/changes.ts';
import { StallClock } from './stall-clock.ts';

/** Origin of a command, unless the command contains it. */
export interface Origin {
  /** Address of the peer. */
  readonly address?: string;
  /** Reason that the operator gives, for the audit. */
  readonly reason?: string;
  /** The change that the command is a part of. */
  readonly changeId?: string;
}

export type EventListener = (event: Event, origin: Origin) => void;

/** Filter of a list of nodes. */
export interface PageRequest {
  readonly after: string | undefined;
  readonly limit: number;
  readonly isWanted: (node: NodeView) => boolean;
}

const NOBODY: Origin = {};

export class Cluster {
  readonly registry: Registry;
  readonly clocks: Clocks;
  readonly stalls: StallClock = new StallClock();
  readonly changes: Changes;
  readonly #eventListeners = new Set<EventListener>();
  readonly #changeListeners = new Set<() => void>();
  readonly #recordListeners = new Set<() => void>();
  readonly #commandListeners = new Set<(events: readonly Event[]) => void>();
  readonly #pending: { readonly event: Event; readonly origin: Origin }[] = [];
  #isReporting = false;
  #writes = 0;
  #nextConnection: ConnectionId;

  constructor(registry: Registry, clocks: Clocks) {
    this.registry = registry;
    this.clocks = clocks;
    this.changes = new Changes(registry, clocks);
    // Larger than all numbers before a restart, so that clients can compare them.
    this.#nextConnection = Math.floor(clocks.nowUnixMs());
  }

  get revision(): number {
    return this.registry.revision;
  }

  /** Number of operator commands so far: an answer made later contains their changes. */
  get writes(): number {
    return this.#writes;
  }

  /** A number for a new connection or PUT, larger than all earlier ones. */
  nextConnection(): ConnectionId {
    return ++this.#nextConnection;
  }

  /** Applies one command now. Listeners are called before this returns, unless a listener applies the command. */
  apply(command: Command, origin: Origin = NOBODY): readonly Event[] | Rejection {
    const { revision } = this.registry;
    const { changeId } = origin;
    const before = changeId === undefined ? undefined : this.changes.before(command);
    const outcome = this.registry.apply(command, this.clocks.nowMs());
    if ('type' in outcome) return outcome;
    // Listeners find the change with the state before and after.
    if (changeId !== undefined && before && outcome.length > 0) this.changes.record(changeId, command, before);
    if (isWrite(command)) this.#writes += 1;
    for (const listener of this.#commandListeners) listener(outcome);
    for (const event of outcome) this.#pending.push({ event, origin });
    this.#tell();
    if (this.registry.revision !== revision) for (const listener of this.#changeListeners) listener();
    if (this.registry.changedRecords.size > 0) for (const listener of this.#recordListeners) listener();
    return outcome;
  }

  /** Calls the listener for every event, in order. Returns a function that ends this. */
  onEvent(listener: EventListener): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  /** Calls the listener when the feed has changes to send. Returns a function that ends this. */
  onChange(listener: () => void): () => void {
    this.#changeListeners.add(listener);
    return () => this.#changeListeners.delete(listener);
  }

  /** Calls the listener after each command while there are records for the store. Returns a function that ends this. */
  onRecords(listener: () => void): () => void {
    this.#recordListeners.add(listener);
    return () => this.#recordListeners.delete(listener);
  }

  /** Calls the listener with the events of each command, before they are reported. Returns a function that ends this. */
  onCommand(listener: (events: readonly Event[]) => void): () => void {
    this.#commandListeners.add(listener);
    return () => this.#commandListeners.delete(listener);
  }

  resource(id: NodeId): NodeResource | undefined {
    return this.registry.resource(id, { nowMs: this.clocks.nowMs(), nowUnixMs: this.clocks.nowUnixMs() });
  }

  drain(id: NodeId): DrainResource | undefined {
    return this.registry.drain(id, { nowMs: this.clocks.nowMs(), nowUnixMs: this.clocks.nowUnixMs() });
  }

  explainNode(id: NodeId): NodeExplanation | undefined {
    return this.registry.explainNode(id, { nowMs: this.clocks.nowMs(), nowUnixMs: this.clocks.nowUnixMs() });
  }

  /** These nodes, gone ones last, otherwise in order of balancer and id. */
  resources(nodes: Iterable<Pick<NodeView, 'id'>>): NodeResource[] {
    const resources: NodeResource[] = [];
    for (const { id } of nodes) {
      const resource = this.resource(id);
      if (resource) resources.push(resource);
    }
    return resources.sort(inOrder);
  }

  /**
   * At most `limit` of the requested nodes in order of id, from the first one after `after`. `next`: the last id, if there are
   * more nodes. A node that exists all the time is on exactly one of the pages, whichever nodes come and go between them.
   */
  page({ after, limit, isWanted }: PageRequest): { readonly nodes: NodeResource[]; readonly next?: NodeId } {
    const nodes: NodeResource[] = [];
    for (const id of this.registry.idsAfter(after)) {
      const node = this.registry.node(id);
      if (node === undefined || !isWanted(node)) continue;
      if (nodes.length === limit) return { nodes, next: nodes.at(-1)!.id };
      nodes.push(this.resource(id)!);
    }
    return { nodes };
  }

  balancer(name: BalancerName): BalancerResource | undefined {
    return this.registry.balancerResource(name);
  }

  /** All balancers in order of name. */
  balancers(): BalancerResource[] {
    const resources: BalancerResource[] = [];
    for (const name of this.registry.balancers()) {
      const resource = this.balancer(name);
      if (resource) resources.push(resource);
    }
    return resources.sort((one, other) => compare(one.name, other.name));
  }

  #tell(): void {
    if (this.#isReporting) return;
    this.#isReporting = true;
    try {
      for (let next = this.#pending.shift(); next; next = this.#pending.shift())
        for (const listener of this.#eventListeners) listener(next.event, next.origin);
    } finally {
      this.#isReporting = false;
    }
  }
}

function isWrite(command: Command): boolean {
  switch (command.type) {
    case 'operator-status':
    case 'operator-context-status':
    case 'patch-node':
    case 'remove':
    case 'acknowledge':
    case 'balancer-settings':
    case 'undo':
    case 'scale':
    case 'forget-contexts':
      return true;
    case 'register':
      return command.kind === 'static';
    default:
      return false;
  }
}

function inOrder(one: NodeResource, other: NodeResource): number {
  return (
    Number(one.liveness === 'gone') - Number(other.liveness === 'gone') ||
    compare(one.balancer, other.balancer) ||
    compare(one.id, other.id)
  );
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
