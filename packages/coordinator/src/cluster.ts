/**
 * The registry at work: commands go in with the time, events go out to everybody who listens, in order. The only place
 * that calls `apply`, so nobody can see a change that others do not.
 */
import type { Command, ConnectionId, Event, Registry, Rejection } from '@rollcall/core';
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

  /** A number for a new connection or PUT, larger than all before. */
  nextConnection(): ConnectionId {
    return ++this.#nextConnection;
  }

  /** Applies one command now. Listeners hear of its events before this returns, unless one of them is applying it. */
  apply(command: Command, origin: Origin = NOBODY): readonly Event[] | Rejection {
    const { revision } = this.registry;
    const outcome = this.registry.apply(command, this.clocks.nowMs());
    if ('type' in outcome) return outcome;
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

  /** All nodes, gone ones last, otherwise in order of balancer and id. */
  resources(): NodeResource[] {
    const resources: NodeResource[] = [];
    for (const { id } of this.registry.nodes()) {
      const resource = this.resource(id);
      if (resource) resources.push(resource);
    }
    return resources.sort(inOrder);
  }

  balancer(name: BalancerName): BalancerResource | undefined {
    return this.registry.balancerResource(name);
  }

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
