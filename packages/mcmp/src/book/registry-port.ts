/** What the book needs of a coordinator. All calls are synchronous; tests fill the port with a real `Registry`. */
import type { Command, ConnectionId, Event, NodeView, RegisterCommand, Rejection } from '@rollcall/core';
import type { BalancerName, BalancerResource, NodeId } from '@rollcall/protocol';

/** Numbers of a node for INFO. */
export interface NodeNumbers {
  /** Requests forwarded to it. */
  readonly elected: number;
  /** Octets received from it, and sent to it. */
  readonly read: number;
  readonly transferred: number;
  /** Requests in flight. */
  readonly connected: number;
}

/** Settings of a balancer that DUMP shows. */
export type BalancerPolicy = Pick<BalancerResource, 'sticky' | 'retries'>;

export interface RegistryPort {
  apply(command: Command): readonly Event[] | Rejection;
  node(id: NodeId): NodeView | undefined;
  /** `refused`: a worker reports that the port refuses connections, and none that it answers. */
  portOf(id: NodeId): 'answers' | 'refused' | 'unknown';
  numbersOf(id: NodeId): NodeNumbers;
  /** Settings in force; `undefined` for an unknown balancer. */
  settingsOf(balancer: BalancerName): BalancerPolicy | undefined;
  nextConnection(): ConnectionId;
  /** The process that had the id last has left, was removed or was replaced, here or at another coordinator. */
  hasEnded(id: NodeId): boolean;
  /** The first 128 bits of the SHA-256 of a text, 32 hex digits. */
  digest(text: string): string;
  nowUnixMs(): number;
}

/** The sender of a message: one connection, and the rights of its identity. */
export interface Peer extends Pick<RegisterCommand, 'owner' | 'reach' | 'standing' | 'mayShadow'> {
  /** Number of the connection, unique while the listener runs. */
  readonly connection: number;
  /** Whether the identity may serve a context on an alias. */
  mayServe(alias: string, context: string): boolean;
}
