/** The SDK: three lines in an application make it a node. */
import type { Server } from 'node:http';
import type { Fault, NodeRegistration, OperatorStatusMessage, RegisteredMessage, Status } from '@rollcall/protocol';
import { isName } from '@rollcall/protocol';
import { Agent, type AgentCode, type AgentEvents, type DrainOutcome, type Notice } from './agent.ts';
import { coordinatorList } from './coordinator-url.ts';
import { type Attachable, attachServer, closeServer, type Listening, serverOf } from './http.ts';
import { defaultNodeId, newInstance, processIncarnation } from './identity.ts';
import { joinToken } from './join-token.ts';
import { Listeners } from './listeners.ts';
import { ownCgroup } from './load/cgroup.ts';
import { InFlight } from './load/in-flight.ts';
import { Latencies } from './load/latencies.ts';
import { LoadMeter, MAX_APPLICATION_METRICS, OWN_METRICS, type OwnMetricOptions } from './load/load-meter.ts';
import { LoadReports } from './load/load-reports.ts';
import { applicationMetric, type Metric, type MetricOptions } from './load/metric.ts';
import { Traffic } from './load/traffic.ts';
import { type NodeDescription, nodeUrlText, toRegistration, withEnvironment } from './registration.ts';
import { sessionIdWithRoute } from './session-id.ts';
import { onShutdownSignals } from './shutdown.ts';
import { systemTimers, type Timers } from './timers.ts';

export interface RollcallOptions extends NodeDescription {
  /** Port of the node when it is not that of an attached server. */
  readonly port?: number;
  /** Coordinators to go round, in order; default `ROLLCALL_URL`, else `ws://localhost:8400`, then `ws://rollcall:8400`. */
  readonly coordinator?: string | readonly string[];
  /** Join token; default `ROLLCALL_JOIN_TOKEN`, else the file named by `ROLLCALL_JOIN_TOKEN_FILE`. */
  readonly token?: string;
  /** How long sessions may end at SIGTERM before the node leaves, in milliseconds; default 0: they move at once. */
  readonly drainSessionsMs?: number;
  /** Leave the cluster in order at SIGTERM and SIGINT, default true; `shutdown.ts` says how the process then ends. */
  readonly handleSignals?: boolean;
  /** Requests at once that the node serves well; makes in-flight a linear load. Default: n / (n + 64). */
  readonly capacity?: number;
  /** Active sessions, when the application knows. */
  readonly sessions?: () => number;
  /** Other capacities and weights for what the agent measures itself; README has the table. Weight 0 leaves one out of the load. */
  readonly metrics?: OwnMetricOptions;
  /**
   * `max`, the default: the load is what the node has least of, or the mean of the application's metrics when that is
   * more. `mean`: the weighted mean of everything, as in mod_cluster.
   */
  readonly loadBy?: 'max' | 'mean';
  /** Add the `rollcall-load` field to responses, which the proxy strips; default true. */
  readonly loadHeader?: boolean;
  /** Gets each line for people; default `console.warn`. */
  readonly log?: (line: string) => void;
}

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

/** How long the end of attached servers is waited for after the node has left, in milliseconds. */
const CLOSE_WAIT_MS = 2_000;

/**
 * Makes this program a node of a Rollcall cluster.
 *
 * Returns at once, never throws, and keeps no process alive. Registers when an attached server listens. Whatever
 * goes wrong is told by a `warning`, or by `error` when the node is out for good, and logged once; the application
 * keeps serving, and the agent keeps trying.
 */
export function rollcall(options: RollcallOptions = {}): RollcallNode {
  return new RollcallNode(options, process.env, systemTimers());
}

export class RollcallNode {
  readonly #options: RollcallOptions;
  readonly #description: NodeDescription;
  /** What the application wrote could be read at all. */
  readonly #isUsable: boolean;
  readonly #environment: Readonly<Record<string, string | undefined>>;
  readonly #timers: Timers;
  readonly #listeners = new Listeners<RollcallEvents>();
  readonly #latencies = new Latencies();
  readonly #inFlight: InFlight;
  readonly #traffic = new Traffic();
  readonly #metrics = new Map<string, Metric>();
  readonly #instance: string = newInstance();
  readonly #servers = new Map<Server, () => void>();
  readonly #said = new Set<string>();
  #removeSignals: () => void = () => {};
  #agent: Agent | undefined;
  #meter: LoadMeter | undefined;
  #reports: LoadReports | undefined;
  #listening: Listening | undefined;
  #isClosed = false;

  /** Use `rollcall()`. `environment` and `timers` are the process's own; parameters for tests. */
  constructor(options: RollcallOptions, environment: Readonly<Record<string, string | undefined>>, timers: Timers) {
    this.#options = options;
    this.#environment = environment;
    this.#timers = timers;
    const description = plainCopy(described(options));
    this.#isUsable = description !== undefined;
    this.#description = withEnvironment(description ?? {}, environment);
    this.#inFlight = new InFlight(() => timers.nowMs(), this.#latencies);
    if (options.handleSignals !== false) {
      this.#removeSignals = onShutdownSignals(
        process,
        {
          drain: async (reason) => {
            await this.#drain(reason);
            await this.#leave();
          },
          close: async () => {
            await Promise.all([...this.#servers.keys()].map((server) => closeServer(server, CLOSE_WAIT_MS)));
          },
        },
        () => timers.nowMs(),
      );
    }
  }

  /** `enabled`, `draining` or `stopped`: the more restrictive of what this node and its operator want, as far as known. */
  get status(): Status {
    return this.#agent?.status ?? 'enabled';
  }

  /** A coordinator has accepted the node, and the connection to it lives. */
  get isRegistered(): boolean {
    return this.#agent?.isRegistered ?? false;
  }

  /** Who the node is; `undefined` while that depends on a port that is not known yet. */
  get id(): string | undefined {
    if (this.#description.id !== undefined) return this.#description.id;
    const slot = this.#port;
    if (slot === undefined) return undefined;
    const { balancer } = this.#description;
    return defaultNodeId(typeof balancer === 'string' ? balancer : 'default', { slot });
  }

  /** The token in session ids that names this node; `undefined` while the id is. */
  get route(): string | undefined {
    return this.#description.route ?? this.id;
  }

  on<Name extends keyof RollcallEvents>(name: Name, listener: (value: RollcallEvents[Name]) => void): this {
    this.#listeners.on(name, listener);
    return this;
  }

  off<Name extends keyof RollcallEvents>(name: Name, listener: (value: RollcallEvents[Name]) => void): this {
    this.#listeners.off(name, listener);
    return this;
  }

  /**
   * Counts the requests of a server, and registers the node when it listens; leaves when it was closed.
   *
   * Takes a node:http or node:https server, what Express' `app.listen()` returns, or a Fastify instance. The first
   * server that listens gives the node its address. Attaching the same server again changes nothing.
   */
  attach(attachable: Attachable): this {
    const server = serverOf(attachable);
    if (server === undefined) {
      return this.#misuse('attach() takes a node:http server, what app.listen() returns, or a Fastify instance');
    }
    if (this.#servers.has(server) || this.#isClosed) return this;
    const detach = attachServer(server, this.#inFlight, this.#traffic, {
      onListening: (listening) => {
        this.#listening ??= listening;
        this.register();
      },
      onClosed: () => {
        if (this.#listening?.port !== undefined && ![...this.#servers.keys()].some((other) => other.listening)) {
          this.#listening = undefined;
          void this.#leave();
        }
      },
      loadLine: (shareMs) => (this.#options.loadHeader === false ? '' : (this.#meter?.fieldLine(shareMs) ?? '')),
    });
    this.#servers.set(server, detach);
    return this;
  }

  /** Registers a node without an attached server; needs `port` or `url`. A repeat changes nothing. */
  register(): this {
    if (this.#isClosed || (this.#agent !== undefined && !this.#agent.isEnded)) return this;
    if (this.id === undefined && this.#description.url === undefined) {
      return this.#misuse('register() needs the option port or url when no server is attached');
    }
    if (!this.#isUsable) return this.#misuse('the options are not plain data; the node does not register');
    // Found before any coordinator is: a mistake in the options is reported at once and not once a connection stands.
    const fault = this.#faultOf(this.#registration('127.0.0.1'));
    if (fault !== undefined) return this.#misuse(`${fault.message} (${fault.code}); the node does not register`);
    const { urls, refused } = coordinatorList(this.#options.coordinator, this.#environment);
    for (const text of refused) this.#misuse(`${text} is no address of a coordinator; use one like ws://host:8400`);
    if (urls.length === 0) return this;
    this.#startAgent(urls);
    return this;
  }

  /**
   * A session id that carries the node's route, for applications that write the route themselves (sticky mode
   * `suffix`): `genid: () => node.sessionId()` for express-session, `idGenerator: () => node.sessionId()` for
   * @fastify/session; signing keeps the route.
   *
   * Without `base`: 192 random bits. While the route is not known, because no server listens yet, the id has none.
   */
  sessionId = (base?: unknown): string => {
    const text = typeof base === 'string' ? base : undefined;
    const route = this.route;
    if (route !== undefined) return sessionIdWithRoute(text, route);
    this.#misuse('sessionId() was called before a server listens: the id has no route');
    return text ?? sessionIdWithRoute(undefined, '').slice(0, -1);
  };

  /**
   * Adds a number of the application to the load: `read` is called four times a second and must be quick; the value
   * divided by `capacity` is its share. Several are combined by weight, as mod_cluster does, and the mean counts when it
   * is larger than what the agent measures itself. When `read` throws or gives no number, the metric is left out and
   * that is told once.
   */
  metric(name: string, options: MetricOptions | undefined, read: () => number): this {
    if (!isName(name)) return this.#misuse(`metric ${JSON.stringify(name)}: names match [A-Za-z0-9_-]{1,64}`);
    if (OWN_METRICS.some((own) => own === name))
      return this.#misuse(
        `metric ${name}: the agent has one of that name; set its capacity and weight with the option metrics`,
      );
    if (!this.#metrics.has(name) && this.#metrics.size >= MAX_APPLICATION_METRICS)
      return this.#misuse(`metric ${name}: more than ${MAX_APPLICATION_METRICS} metrics; it is left out`);
    const metric = applicationMetric(name, options ?? {}, read);
    this.#metrics.set(name, metric);
    this.#meter?.add(metric);
    return this;
  }

  /**
   * Asks the cluster to send nothing more and waits until that is so: no new sessions first, for `drainSessionsMs`, then
   * no requests, for at most 8 s. The application has to serve until then. Never rejects; a repeat waits for the first.
   */
  drain(): Promise<DrainOutcome> {
    return this.#drain('drain');
  }

  /** Leaves the cluster at once, within a second, and forgets signals and servers; the servers go on. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#removeSignals();
    for (const detach of this.#servers.values()) detach();
    this.#servers.clear();
    await this.#leave();
  }

  #drain(reason: string): Promise<DrainOutcome> {
    if (this.#agent === undefined) return Promise.resolve('unregistered');
    const { drainSessionsMs } = this.#options;
    const sessionsMs = drainSessionsMs !== undefined && Number.isFinite(drainSessionsMs) ? drainSessionsMs : 0;
    return this.#agent.drain({ reason, sessionsMs });
  }

  async #leave(): Promise<void> {
    this.#reports?.stop();
    await this.#agent?.leave();
  }

  #startAgent(coordinators: readonly string[]): void {
    const meter = new LoadMeter({
      nowMs: () => this.#timers.nowMs(),
      inFlight: this.#inFlight,
      latencies: this.#latencies,
      traffic: this.#traffic,
      sessions: () => this.#sessions(),
      capacity: capacityOf(this.#options.capacity),
      own: this.#options.metrics ?? {},
      isMean: this.#options.loadBy === 'mean',
      onFailure: (name, reason) =>
        this.#warn({ code: 'metric-failed' satisfies AgentCode, message: `metric ${name}: ${reason}; it is left out` }),
    });
    for (const metric of this.#metrics.values()) meter.add(metric);
    const agent = new Agent({
      coordinators,
      token: () => joinToken(this.#options.token, this.#environment),
      registration: (localAddress) => this.#registration(localAddress),
      report: () => reports.report(),
      timers: this.#timers,
    });
    const reports = new LoadReports(meter, this.#timers, () => agent.reportSoon());
    this.#meter = meter;
    this.#reports = reports;
    this.#agent = agent;
    for (const name of ['registered', 'status', 'drained'] as const) this.#forward(agent, name);
    agent.on('registered', () => {
      this.#said.clear();
      meter.renewScales();
    });
    agent.on('disconnected', (notice) => this.#tell('disconnected', notice));
    agent.on('warning', (notice) => this.#tell('warning', notice));
    agent.on('error', (notice) => {
      reports.stop();
      this.#tell('error', notice);
    });
    reports.start();
    agent.start();
  }

  #forward<Name extends 'registered' | 'status' | 'drained'>(agent: Agent, name: Name): void {
    agent.on(name, (value: AgentEvents[Name]) => void this.#listeners.emit(name, value as RollcallEvents[Name]));
  }

  get #port(): number | undefined {
    const { port } = this.#options;
    return typeof port === 'number' ? port : this.#listening?.port;
  }

  #registration(localAddress: string): NodeRegistration | Fault {
    const listening = this.#listening;
    const id = this.id ?? '';
    return toRegistration(this.#description, {
      id,
      route: this.route ?? id,
      url: this.#description.url ?? nodeUrlText(localAddress, this.#port ?? 0, listening?.isTls ?? false),
      instance: this.#instance,
      incarnation: processIncarnation(),
      // JavaScript runs on one core, however many the machine has.
      cores: Math.min(1, ownCgroup().cores),
      loadHeader: this.#options.loadHeader !== false && this.#servers.size > 0,
      ...(listening === undefined ? {} : { keepAliveMs: listening.keepAliveMs }),
    });
  }

  #faultOf(registration: NodeRegistration | Fault): Fault | undefined {
    return 'code' in registration ? registration : undefined;
  }

  #sessions(): number | undefined {
    try {
      const count = this.#options.sessions?.();
      return count !== undefined && Number.isSafeInteger(count) && count >= 0 ? count : undefined;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#warn({ code: 'metric-failed' satisfies AgentCode, message: `sessions: ${reason}; it is left out` });
      return undefined;
    }
  }

  #misuse(message: string): this {
    this.#warn({ code: 'misuse' satisfies AgentCode, message });
    return this;
  }

  #warn(notice: Notice): void {
    if (this.#said.has(notice.message) || this.#said.size >= 64) return;
    this.#said.add(notice.message);
    this.#tell('warning', notice);
  }

  #tell(name: 'warning' | 'error' | 'disconnected', notice: Notice): void {
    this.#listeners.emit(name, notice);
    const log = this.#options.log ?? ((line: string) => console.warn(line));
    try {
      log(`rollcall: ${notice.message}`);
    } catch {
      // A log that fails is the application's matter, and no reason to stop it from serving.
    }
  }
}

/** What an untyped configuration may say of the capacity. */
function capacityOf(capacity: unknown): number | undefined {
  return typeof capacity === 'number' && Number.isFinite(capacity) && capacity > 0 ? capacity : undefined;
}

/** The options that describe the node itself. */
function described(options: RollcallOptions): NodeDescription {
  const {
    port: _port,
    coordinator: _coordinator,
    token: _token,
    drainSessionsMs: _drainSessionsMs,
    handleSignals: _handleSignals,
    capacity: _capacity,
    sessions: _sessions,
    metrics: _metrics,
    loadBy: _loadBy,
    loadHeader: _loadHeader,
    log: _log,
    ...description
  } = options;
  return description;
}

/**
 * `description` as JSON carries it, so that whatever an untyped configuration holds can be looked at without harm;
 * `undefined` when JSON cannot carry it.
 */
function plainCopy(description: NodeDescription): NodeDescription | undefined {
  try {
    return JSON.parse(JSON.stringify(description)) as NodeDescription;
  } catch {
    return undefined;
  }
}
