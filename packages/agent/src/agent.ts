/**
 * The agent of one node: holds a link to each coordinator. The node is registered while at least one coordinator has
 * accepted it.
 *
 * ```
 *   Agent ──┬─▶ CoordinatorLink ──▶ AgentConnection   configured, or a list of alternatives
 *           ├─▶ CoordinatorLink ──▶ AgentConnection   announced by a coordinator
 *           └─▶ CoordinatorLink ──▶ AgentConnection   another address of a name
 * ```
 *
 * The agent is embedded in an application. It never throws and never blocks. It keeps the process alive only during a drain
 * and an orderly close.
 */
import type {
  Fault,
  NodeRegistration,
  NodeStatusMessage,
  OperatorStatusMessage,
  RegisteredMessage,
  ScaleMessage,
  Status,
} from '@rollcall/protocol';
import { Addresses, type LookUp, systemLookUp } from './addresses.ts';
import type { AgentCode, Notice } from './agent-codes.ts';
import type { Rng } from './backoff.ts';
import type { ClientTls } from './client-tls.ts';
import { Confirmations } from './confirmations.ts';
import { CoordinatorLink, type CoordinatorLinkListener } from './coordinator-link.ts';
import { CoordinatorLinks } from './coordinator-links.ts';
import { announcedCoordinators, coordinatorText, MAX_COORDINATORS } from './coordinator-url.ts';
import type { ReportSource } from './heartbeats.ts';
import type { JoinToken } from './join-token.ts';
import { type LinkTarget, linkTargets } from './link-targets.ts';
import { Listeners } from './listeners.ts';
import { isOnLoopback, localAddressFor, type RouteLookUp, systemRoute } from './local-address.ts';
import { type DrainOptions, type DrainOutcome, NodeStatus } from './node-status.ts';
import { isSameOperatorStatus, OPERATOR_ENABLED, stricter } from './operator-status.ts';
import type { RequestCounts } from './quiet.ts';
import { type ServiceLookUp, ServiceNames, serviceLookUp } from './service-names.ts';
import { SharedReports } from './shared-reports.ts';
import { systemTimers, type Timers } from './timers.ts';
import { type AddressFault, Unreachable } from './unreachable.ts';

export interface AgentEvents {
  /** A coordinator has accepted the node, and none had it before: for the first time, or after all were lost. */
  readonly registered: RegisteredMessage;
  /** The operator has changed the status of the node: the most restrictive status of all coordinators. It is already in effect. */
  readonly status: OperatorStatusMessage;
  /** The wrapper of the node has to run another number of copies. */
  readonly scale: ScaleMessage;
  /** The last requested status, `draining` or `stopped`, is complete. */
  readonly drained: { readonly status: Status };
  /**
   * The last connection of a registered node is lost, or the coordinator has revoked its registration for a reason that an
   * operator can lift. The agent reconnects by itself. Other revoked registrations are a `warning`, and so is the loss of one of
   * several connections.
   */
  readonly disconnected: Notice;
  /** A coordinator whose connection was lost has accepted the node again. */
  readonly reconnected: { readonly message: string };
  /**
   * A problem. The same sentence is reported once until the last registered connection is lost. The cause of failed connects
   * is reported at each change.
   */
  readonly warning: Notice;
  /** The agent has ended: another process has the id, an operator has removed the node, or no protocol version is in common. */
  readonly error: Notice;
}

export interface AgentOptions {
  /** Addresses as `agentUrl` returns them, at most five. The agent connects to each of them. */
  readonly coordinators: readonly string[];
  /** `coordinators` are tried in order, for one connection. Default: false. */
  readonly areAlternatives?: boolean;
  /** Returns the join token; called for each connection. */
  readonly token: () => JoinToken;
  /** Returns the TLS options of a `wss` connection; called for each. Default: authorities of Node.js, no client certificate. */
  readonly tls?: (url: string) => ClientTls;
  /**
   * Returns the registration; called for each connection with the addresses of its local and remote end, empty when unknown.
   * With several coordinators the local address is the same for all of them; see `local-address.ts`. The instance must stay the same for the life of this agent. A fault is reported as a warning, and the agent retries.
   */
  readonly registration: (localAddress: string, remoteAddress: string) => NodeRegistration | Fault;
  readonly report: ReportSource;
  /**
   * Probes the program; called before each connection. A rejection counts as false. Without this probe, a frozen program
   * would register again after each expired lease, and be up until its silence is detected. Default: true.
   */
  readonly isAnswering?: () => Promise<boolean>;
  /**
   * Returns the number of requests that have arrived and that are in flight. A node that stops without a coordinator waits
   * until no request arrives. Default: no requests.
   */
  readonly traffic?: () => RequestCounts;
  readonly rng?: Rng;
  readonly timers?: Timers;
  /** Default: the system's resolver. */
  readonly lookUp?: LookUp;
  /** Default: SRV records from the name servers of the system. */
  readonly serviceLookUp?: ServiceLookUp;
  /** Default: the routes of the system. */
  readonly route?: RouteLookUp;
}

const MAX_NOTICES = 64;
const NO_REQUESTS: RequestCounts = { arrived: 0, inFlight: 0 };
/** Interval of the look-ups of names while the node is registered, in milliseconds. */
export const NAMES_MS = 30_000;

export class Agent {
  readonly #options: AgentOptions;
  readonly #services: ServiceNames;
  readonly #areAlternatives: boolean;
  readonly #timers: Timers;
  readonly #rng: Rng;
  readonly #listeners = new Listeners<AgentEvents>();
  readonly #reports: SharedReports;
  readonly #addresses: Addresses;
  readonly #unreachable: Unreachable;
  readonly #requestedStatus: NodeStatus;
  readonly #confirmations = new Confirmations<CoordinatorLink>();
  readonly #said = new Set<string>();
  readonly #ignored = new Set<string>();
  /** Links that have lost their coordinator since it accepted the node last. */
  readonly #lost = new WeakSet<CoordinatorLink>();
  readonly #links = new CoordinatorLinks();
  #isStarted = false;
  #isEnded = false;
  /** The local address towards the first coordinator that is not on loopback. */
  #localAddress: Promise<string | undefined> | undefined;
  #emittedStatus: OperatorStatusMessage = OPERATOR_ENABLED;
  /** The last status while a coordinator had accepted the node. */
  #operatorStatus: Status = 'enabled';
  #scale: { readonly count: number; readonly link: CoordinatorLink } | undefined;
  #cancelNames: (() => void) | undefined;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#areAlternatives = options.areAlternatives ?? false;
    this.#timers = options.timers ?? systemTimers();
    this.#rng = options.rng ?? Math.random;
    this.#reports = new SharedReports(options.report, () => this.#timers.nowMs());
    this.#addresses = new Addresses(this.#timers, options.lookUp ?? systemLookUp, () => this.#update());
    this.#unreachable = new Unreachable(this.#timers);
    this.#services = new ServiceNames(
      options.coordinators.slice(0, MAX_COORDINATORS),
      options.serviceLookUp ?? serviceLookUp(),
      this.#timers,
      this.#rng,
      {
        onChange: (url) => {
          this.#unreachable.recovered([url]);
          this.#update();
        },
        onFault: (url, cause) => this.#warnUnreachable(url, [{ cause }]),
        onIgnored: (url, ignored) => this.#ignore(ignored, `it is not in the domain of ${coordinatorText(url)}`),
      },
    );
    this.#requestedStatus = new NodeStatus({
      timers: this.#timers,
      isRegistered: () => this.isRegistered,
      send: (message) => this.#sendStatus(message),
      counts: () => this.#traffic(),
    });
  }

  /** A coordinator has accepted the node, and the connection to it is open. */
  get isRegistered(): boolean {
    return this.#links.registered.length > 0;
  }

  /** The agent has left or was refused permanently: it sends no more messages and emits no more events. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Deadline of the requests of a stopping node, on the clock of its timers; `undefined` while it does not stop. */
  get stopsByMs(): number | undefined {
    return this.#requestedStatus.stopsByMs;
  }

  /** The more restrictive of the status requested by the node and that of the operator. */
  get status(): Status {
    return stricter(this.#requestedStatus.inForce, this.#operatorStatus);
  }

  on<Name extends keyof AgentEvents>(name: Name, listener: (value: AgentEvents[Name]) => void): void {
    this.#listeners.on(name, listener);
  }

  off<Name extends keyof AgentEvents>(name: Name, listener: (value: AgentEvents[Name]) => void): void {
    this.#listeners.off(name, listener);
  }

  /** Starts to connect, and retries until the coordinators accept the node. A repeated call changes nothing. */
  start(): void {
    if (this.#isStarted || this.#isEnded || this.#options.coordinators.length === 0) return;
    this.#isStarted = true;
    this.#services.refresh();
    this.#update();
  }

  /** Sends heartbeats early because the load has changed, at most four a second. Returns whether one was sent. */
  reportSoon(): boolean {
    return this.#links.all.filter((link) => link.reportSoon()).length > 0;
  }

  /** Sends heartbeats at once, or 250 ms after the last ones, because the readiness has changed. */
  reportNow(): void {
    this.#reports.forget();
    for (const link of this.#links.all) link.reportNow();
  }

  /**
   * Requests that the cluster sends no more sessions and requests, and waits for the confirmation of each connected coordinator.
   * A coordinator that is lost during the drain is not waited for. The node has to serve until the promise resolves.
   *
   * Keeps the process alive for at most `sessionsMs + deadlineMs`. After a lost connection the request is sent again. Without
   * a connection, the drain waits for sessions for 8 s at most, then until no request arrived for 1 s. A repeated call waits
   * for the first drain; the earlier deadline applies.
   */
  drain(options: DrainOptions = {}): Promise<DrainOutcome> {
    const wasRegistered = this.#links.all.some((link) => link.wasRegistered);
    // Proxy workers may send requests to a node that is not registered: they know its address from before its restart.
    const mayBeKnown = wasRegistered || this.#traffic().arrived > 0;
    if (!mayBeKnown || this.#isEnded) return Promise.resolve('unregistered');
    return this.#requestedStatus.drain(wasRegistered ? options : { ...options, sessionsMs: 0 });
  }

  /** Ends a drain with `withdrawn`: the status of the node is `enabled` again. Without a drain it has no effect. */
  withdrawDrain(): void {
    if (!this.#isEnded) this.#requestedStatus.withdraw();
  }

  /**
   * Sends the requested status of the node to the cluster, and again after each registration. `drained` follows when it is
   * complete. For agents that represent other processes; other agents use `drain`.
   */
  requestStatus(status: Status, reason: string, deadlineMs: number): void {
    this.#requestedStatus.set(status, reason, deadlineMs);
  }

  /** Leaves the cluster and closes all connections, within 1 s. Ends a drain. A repeated call does nothing. */
  async leave(): Promise<void> {
    if (!this.#isEnded) await this.#end({ isLeaving: true });
  }

  /** Registers a changed description again on the present connections on which the node is registered. */
  renew(): void {
    for (const link of this.#links.all) link.renew();
  }

  /** Ends the agent without `leave`: another process registers the node next. A repeated call does nothing. */
  async disconnect(): Promise<void> {
    await this.#end({ isLeaving: false });
  }

  /** Reports a warning once. The same sentence is repeated only after the last registered connection was lost. */
  warn(notice: Notice): void {
    const key = keyOf(notice);
    if (this.#said.has(key) || this.#said.size >= MAX_NOTICES) return;
    this.#said.add(key);
    this.#listeners.emit('warning', notice);
  }

  #traffic(): RequestCounts {
    return this.#options.traffic?.() ?? NO_REQUESTS;
  }

  /** The configured coordinators, and the addresses in SRV records. */
  get #configured(): readonly string[] {
    return this.#services.coordinators;
  }

  /** Starts the links that are missing, and ends links that are neither needed nor registered. */
  #update(): void {
    if (!this.#isStarted || this.#isEnded) return;
    const accepted = new Set(this.#links.accepted);
    const { started, ended } = this.#links.reconcile(this.#targets(), (target) => this.#newLink(target));
    for (const link of ended) void link.end({ isLeaving: false });
    for (const link of ended) if (accepted.has(link)) this.#withdrawn(link);
    // A listener of the program may have ended the agent.
    if (this.#isEnded) return;
    for (const link of this.#links.all) link.watchSilence(this.#links.isSeveral);
    for (const link of started) link.start();
    this.#watchNames();
    this.#reportIgnored();
  }

  #targets(): readonly LinkTarget[] {
    return linkTargets({
      configured: this.#configured,
      areAlternatives: this.#areAlternatives,
      announced: this.#links.announced,
      names: this.#links.names.map(({ name, ...reached }) => ({ ...reached, addresses: this.#addresses.known(name) })),
    });
  }

  /** Looks names up again while the node is registered: a coordinator may have been added. */
  #watchNames(): void {
    const isNeeded = this.#links.accepted.length > 0 && (this.#links.names.length > 0 || this.#services.isUsed);
    if (!isNeeded) {
      this.#cancelNames?.();
      this.#cancelNames = undefined;
      return;
    }
    this.#cancelNames ??= this.#timers.after(NAMES_MS, () => {
      this.#cancelNames = undefined;
      for (const { name } of this.#links.names) this.#addresses.refresh(name);
      this.#services.refresh();
      this.#watchNames();
    });
  }

  #newLink(target: LinkTarget): CoordinatorLink {
    const { token, tls, registration, isAnswering } = this.#options;
    const options = {
      token,
      ...(tls === undefined ? {} : { tls }),
      registration,
      ...(isAnswering === undefined ? {} : { isAnswering }),
      receiver: this.#reports.receiver(),
      addresses: this.#addresses,
      rng: this.#rng,
      timers: this.#timers,
    };
    return new CoordinatorLink(target, options, this.#listener);
  }

  readonly #listener: CoordinatorLinkListener = {
    isHeld: (link, id) => this.#isHeld(link, id),
    isReplaced: (link) => this.#links.isReplaced(link, this.#timers.nowMs()),
    localAddress: (link, local) => this.#localAddressOf(link, local),
    freeAddresses: (link, url, addresses) => this.#links.freeAddresses(link, url, addresses),
    onRegistered: (link, message, isRenewal) => this.#onRegistered(link, message, isRenewal),
    onOperatorStatus: () => this.#onOperatorStatus(),
    onScale: (link, message) => this.#onScale(link, message),
    onCoordinators: (link, urls) => this.#onCoordinators(link, urls),
    onDrained: (link) => {
      if (this.#requestedStatus.status === undefined) return;
      if (this.#confirmations.confirm(link)) this.#complete();
    },
    onBudget: (_, { holdMs, message }) => {
      this.#requestedStatus.held(holdMs);
      if (holdMs > 0) this.warn({ code: 'budget' satisfies AgentCode, message });
    },
    onLocalLoss: (_, message) =>
      this.#listeners.emit('disconnected', { code: 'connection-lost' satisfies AgentCode, message }),
    onRefused: (link, notice, hadNode) => this.#onRefused(link, notice, hadNode),
    onDown: (link, lost, url) => this.#onDown(link, lost, url),
    onUnreachable: (link, url, faults) => this.#onUnreachable(link, url, faults),
    onWarning: (notice) => this.warn(notice),
    onFinal: (_, notice) => {
      // The other coordinators learn it from the process that has the id, or from the store.
      void this.#end({ isLeaving: false });
      this.#listeners.emit('error', notice);
    },
  };

  #isHeld(link: CoordinatorLink, id: string): boolean {
    const holder = this.#links.holderOf(id, link);
    if (holder === undefined) return false;
    if (link.target.origin === 'configured' && holder.target.origin === 'configured') {
      const [one, other] = [link, holder].map(({ target }) => coordinatorText(target.urls[0]!));
      const message = `${one} and ${other} are the same coordinator; the agent uses one connection`;
      this.warn({ code: 'misuse' satisfies AgentCode, message });
    }
    return true;
  }

  #localAddressOf(link: CoordinatorLink, local: string): string | Promise<string> {
    if (this.#links.all.length < 2 || this.#configured.every(isOnLoopback)) return local;
    // While a coordinator has the address, all others get the same one.
    const isUsed = this.#links.all.some((other) => other !== link && other.hasRegistered);
    if (this.#localAddress === undefined || !isUsed) {
      const { route = systemRoute } = this.#options;
      this.#localAddress = localAddressFor(this.#configured, this.#addresses, route, this.#timers);
    }
    return this.#localAddress.then((address) => address ?? local);
  }

  #onRegistered(link: CoordinatorLink, message: RegisteredMessage, isRenewal: boolean): void {
    this.#onSameCoordinator(link);
    const others = this.#links.accepted.filter((other) => other !== link);
    const isFirst = others.length === 0;
    if (isFirst) this.#unreachable.clear();
    else this.#unreachable.recovered(link.urls);
    this.#takeAnnounced(link, message.coordinators);
    this.#reports.forget();
    this.#emittedStatus = this.#links.operatorStatus;
    this.#operatorStatus = this.#emittedStatus.status;
    if (isFirst || (isRenewal && link === this.#links.accepted[0])) this.#listeners.emit('registered', message);
    // A listener of the program may have ended the agent.
    if (this.#isEnded) return;
    if (this.#lost.delete(link)) {
      const where = coordinatorText(link.url);
      this.#listeners.emit('reconnected', { message: `connected again to the coordinator at ${where}` });
    }
    for (const warning of message.warnings) this.warn(warning);
    const status = this.#requestedStatus.message();
    if (status !== undefined) {
      this.#confirmations.add(link);
      link.send(status);
    }
    this.#update();
  }

  /** The coordinator has replaced an earlier connection by that of `link`: it had announced its id only now. */
  #onSameCoordinator(link: CoordinatorLink): void {
    const { coordinatorId } = link;
    if (coordinatorId === undefined) return;
    for (const other of this.#links.all) {
      if (other === link || other.coordinatorId !== coordinatorId) continue;
      other.standBy(coordinatorId);
      this.#confirmations.drop(other);
    }
  }

  #onCoordinators(link: CoordinatorLink, urls: readonly string[]): void {
    if (!link.isAccepted) return;
    this.#takeAnnounced(link, urls);
    this.#update();
  }

  #takeAnnounced(link: CoordinatorLink, urls: readonly string[]): void {
    const { accepted, ignored } = announcedCoordinators(this.#configured, urls);
    link.ignored = ignored;
    // Without ids, two connections could reach one coordinator, which keeps only one of them.
    if (link.coordinatorId !== undefined) link.announced = accepted;
    else if (this.#links.all.length === 1) link.useAlternatives([...this.#configured, ...accepted]);
  }

  /** Reports announced addresses that are not used. Each may be that of a coordinator to which the first connect is not decided yet. */
  #reportIgnored(): void {
    if (!this.#links.all.every(({ isTried }) => isTried)) return;
    const own = this.#links.ownUrls;
    for (const { ignored } of this.#links.accepted)
      for (const url of ignored.filter((each) => !own.has(each)))
        this.#ignore(url, 'its host is not configured and the connection has no TLS');
  }

  /** Reports an address of a coordinator that is not used, once. */
  #ignore(url: string, cause: string): void {
    if (this.#ignored.has(url) || this.#ignored.size >= MAX_NOTICES) return;
    this.#ignored.add(url);
    const text = coordinatorText(url);
    this.#listeners.emit('warning', {
      code: 'coordinator-ignored' satisfies AgentCode,
      message: `the announced coordinator ${text} is not used, because ${cause}: to use it, add ${text} to ROLLCALL_URL`,
    });
  }

  #onOperatorStatus(): void {
    const effective = this.#links.operatorStatus;
    const isChanged = this.#links.accepted.length < 2 || !isSameOperatorStatus(effective, this.#emittedStatus);
    this.#emittedStatus = effective;
    this.#operatorStatus = effective.status;
    if (isChanged) this.#listeners.emit('status', effective);
  }

  /** A repeated number of the same coordinator is a new request of the operator. */
  #onScale(link: CoordinatorLink, message: ScaleMessage): void {
    if (this.#scale?.count === message.count && this.#scale.link !== link) return;
    this.#scale = { count: message.count, link };
    this.#listeners.emit('scale', message);
  }

  #sendStatus(message: NodeStatusMessage): void {
    const { registered } = this.#links;
    this.#confirmations.request(registered);
    for (const link of registered) link.send(message);
  }

  #complete(): void {
    this.#listeners.emit('drained', { status: this.#requestedStatus.status ?? 'enabled' });
    this.#requestedStatus.done('drained');
  }

  #onRefused(link: CoordinatorLink, notice: Notice, hadNode: boolean): void {
    if (!hadNode || this.#links.accepted.length > 0) {
      this.warn(notice);
      if (hadNode) this.#withdrawn(link);
      return;
    }
    this.#said.clear();
    this.#said.add(keyOf(notice));
    this.#listeners.emit('disconnected', notice);
    this.#requestedStatus.done('unregistered');
  }

  #onDown(link: CoordinatorLink, lost: string | undefined, url: string): void {
    const others = this.#links.accepted.length;
    if (lost !== undefined) {
      this.#lost.add(link);
      const where = `lost the coordinator at ${coordinatorText(url)} (${lost})`;
      const code = 'connection-lost' satisfies AgentCode;
      if (others === 0) {
        this.#said.clear();
        this.#listeners.emit('disconnected', { code, message: `${where}; reconnecting` });
      } else {
        const rest = others === 1 ? '1 other coordinator is connected' : `${others} other coordinators are connected`;
        this.#listeners.emit('warning', { code, message: `${where}; ${rest}; reconnecting` });
      }
    }
    if (this.#isEnded) return;
    this.#withdrawn(link);
    for (const other of this.#links.free) if (other !== link) other.retry(other.sameAs!);
    this.#services.refresh();
    this.#update();
  }

  /** `link` has lost the node. */
  #withdrawn(link: CoordinatorLink): void {
    const isComplete = this.#confirmations.drop(link);
    if (this.#links.accepted.length === 0) {
      if (isComplete) this.#complete();
      return;
    }
    const effective = this.#links.operatorStatus;
    if (!isSameOperatorStatus(effective, this.#emittedStatus)) this.#onOperatorStatus();
    if (isComplete) this.#complete();
  }

  #onUnreachable(link: CoordinatorLink, url: string, faults: readonly AddressFault[]): void {
    this.#reportIgnored();
    // One address of a name may be unusable on this machine, for example an IPv6 address.
    if (link.target.origin === 'address' && !link.wasRegistered) return;
    this.#services.refresh();
    this.#warnUnreachable(url, faults);
  }

  #warnUnreachable(url: string, faults: readonly AddressFault[]): void {
    const urls = [...this.#links.missingUrls, ...this.#services.unresolved];
    const notice = this.#unreachable.failed(url, faults, urls, this.#links.accepted.length > 0);
    if (notice !== undefined) this.#listeners.emit('warning', notice);
  }

  async #end(how: { readonly isLeaving: boolean }): Promise<void> {
    this.#isEnded = true;
    this.#cancelNames?.();
    this.#cancelNames = undefined;
    this.#services.close();
    const closed = this.#links.all.map((link) => link.end(how));
    this.#requestedStatus.done('unregistered');
    await Promise.all(closed);
  }
}

function keyOf({ code, message }: Notice): string {
  return `${code} ${message}`;
}
