/** The SDK: three lines in an application make it a node. */
import type { Status } from '@rollcall/protocol';
import { EmbeddedNode } from './embedded-node.ts';
import type { Attachable } from './http.ts';
import type { MetricOptions } from './load/metric.ts';
import type { NodeCore, RollcallEvents } from './node-core.ts';
import type { DrainOutcome } from './node-status.ts';
import { type RollcallOptions, readOptions } from './options.ts';
import { newSessionId } from './session-id.ts';
import { isSwitchedOff } from './switch.ts';
import { SwitchedOffNode } from './switched-off-node.ts';
import { systemTimers, type Timers } from './timers.ts';

/**
 * Makes this program a node of a Rollcall cluster.
 *
 * Returns at once, never throws, and does not keep the process alive. The node registers when an attached server listens.
 * Problems are reported by the event `warning`, or by `error` if the node has left the cluster permanently. Each one is
 * logged once. The application continues to serve, and the agent retries.
 *
 * The SDK is switched off by `enabled: false`, by `ROLLCALL_URL=off`, and in test runners that set neither `ROLLCALL_URL`
 * nor `ROLLCALL_NODE`.
 */
export function rollcall(options: RollcallOptions = {}): RollcallNode {
  return new RollcallNode(options, process.env, systemTimers());
}

/** Handle of a node for the application. No method throws or rejects, for any argument. */
export class RollcallNode {
  /** After `attach` it may be the core of another node: the one to which the server was attached first. */
  #core: NodeCore;

  /** Use `rollcall()`. `environment` and `timers` are those of the process; parameters for tests. */
  constructor(options: RollcallOptions, environment: Readonly<Record<string, string | undefined>>, timers: Timers) {
    const settings = readOptions(options);
    const isOff = !settings.isEnabled || isSwitchedOff(environment);
    this.#core = isOff ? new SwitchedOffNode(settings) : new EmbeddedNode(settings, environment, timers);
  }

  /** False if the SDK is switched off. */
  get isEnabled(): boolean {
    return this.#core.isEnabled;
  }

  /** `enabled`, `draining` or `stopped`: the more restrictive of the status requested by this node and that of its operator. */
  get status(): Status {
    return this.#core.status;
  }

  /** True while the node is accepted by a coordinator and connected to it. */
  get isRegistered(): boolean {
    return this.#core.isRegistered;
  }

  /** Identifier of the node; `undefined` while it depends on a port that is not known yet. */
  get id(): string | undefined {
    return this.#safely(undefined, (core) => core.id);
  }

  /** Route token of this node in session ids; `undefined` while the id is. */
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
   * Attaches a server: its requests are counted, the node registers when it listens, and leaves when it is closed.
   *
   * `attachable` is a node:http or node:https server, the result of Express' `app.listen()`, or a Fastify instance. The
   * address of the node is that of the first server that listens. Attaching the same server again changes nothing.
   *
   * A server belongs to one node. If it is attached to another `rollcall()` of this process, this object becomes a handle of
   * that node, with its options.
   */
  attach(attachable: Attachable): this {
    return this.#chained((core) => {
      this.#core = core.attach(attachable);
    });
  }

  /** Registers a node without an attached server; needs the option `port` or `url`. A repeated call changes nothing. */
  register(): this {
    return this.#chained((core) => core.register());
  }

  /**
   * Returns the session id `<base>.<route>`, for applications that write the route themselves (sticky mode `suffix`).
   * express-session: `genid: () => node.sessionId()`. @fastify/session: `idGenerator: () => node.sessionId()`. Signing keeps
   * the route.
   *
   * Default of `base`: 192 random bits. The id has no route while the route is unknown, because no server listens yet.
   */
  sessionId = (base?: unknown): string => this.#safely(undefined, (core) => core.sessionId(base)) ?? newSessionId();

  /**
   * Adds a metric of the application to the load. `read` is called four times a second and must be fast. The part of the
   * metric is its value / `capacity`, 0–1. Several metrics are combined by weight, as in mod_cluster; the load is this mean
   * if it is larger than each limit. If `read` throws or returns no number, the metric is left out and reported once.
   */
  metric(name: string, options: MetricOptions | undefined, read: () => number): this {
    return this.#chained((core) => core.metric(name, options, read));
  }

  /**
   * Sets the readiness of the node, default true. A node that is not ready keeps its sessions. It gets new sessions, and
   * requests without a session, only if no other node is ready. Example: a cache is empty, or a database is unreachable.
   * Reported at once, and again after each reconnect. A repeated call changes nothing.
   */
  ready(isReady = true): this {
    return this.#chained((core) => core.ready(Boolean(isReady)));
  }

  /**
   * Drains the node in two steps. First it gets no new sessions, for at most `drainSessionsMs`. Then it gets no requests, for
   * at most `drainRequestsMs`. Without a coordinator it waits until no request arrived for 1 s. The application has to serve until
   * the promise resolves; its responses close their connections. Never rejects. A repeated call waits for the first drain.
   */
  drain(): Promise<DrainOutcome> {
    return this.#safely(Promise.resolve('unregistered'), (core) => core.drain());
  }

  /** Leaves the cluster without a drain, within 1 s. Detaches from signals and servers; the servers continue. Never rejects. */
  close(): Promise<void> {
    return this.#safely(Promise.resolve(), (core) => core.close());
  }

  #chained(run: (core: NodeCore) => void): this {
    this.#safely(undefined, run);
    return this;
  }

  /** Reports an internal error, or an error of an argument (a proxy, a getter), instead of throwing it. */
  #safely<Value>(otherwise: Value, run: (core: NodeCore) => Value): Value {
    try {
      return run(this.#core);
    } catch (error) {
      this.#core.failed(error);
      return otherwise;
    }
  }
}
