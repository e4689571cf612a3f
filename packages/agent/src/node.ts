/** The SDK: three lines in an application make it a node. */
import type { Status } from '@rollcall/protocol';
import { EmbeddedNode } from './embedded-node.ts';
import type { Attachable } from './http.ts';
import type { MetricOptions } from './load/metric.ts';
import type { NodeCore, RollcallEvents } from './node-core.ts';
import type { DrainOutcome } from './node-wish.ts';
import { type RollcallOptions, readOptions } from './options.ts';
import { newSessionId } from './session-id.ts';
import { isSwitchedOff } from './switch.ts';
import { SwitchedOffNode } from './switched-off-node.ts';
import { systemTimers, type Timers } from './timers.ts';

/**
 * Makes this program a node of a Rollcall cluster.
 *
 * Returns at once, never throws, and keeps no process alive. Registers when an attached server listens. Whatever
 * goes wrong is told by a `warning`, or by `error` when the node is out for good, and logged once; the application
 * keeps serving, and the agent keeps trying.
 *
 * It does nothing at all with `enabled: false`, with `ROLLCALL_URL=off`, and in test runners that do not set
 * `ROLLCALL_URL`.
 */
export function rollcall(options: RollcallOptions = {}): RollcallNode {
  return new RollcallNode(options, process.env, systemTimers());
}

/** The node as the program holds it. No method throws or rejects, whatever it is given. */
export class RollcallNode {
  /** After `attach` it may be that of the node which had the server first. */
  #core: NodeCore;

  /** Use `rollcall()`. `environment` and `timers` are the process's own; parameters for tests. */
  constructor(options: RollcallOptions, environment: Readonly<Record<string, string | undefined>>, timers: Timers) {
    const settings = readOptions(options);
    const isOff = !settings.isEnabled || isSwitchedOff(environment);
    this.#core = isOff ? new SwitchedOffNode(settings) : new EmbeddedNode(settings, environment, timers);
  }

  /** Whether the SDK does anything here; false when it is switched off. */
  get isEnabled(): boolean {
    return this.#core.isEnabled;
  }

  /** `enabled`, `draining` or `stopped`: the more restrictive of what this node and its operator want, as far as known. */
  get status(): Status {
    return this.#core.status;
  }

  /** A coordinator has accepted the node, and the connection to it lives. */
  get isRegistered(): boolean {
    return this.#core.isRegistered;
  }

  /** Who the node is; `undefined` while that depends on a port that is not known yet. */
  get id(): string | undefined {
    return this.#safely(undefined, (core) => core.id);
  }

  /** The token in session ids that names this node; `undefined` while the id is. */
  get route(): string | undefined {
    return this.#safely(undefined, (core) => core.route);
  }

  on<Name extends keyof RollcallEvents>(name: Name, listener: (value: RollcallEvents[Name]) => void): this {
    return this.#chained((core) => core.on(name, listener));
  }

  off<Name extends keyof RollcallEvents>(name: Name, listener: (value: RollcallEvents[Name]) => void): this {
    return this.#chained((core) => core.off(name, listener));
  }

  /**
   * Counts the requests of a server, and registers the node when it listens; leaves when it was closed.
   *
   * Takes a node:http or node:https server, what Express' `app.listen()` returns, or a Fastify instance. The first
   * server that listens gives the node its address. Attaching the same server again changes nothing. A server belongs to
   * one node: where another `rollcall()` in this process has it, this object stands for that node from now on, with its
   * options.
   */
  attach(attachable: Attachable): this {
    return this.#chained((core) => {
      this.#core = core.attach(attachable);
    });
  }

  /** Registers a node without an attached server; needs `port` or `url`. A repeat changes nothing. */
  register(): this {
    return this.#chained((core) => core.register());
  }

  /**
   * A session id that carries the node's route, for applications that write the route themselves (sticky mode
   * `suffix`): `genid: () => node.sessionId()` for express-session, `idGenerator: () => node.sessionId()` for
   * @fastify/session; signing keeps the route.
   *
   * Without `base`: 192 random bits. While the route is not known, because no server listens yet, the id has none.
   */
  sessionId = (base?: unknown): string => this.#safely(undefined, (core) => core.sessionId(base)) ?? newSessionId();

  /**
   * Adds a number of the application to the load: `read` is called four times a second and must be quick; the value
   * divided by `capacity` is its share. Several are combined by weight, as mod_cluster does, and the mean counts when it
   * is larger than what the agent measures itself. When `read` throws or gives no number, the metric is left out and
   * that is told once.
   */
  metric(name: string, options: MetricOptions | undefined, read: () => number): this {
    return this.#chained((core) => core.metric(name, options, read));
  }

  /**
   * Whether the program wants new work. While `false`, the node keeps its sessions and gets new work only where no ready
   * node is left; use it while a cache fills or a database is unreachable. Reported at once, and again after each
   * reconnect. A repeat changes nothing.
   */
  ready(isReady = true): this {
    return this.#chained((core) => core.ready(Boolean(isReady)));
  }

  /**
   * Asks the cluster to send nothing more and waits until that is so: no new sessions first, for `drainSessionsMs`, then
   * no requests, for `drainRequestsMs`. Without a coordinator it waits until no request came for 1 s. The application has
   * to serve until then; its answers close their connections. Never rejects; a repeat waits for the first.
   */
  drain(): Promise<DrainOutcome> {
    return this.#safely(Promise.resolve('unregistered'), (core) => core.drain());
  }

  /** Leaves the cluster at once, within a second, and forgets signals and servers; the servers go on. Never rejects. */
  close(): Promise<void> {
    return this.#safely(Promise.resolve(), (core) => core.close());
  }

  #chained(run: (core: NodeCore) => void): this {
    this.#safely(undefined, run);
    return this;
  }

  /** An error of ours, or in what the program handed over (a proxy, a getter), is reported and stays here. */
  #safely<Value>(otherwise: Value, run: (core: NodeCore) => Value): Value {
    try {
      return run(this.#core);
    } catch (error) {
      this.#core.failed(error);
      return otherwise;
    }
  }
}
