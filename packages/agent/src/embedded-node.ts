/** A node inside its application: connects servers, load and shutdown to an agent. */
import cluster from 'node:cluster';
import { isMainThread } from 'node:worker_threads';
import type { Fault, NodeRegistration, Status } from '@rollcall/protocol';
import { Agent, type AgentEvents } from './agent.ts';
import type { AgentCode } from './agent-codes.ts';
import { announcedAddress } from './announced-address.ts';
import { AttachedServers } from './attached-servers.ts';
import { clientTlsFiles, readClientTls } from './client-tls.ts';
import { coordinatorList } from './coordinator-url.ts';
import { type Attachable, type Listening, serverOf } from './http.ts';
import { defaultNodeId, newInstance, processIncarnation, thisProcess, weaknessesOfIdentity } from './identity.ts';
import { joinToken } from './join-token.ts';
import { type Link, linkOf } from './link.ts';
import { Listeners } from './listeners.ts';
import { ownCgroup } from './load/cgroup.ts';
import type { MetricOptions } from './load/metric.ts';
import { NODE_VARIABLE } from './local/node-socket-name.ts';
import type { NodeCore, RollcallEvents } from './node-core.ts';
import { NodeLoad } from './node-load.ts';
import { type DrainOutcome, QUIET_MS } from './node-status.ts';
import { Notices } from './notices.ts';
import type { Settings } from './options.ts';
import { ownAddresses, portOf } from './own-addresses.ts';
import { proofOf } from './proof.ts';
import { afterQuiet, type RequestCounts } from './quiet.ts';
import { reasonOf } from './reason.ts';
import { type NodeDescription, nodeUrlText, toRegistration, withEnvironment } from './registration.ts';
import { ownerOf } from './server-owner.ts';
import { newSessionId, sessionIdWithRoute } from './session-id.ts';
import { onShutdownSignals } from './shutdown.ts';
import type { Timers } from './timers.ts';

/** Under a wrapper, a server on another port than `PORT` becomes the node after this time, in milliseconds. */
const AWAIT_PORT_MS = 1_000;

export class EmbeddedNode implements NodeCore {
  readonly isEnabled = true;
  readonly #settings: Settings;
  readonly #description: NodeDescription;
  readonly #environment: Readonly<Record<string, string | undefined>>;
  readonly #timers: Timers;
  readonly #listeners = new Listeners<RollcallEvents>();
  readonly #notices: Notices;
  readonly #load: NodeLoad;
  readonly #servers: AttachedServers;
  #instance: string = newInstance();
  #link: Link | undefined;
  #removeSignals: () => void = () => {};
  #agent: Agent | undefined;
  #defaultId: { readonly slot: number; readonly id: string } | undefined;
  #isReady: boolean;
  /** The instance was sent to a coordinator, and the node has not left since: responses to probes carry a proof. */
  #hasClaimed = false;
  /** The SDK is closing the attached servers. */
  #isClosingServers = false;
  #isClosed = false;

  constructor(settings: Settings, environment: Readonly<Record<string, string | undefined>>, timers: Timers) {
    this.#settings = settings;
    this.#environment = environment;
    this.#timers = timers;
    this.#isReady = settings.isReady;
    this.#description = withEnvironment(settings.description ?? {}, environment);
    this.#notices = new Notices(this.#listeners, settings.log);
    this.#load = new NodeLoad(settings, timers, this.#notices);
    this.#servers = new AttachedServers(
      this,
      this.#load.inFlight,
      this.#load.traffic,
      {
        onListening: ({ port }) => this.#listens(port),
        onUnixSocket: (path) => this.#listensOnUnixSocket(path),
        onClosed: () => void this.#leave(),
        proofOf: (nonce) => (this.#hasClaimed ? proofOf(this.#instance, nonce) : undefined),
        loadLine: (shareMs) => (settings.hasLoadHeader ? this.#load.fieldLine(shareMs) : ''),
        isEnding: () => this.#isClosingServers || this.#agent?.stopsByMs !== undefined,
      },
      preferredPort(environment),
    );
    for (const problem of settings.problems) this.#notices.misuse(problem);
  }

  get status(): Status {
    return this.#agent?.status ?? 'enabled';
  }

  get isRegistered(): boolean {
    return this.#agent?.isRegistered ?? false;
  }

  get id(): string | undefined {
    const { id, balancer } = this.#description;
    if (id !== undefined) return id;
    const slot = this.#slot;
    if (slot === undefined) return undefined;
    if (this.#defaultId?.slot === slot) return this.#defaultId.id;
    // Stored, because the id must not change with the working directory of the program.
    this.#defaultId = { slot, id: defaultNodeId(typeof balancer === 'string' ? balancer : 'default', { slot }) };
    const weaknesses = weaknessesOfIdentity();
    if (weaknesses.length > 0) {
      const message = `the id ${this.#defaultId.id} may change with a restart: ${weaknesses.join('; ')}. Set the option id`;
      this.#notices.warn({ code: 'weak-identity' satisfies AgentCode, message });
    }
    return this.#defaultId.id;
  }

  get route(): string | undefined {
    return this.#description.route ?? this.id;
  }

  on<Name extends keyof RollcallEvents>(name: Name, listener: (value: RollcallEvents[Name]) => void): void {
    if (typeof listener === 'function') this.#listeners.on(name, listener);
    else this.#notices.misuse('on() requires the name of an event and a function');
  }

  off<Name extends keyof RollcallEvents>(name: Name, listener: (value: RollcallEvents[Name]) => void): void {
    this.#listeners.off(name, listener);
  }

  attach(attachable: Attachable): NodeCore {
    const server = serverOf(attachable);
    if (server === undefined) {
      this.#notices.misuse('attach() requires a node:http server, the result of app.listen(), or a Fastify instance');
      return this;
    }
    if (this.#servers.has(server) || this.#isClosed) return this;
    const owner = ownerOf(server);
    if (owner !== undefined) return this.#standAsideFor(owner);
    this.#servers.add(server);
    return this;
  }

  register(): void {
    if (this.#isClosed || (this.#agent !== undefined && !this.#agent.isEnded)) return;
    if (this.id === undefined && this.#description.url === undefined) {
      this.#notices.misuse('register() without an attached server requires the option port or url');
      return;
    }
    if (this.#settings.description === undefined) {
      this.#notices.misuse('the options are not plain data; the node does not register');
      return;
    }
    // Checked before the connect, so that invalid options are reported at once.
    const fault = faultOf(this.#registration('', ''));
    if (fault !== undefined) {
      this.#notices.misuse(`${fault.message} (${fault.code}); the node does not register`);
      return;
    }
    const link = this.#newLink();
    if (link.coordinators.length > 0) this.#startAgent(link);
  }

  sessionId(base: unknown): string {
    const text = typeof base === 'string' ? base : undefined;
    const route = this.route;
    if (route !== undefined) return sessionIdWithRoute(text, route);
    this.#notices.misuse('sessionId() was called before a server listens: the id has no route');
    return text ?? newSessionId();
  }

  metric(name: string, options: MetricOptions | undefined, read: () => number): void {
    this.#load.add(name, options, read);
  }

  ready(isReady: boolean): void {
    const before = this.#isReady;
    this.#isReady = isReady;
    if (isReady !== before) this.#agent?.reportNow();
  }

  drain(): Promise<DrainOutcome> {
    return this.#drain('drain');
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#servers.detachAll();
    await this.#leave();
  }

  failed(error: unknown): void {
    const message = `internal error (${reasonOf(error)}); the program continues`;
    this.#notices.warn({ code: 'internal-error' satisfies AgentCode, message });
  }

  async #drain(reason: string): Promise<DrainOutcome> {
    if (this.#agent === undefined) return 'unregistered';
    const { drainSessionsMs: sessionsMs, drainRequestsMs: deadlineMs } = this.#settings;
    const outcome = await this.#agent.drain({ reason, sessionsMs, deadlineMs });
    // The cluster continues to send requests to a port that other processes serve: this process ends its connections.
    if (this.#link?.isShared) await this.#letConnectionsEnd(deadlineMs);
    return outcome;
  }

  get #counts(): RequestCounts {
    const { arrived, count } = this.#load.inFlight;
    return { arrived, inFlight: count };
  }

  #letConnectionsEnd(deadlineMs: number): Promise<void> {
    this.#servers.takeNoMore();
    return new Promise((resolve) => {
      const end = () => {
        cancelQuiet();
        cancelDeadline();
        resolve();
      };
      const cancelQuiet = afterQuiet(
        this.#timers,
        () => this.#counts,
        QUIET_MS,
        () => false,
        end,
      );
      const cancelDeadline = this.#timers.after(deadlineMs, end, { keepsProcess: true });
    });
  }

  async #leave(): Promise<void> {
    this.#hasClaimed = false;
    this.#removeSignals();
    this.#load.stop();
    await this.#agent?.leave();
    await this.#link?.leave();
  }

  /** Requests in flight have the remaining drain time. */
  async #closeServers(): Promise<void> {
    this.#isClosingServers = true;
    const stopsByMs = this.#agent?.stopsByMs;
    const restMs = stopsByMs === undefined ? this.#settings.drainRequestsMs : stopsByMs - this.#timers.nowMs();
    await this.#servers.closeAll(restMs);
  }

  /** A server belongs to one node: calls of this object are forwarded to `owner`. */
  #standAsideFor(owner: NodeCore): NodeCore {
    const name = owner.id === undefined ? 'another rollcall()' : `the node ${owner.id}`;
    if (this.#agent !== undefined || this.#servers.size > 0) {
      this.#notices.misuse(
        `attach(): the server belongs to ${name} already, and this rollcall() has another server; ignored`,
      );
      return this;
    }
    this.#notices.misuse(
      `attach(): the server belongs to ${name} already; this rollcall() is a handle of that node now`,
    );
    this.#listeners.moveTo((event, listener) => owner.on(event, listener as Parameters<NodeCore['on']>[1]));
    for (const { name, scale, read } of this.#load.metrics) owner.metric(name, scale, read as () => number);
    this.#isClosed = true;
    return owner;
  }

  /** Under a wrapper, another server may listen on `PORT` soon. */
  #listens(port: number): void {
    const preferred = preferredPort(this.#environment);
    if (preferred === undefined || preferred === port) this.register();
    else this.#timers.after(AWAIT_PORT_MS, () => this.register());
  }

  #listensOnUnixSocket(path: string): void {
    if (this.#description.url !== undefined) this.register();
    else
      this.#notices.misuse(
        `the server listens on the UNIX socket ${path} and has no port: listen on a port, or set url`,
      );
  }

  #newLink(): Link {
    return linkOf({
      environment: this.#environment,
      port: this.#port,
      coordinators: () => {
        const list = coordinatorList(this.#settings.coordinator, this.#environment);
        for (const text of list.refused)
          this.#notices.misuse(`${text} is no address of a coordinator; use one like ws://host:8400`);
        for (const problem of list.problems) this.#notices.misuse(`${problem}; the rest of the list is used`);
        return { coordinators: list.urls, areAlternatives: list.areAlternatives };
      },
      token: () => joinToken(this.#settings.token, this.#environment),
      tls: () => readClientTls(clientTlsFiles(this.#settings.tlsFiles, this.#environment)),
      registration: ([local, remote], count) => {
        const node = this.#registration(local, remote);
        return 'code' in node ? node : { ...node, cores: Math.min(count, ownCgroup().cores) };
      },
      timers: this.#timers,
      onNotice: (notice) => this.#notices.report('warning', notice),
      onProblem: (message) => this.#notices.misuse(message),
    });
  }

  #startAgent(link: Link): void {
    const load = this.#load;
    this.#link = link;
    const agent = new Agent({
      ...link,
      registration: (localAddress, remoteAddress) => {
        this.#instance = link.instance;
        const registration = this.#registration(localAddress, remoteAddress);
        // Set before the response: the coordinator may probe before it accepts.
        this.#hasClaimed = faultOf(registration) === undefined;
        return registration;
      },
      report: () => (this.#isReady ? load.report() : { ...load.report(), ready: false }),
      traffic: () => this.#counts,
      timers: this.#timers,
    });
    this.#agent = agent;
    for (const name of ['registered', 'status', 'drained'] as const) this.#forward(agent, name);
    agent.on('registered', () => {
      this.#notices.forget();
      load.renewScales();
    });
    agent.on('disconnected', (notice) => {
      if (link.isLocal) this.#listeners.emit('disconnected', notice);
      else this.#notices.report('disconnected', notice);
    });
    agent.on('reconnected', (notice) => this.#notices.report('reconnected', notice));
    agent.on('warning', (notice) => this.#notices.report('warning', notice));
    agent.on('error', (notice) => {
      this.#hasClaimed = false;
      load.stop();
      this.#notices.report('error', notice);
    });
    this.#watchSignals();
    load.start(() => agent.reportSoon());
    agent.start();
  }

  /** Called at the registration. Before it, and after the node has left, a signal has its default effect. */
  #watchSignals(): void {
    const { signals } = this.#settings;
    if (signals.length === 0) return;
    if (!isMainThread) {
      const remedy = 'on a message from the main thread, call await node.drain() and await node.close()';
      this.#notices.misuse(`signals do not arrive in a worker thread: ${remedy} (signals: [] silences this)`);
      return;
    }
    const steps = {
      drain: async (reason: string) => {
        await this.#drain(reason);
        await this.#leave();
      },
      close: () => this.#closeServers(),
    };
    this.#removeSignals = onShutdownSignals(process, signals, steps, () => this.#timers.nowMs());
  }

  #forward<Name extends 'registered' | 'status' | 'drained'>(agent: Agent, name: Name): void {
    agent.on(name, (value: AgentEvents[Name]) => void this.#listeners.emit(name, value as RollcallEvents[Name]));
  }

  /** Address of the attached servers; `undefined` if no server listens on a port. */
  get #listening(): Listening | undefined {
    return this.#servers.listening;
  }

  get #port(): number | undefined {
    return this.#settings.port ?? this.#listening?.port;
  }

  /** False for a configured address, which may be that of a reverse proxy, and for workers, which share a port. */
  get #isAtOwnAddress(): boolean {
    const isGiven = this.#description.url !== undefined || this.#port !== this.#listening?.port;
    return this.#listening !== undefined && !isGiven && !cluster.isWorker;
  }

  /** Distinguishes copies on one machine. */
  get #slot(): number | undefined {
    const { url } = this.#description;
    const awaitsPort = this.#servers.size > 0 && !this.#servers.isOnUnixSocket;
    return this.#port ?? (awaitsPort || typeof url !== 'string' ? undefined : portOf(url));
  }

  /** Both addresses are empty before there is a connection. */
  #registration(local: string, remote: string): NodeRegistration | Fault {
    const id = this.id ?? '';
    const url = this.#url(local, remote);
    if (typeof url !== 'string') return url;
    const listening = this.#listening;
    return toRegistration(this.#description, {
      id,
      route: this.route ?? id,
      url,
      instance: this.#instance,
      incarnation: processIncarnation(),
      process: thisProcess(),
      proves: this.#isAtOwnAddress,
      // JavaScript runs on one core.
      cores: Math.min(1, ownCgroup().cores),
      loadHeader: this.#settings.hasLoadHeader && this.#servers.size > 0,
      ...(listening === undefined ? {} : { keepAliveMs: listening.keepAliveMs }),
    });
  }

  #url(local: string, remote: string): string | Fault {
    if (this.#description.url !== undefined) return this.#description.url;
    const listening = this.#listening;
    // A configured port is not that of the server, for example behind a port mapping; nor is its address.
    const bound = this.#settings.port === undefined ? listening?.address : undefined;
    const announced = announcedAddress({ bound, local, remote, interfaces: ownAddresses(), setting: 'url' });
    if ('problem' in announced) return { code: 'bad-address', message: announced.problem };
    return nodeUrlText(announced.address, this.#port ?? 0, listening?.isTls ?? false);
  }
}

function faultOf(registration: NodeRegistration | Fault): Fault | undefined {
  return 'code' in registration ? registration : undefined;
}

/** The port assigned by the wrapper; `undefined` without a wrapper. */
function preferredPort(environment: Readonly<Record<string, string | undefined>>): number | undefined {
  const port = Number(environment['PORT']);
  return environment[NODE_VARIABLE] && port > 0 ? port : undefined;
}
