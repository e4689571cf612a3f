/**
 * The registry at work: commands go in with the time, events go out to everybody who listens, in order. The only place
 * that calls `apply`, so nobody can see a change that others do not.
 */
import type { Command, ConnectionId, Event, NodeView, Registry, Rejection } from '@rollcall/core';
import type { BalancerName, BalancerResource, NodeExplanation, NodeId, NodeResource } from '@rollcall/protocol';
import type { Clocks } from './clocks.ts';
import { StallClock } from './stall-clock.ts';

/** Who asked, as far as it is not in the command. */
export interface Origin {
  /** Address of the peer. */
  readonly address?: string;
  /** Why, in the operator's words; for the audit. */
  readonly reason?: string;
}

export type EventListener = (event: Event, origin: Origin) => void;

/** Which part of the nodes. */
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
  readonly #eventListeners = new Set<EventListener>();
  readonly #changeListeners = new Set<() => void>();
  readonly #recordListeners = new Set<() => void>();
  readonly #pending: { readonly event: Event; readonly origin: Origin }[] = [];
  #isTelling = false;
  #writes = 0;
  #nextConnection: ConnectionId;

  constructor(registry: Registry, clocks: Clocks) {
    this.registry = registry;
    this.clocks = clocks;
    // Larger than those of any earlier life of the coordinator, for whoever compares them over a restart.
    this.#nextConnection = Math.floor(clocks.nowUnixMs());
  }

  get revision(): number {
    return this.registry.revision;
  }

  /** Commands of operators so far: what one of them has changed is in every answer after it. */
  get writes(): number {
    return this.#writes;
  }

  /** A number for a new connection or PUT, larger than all before. */
  nextConnection(): ConnectionId {
    return ++this.#nextConnection;
  }

  /** Applies one command now. Listeners hear of its events before this returns, unless one of them is applying it. */
  apply(command: Command, origin: Origin = NOBODY): readonly Event[] | Rejection {
    const { revision } = this.registry;
    const outcome = this.registry.apply(command, this.clocks.nowMs());
    if ('type' in outcome) return outcome;
    if (isWrite(command)) this.#writes += 1;
    for (const event of outcome) this.#pending.push({ event, origin });
    this.#tell();
    if (this.registry.revision !== revision) for (const listener of this.#changeListeners) listener();
    if (this.registry.changedRecords.size > 0) for (const listener of this.#recordListeners) listener();
    return outcome;
  }

  /** Hears every event, in order. Returns the way to stop. */
  onEvent(listener: EventListener): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  /** Called when the feed has something to tell. Returns the way to stop. */
  onChange(listener: () => void): () => void {
    this.#changeListeners.add(listener);
    return () => this.#changeListeners.delete(listener);
  }

  /** Called after each command while there are records for the store. Returns the way to stop. */
  onRecords(listener: () => void): () => void {
    this.#recordListeners.add(listener);
    return () => this.#recordListeners.delete(listener);
  }

  resource(id: NodeId): NodeResource | undefined {
    return this.registry.resource(id, { nowMs: this.clocks.nowMs(), nowUnixMs: this.clocks.nowUnixMs() });
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
   * At most `limit` nodes of those that are wanted, in order of their ids, from the first one after `after`. `next`: there are more,
   * after this id. A node that is there all the time is on exactly one of the pages, whatever comes and goes between them.
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

  /** All balancers in order of their names. */
  balancers(): BalancerResource[] {
    const resources: BalancerResource[] = [];
    for (const name of this.registry.balancers()) {
      const resource = this.balancer(name);
      if (resource) resources.push(resource);
    }
    return resources.sort((one, other) => compare(one.name, other.name));
  }

  #tell(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      for (let next = this.#pending.shift(); next; next = this.#pending.shift())
        for (const listener of this.#eventListeners) listener(next.event, next.origin);
    } finally {
      this.#isTelling = false;
    }
  }
}

function isWrite(command: Command): boolean {
  switch (command.type) {
    case 'operator-status':
    case 'patch-node':
    case 'remove':
    case 'balancer-settings':
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
