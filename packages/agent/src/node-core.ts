/** The interface behind a `RollcallNode`: a node of the cluster, or a stub if the SDK is switched off. */
import type { OperatorStatusMessage, RegisteredMessage, Status } from '@rollcall/protocol';
import type { Notice } from './agent-codes.ts';
import type { Attachable } from './http.ts';
import type { MetricOptions } from './load/metric.ts';
import type { DrainOutcome } from './node-status.ts';

export interface RollcallEvents {
  /** A coordinator has accepted the node, for the first time or again. */
  readonly registered: RegisteredMessage;
  /** The operator has changed the status of this node. The change is already in effect. */
  readonly status: OperatorStatusMessage;
  /** The drain is complete: the cluster sends no more new sessions (`draining`), or no more requests (`stopped`). */
  readonly drained: { readonly status: Status };
  /**
   * The connection is lost and the agent reconnects; the node still gets requests. With the code `forbidden`, `id-owned` or
   * `too-many-nodes` the cluster refuses the node: it gets no requests until a later attempt is accepted.
   */
  readonly disconnected: Notice;
  /** A coordinator whose connection was lost has accepted the node again. */
  readonly reconnected: { readonly message: string };
  /** A problem for the operator; the program is not affected. */
  readonly warning: Notice;
  /** The node has left the cluster permanently: superseded, removed, or no protocol version in common. */
  readonly error: Notice;
}

/** The entry points of `RollcallNode`. Other copies of this package call them too: see `server-owner.ts`. */
export interface NodeCore {
  readonly isEnabled: boolean;
  readonly isRegistered: boolean;
  readonly status: Status;
  readonly id: string | undefined;
  readonly route: string | undefined;
  on<Name extends keyof RollcallEvents>(name: Name, listener: (value: RollcallEvents[Name]) => void): void;
  off<Name extends keyof RollcallEvents>(name: Name, listener: (value: RollcallEvents[Name]) => void): void;
  /** Returns the core of the server: this one, or the core to which the server was attached first. */
  attach(attachable: Attachable): NodeCore;
  register(): void;
  sessionId(base: unknown): string;
  metric(name: string, options: MetricOptions | undefined, read: () => number): void;
  ready(isReady: boolean): void;
  drain(): Promise<DrainOutcome>;
  close(): Promise<void>;
  /** Reports an internal error of the SDK. */
  failed(error: unknown): void;
}
