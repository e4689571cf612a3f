/** What a `RollcallNode` stands for: a node of the cluster, or nothing where the SDK is switched off. */
import type { OperatorStatusMessage, RegisteredMessage, Status } from '@rollcall/protocol';
import type { Notice } from './agent.ts';
import type { Attachable } from './http.ts';
import type { MetricOptions } from './load/metric.ts';
import type { DrainOutcome } from './node-wish.ts';

export interface RollcallEvents {
  /** Accepted by a coordinator, for the first time or again. */
  readonly registered: RegisteredMessage;
  /** The operator wants something else of this node; already in force, for showing. */
  readonly status: OperatorStatusMessage;
  /** The cluster sends nothing more. */
  readonly drained: { readonly status: Status };
  /** The connection is lost, and being re-established; the node keeps getting requests. */
  readonly disconnected: Notice;
  /** Something to read; the program is not affected. */
  readonly warning: Notice;
  /** The node is out of the cluster for good: superseded, removed, or its version is no longer spoken. */
  readonly error: Notice;
}

/** Entry points as `RollcallNode` has them. Other copies of this package call them too: see `server-owner.ts`. */
export interface NodeCore {
  readonly isEnabled: boolean;
  readonly isRegistered: boolean;
  readonly status: Status;
  readonly id: string | undefined;
  readonly route: string | undefined;
  on<Name extends keyof RollcallEvents>(name: Name, listener: (value: RollcallEvents[Name]) => void): void;
  off<Name extends keyof RollcallEvents>(name: Name, listener: (value: RollcallEvents[Name]) => void): void;
  /** Returns the core that stands for the server: this one, or the one that had it first. */
  attach(attachable: Attachable): NodeCore;
  register(): void;
  sessionId(base: unknown): string;
  metric(name: string, options: MetricOptions | undefined, read: () => number): void;
  ready(isReady: boolean): void;
  drain(): Promise<DrainOutcome>;
  close(): Promise<void>;
  /** Reports an error of our own code. */
  failed(error: unknown): void;
}
