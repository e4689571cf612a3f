/** What the book needs of a coordinator. All calls are synchronous; tests fill the port with a real `Registry`. */
import type { Command, ConnectionId, Event, NodeView, RegisterCommand, Rejection } from '@rollcall/core';
import type { BalancerName, NodeId, StickySettings } from '@rollcall/protocol';

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

export interface RegistryPort {
  apply(command: Command): readonly Event[] | Rejection;
  node(id: NodeId): NodeView | undefined;
  /** `refused`: a worker reports that the port refuses connections, and none that it answers. */
  portOf(id: NodeId): 'answers' | 'refused' | 'unknown';
  numbersOf(id: NodeId): NodeNumbers;
  /** Sticky settings in force; `undefined` for an unknown balancer. */
  stickyOf(balancer: BalancerName): StickySettings | undefined;
  nextConnection(): ConnectionId;
  /** 128 random bits, 32 hex digits. */
  newInstance(): string;
  nowUnixMs(): number;
}

/** The sender of a message: one connection, and the rights of its identity. */
export interface Peer extends Pick<RegisterCommand, 'owner' | 'reach' | 'standing' | 'mayShadow'> {
  /** Number of the connection, unique while the listener runs. */
  readonly connection: number;
  /** Whether the identity may serve a context on an alias. */
  mayServe(alias: string, context: string): boolean;
}
