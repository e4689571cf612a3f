/**
 * The agent of one node: connects to a coordinator, registers, sends heartbeats, drains and leaves.
 *
 * ```
 *          start            upgraded            registered
 *   idle ────────▶ connecting ──────▶ registering ────────▶ registered
 *                   ▲      │               │                    │
 *            backoff│      └──────lost─────┴────────lost────────┘
 *                   └─── waiting ◀─────────┘
 *   any ──leave, or a final refusal (superseded by a connected process, removed, no version in common)──▶ ended
 * ```
 *
 * Some refusals can be lifted by an operator: a binding of the token, the owner of the id, a quota. They do not end the
 * agent. It retries about every 60 s.
 *
 * The agent is embedded in an application. It never throws and never blocks. It keeps the process alive only during a drain
 * and an orderly close.
 */
import { isIP } from 'node:net';
import type {
  CoordinatorMessage,
  ErrorMessage,
  Fault,
  NodeRegistration,
  OperatorStatusMessage,
  RegisteredMessage,
  ScaleMessage,
  Status,
} from '@rollcall/protocol';
import { DEFAULT_LEASE_MS, printable } from '@rollcall/protocol';
import { Addresses, type LookUp, systemLookUp } from './addresses.ts';
import { AgentConnection, type ConnectionEnd } from './agent-connection.ts';
import { backoffMs, type Rng } from './backoff.ts';
import type { ClientTls } from './client-tls.ts';
import { connectCause } from './connect-cause.ts';
import { acceptedCoordinators, coordinatorText } from './coordinator-url.ts';
import { Heartbeats, type ReportSource } from './heartbeats.ts';
import type { JoinToken } from './join-token.ts';
import { Listeners } from './listeners.ts';
import { type DrainOptions, type DrainOutcome, NodeStatus } from './node-status.ts';
import type { RequestCounts } from './quiet.ts';
import { systemTimers, type Timers } from './timers.ts';
import { type AddressFault, Unreachable } from './unreachable.ts';

/** One sentence for the log of the node. `code` is a code of the protocol or one of `AGENT_CODES`. */
export interface Notice {
  readonly code: string;
  readonly message: string;
}

/** Codes of notices that the agent itself generates. */
export const AGENT_CODES = [
  'no-coordinator',
  'connection-lost',
  'bad-token-file',
  'coordinator-garbage',
  'misuse',
  'metric-failed',
  'weak-identity',
  'internal-error',
] as const;

export type AgentCode = (typeof AGENT_CODES)[number];

export interface AgentEvents {
  /** A coordinator has accepted the node, for the first time or again. */
  readonly registered: RegisteredMessage;
  /** The operator has changed the status of the node. The change is already in effect. */
  readonly status: OperatorStatusMessage;
  /** The wrapper of the node has to run another number of copies. */
  readonly scale: ScaleMessage;
  /** The last requested status, `draining` or `stopped`, is complete. */
  readonly drained: { readonly status: Status };
  /**
   * The connection of a registered node is lost, or the coordinator has revoked its registration for a reason that an operator
   * can lift. The agent reconnects by itself. Other revoked registrations are a `warning`.
   */
  readonly disconnected: Notice;
  /**
   * A problem. The same sentence is reported once until a registered connection is lost. The cause of failed connects is
   * reported at each change.
   */
  readonly warning: Notice;
  /** The agent has ended: another process has the id, an operator has removed the node, or no protocol version is in common. */
  readonly error: Notice;
}

export interface AgentOptions {
  /** Addresses as `agentUrl` returns them, tried in order. */
  readonly coordinators: readonly string[];
  /** Returns the join token; called for each connection. */
  readonly token: () => JoinToken;
  /** Returns the TLS options of a `wss` connection; called for each. Default: authorities of Node.js, no client certificate. */
  readonly tls?: (url: string) => ClientTls;
  /**
   * Returns the registration; called for each connection with the addresses of its local and remote end, empty when unknown.
   * The instance must stay the same for the life of this agent. A fault is reported as a warning, and the agent retries.
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
}

type State = 'idle' | 'waiting' | 'connecting' | 'registering' | 'registered' | 'ended';

const MAX_NOTICES = 64;
const NO_REQUESTS: RequestCounts = { arrived: 0, inFlight: 0 };
const MAX_DETAIL = 256;
/** After close code 1012 all nodes of the cluster reconnect: spread over this time, in milliseconds. */
const AWAY_JITTER_MS = 1_000;
/** Close code of a coordinator that shuts down. */
const CLOSE_AWAY = 1012;
/** Close code of a registration whose id, route, address or context is held by another node. */
const CLOSE_TAKEN = 4409;
/** Close code of a registration that is not allowed. */
const CLOSE_FORBIDDEN = 4403;
/** Refusals with `CLOSE_FORBIDDEN` that an operator can lift: a binding of the token, the owner of the id, a quota. */
const LIFTABLE: ReadonlySet<string> = new Set(['forbidden', 'id-owned', 'too-many-nodes']);
/** Mean time between two attempts after such a refusal, in milliseconds. */
const REFUSED_MS = 60_000;
/** Codes of refused upgrades that another address of the same coordinator would refuse too. */
const REFUSAL_CODES: Readonly<Record<number, string>> = {
  401: 'unauthenticated',
  403: 'forbidden',
  426: 'unsupported-version',
};
/** A program that does not answer is probed again after this time, in milliseconds. */
const ASK_AGAIN_MS = 1_000;

export class Agent {
  readonly #options: AgentOptions;
  readonly #timers: Timers;
  readonly #rng: Rng;
  readonly #listeners = new Listeners<AgentEvents>();
  readonly #heartbeats: Heartbeats;
  readonly #said = new Set<string>();
  #state: State = 'idle';
  #urls: readonly string[];
  #urlIndex = 0;
  #attempts = 0;
  readonly #addresses: Addresses;
  readonly #unreachable: Unreachable;
  /** Addresses of the coordinator's name that were not tried yet; empty for a literal address. */
  #untried: string[] = [];
  /** Faults of the addresses that were tried. */
  #faults: AddressFault[] = [];
  #connection: AgentConnection | undefined;
  #ends: readonly [local: string, remote: string] = ['', ''];
  #lastError: ErrorMessage | undefined;
  #cancelWait: () => void = () => {};
  /** The node was registered, and not refused since. */
  #wasRegistered = false;
  #leaseMs = DEFAULT_LEASE_MS;
  #operatorStatus: Status = 'enabled';
  readonly #requestedStatus: NodeStatus;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers();
    this.#rng = options.rng ?? Math.random;
    this.#urls = options.coordinators;
    this.#addresses = new Addresses(this.#timers, options.lookUp ?? systemLookUp);
    this.#unreachable = new Unreachable(this.#timers);
    this.#requestedStatus = new NodeStatus({
      timers: this.#timers,
      isRegistered: () => this.#state === 'registered',
      send: (message) => this.#connection?.send(message),
      counts: () => this.#traffic(),
    });
    this.#heartbeats = new Heartbeats(this.#timers, options.report, (message) => this.#connection?.send(message));
  }

  get isRegistered(): boolean {
    return this.#state === 'registered';
  }

  /** The agent has left or was refused permanently: it sends no more messages and emits no more events. */
  get isEnded(): boolean {
    return this.#state === 'ended';
  }

  /** Deadline of the requests of a stopping node, on the clock of its timers; `undefined` while it does not stop. */
  get stopsByMs(): number | undefined {
    return this.#requestedStatus.stopsByMs;
  }

  /** The more restrictive of the status requested by the node and that of the operator. */
  get status(): Status {
    const order = { enabled: 0, draining: 1, stopped: 2 } as const;
    const own = this.#requestedStatus.status ?? 'enabled';
    return order[own] > order[this.#operatorStatus] ? own : this.#operatorStatus;
  }

  on<Name extends keyof AgentEvents>(name: Name, listener: (value: AgentEvents[Name]) => void): void {
    this.#listeners.on(name, listener);
  }

  off<Name extends keyof AgentEvents>(name: Name, listener: (value: AgentEvents[Name]) => void): void {
    this.#listeners.off(name, listener);
  }

  /** Starts to connect, and retries until a coordinator accepts the node. A repeated call changes nothing. */
  start(): void {
    if (this.#state === 'idle' && this.#urls.length > 0) this.#connect();
  }

  /** Sends a heartbeat early because the load has changed, at most four a second. Returns whether it was sent. */
  reportSoon(): boolean {
    return this.#heartbeats.soon();
  }

  /** Sends a heartbeat at once, or 250 ms after the last one, because the readiness has changed. */
  reportNow(): void {
    this.#heartbeats.now();
  }

  /**
   * Requests that the cluster sends no more sessions and requests, and waits for the confirmation. The node has to serve
   * until the promise resolves.
   *
   * Keeps the process alive for at most `sessionsMs + deadlineMs`. After a lost connection the request is sent again. Without
   * a connection, the drain waits for sessions for 8 s at most, then until no request arrived for 1 s. A repeated call waits
   * for the first drain; the earlier deadline applies.
   */
  drain(options: DrainOptions = {}): Promise<DrainOutcome> {
    // Proxy workers may send requests to a node that is not registered: they know its address from before its restart.
    const mayBeKnown = this.#wasRegistered || this.#traffic().arrived > 0;
    if (!mayBeKnown || this.#state === 'ended') return Promise.resolve('unregistered');
    return this.#requestedStatus.drain(this.#wasRegistered ? options : { ...options, sessionsMs: 0 });
  }

  /** Ends a drain with `withdrawn`: the status of the node is `enabled` again. Without a drain it has no effect. */
  withdrawDrain(): void {
    if (this.#state !== 'ended') this.#requestedStatus.withdraw();
  }

  /**
   * Sends the requested status of the node to the cluster, and again after each registration. `drained` follows when it is
   * complete. For agents that represent other processes; other agents use `drain`.
   */
  requestStatus(status: Status, reason: string, deadlineMs: number): void {
    this.#requestedStatus.set(status, reason, deadlineMs);
  }

  /** Leaves the cluster and closes the connection, within 1 s. Ends a drain. A repeated call does nothing. */
  async leave(): Promise<void> {
    if (this.#state === 'ended') return;
    const connection = this.#connection;
    const hasRegistered = this.#state === 'registered' || this.#state === 'registering';
    this.#finish();
    if (connection === undefined) return;
    if (hasRegistered) connection.send({ type: 'leave' });
    await connection.close();
  }

  /** Registers a changed description again on the present connection, if the node is registered. */
  renew(): void {
    if (this.#state === 'registered') this.#register(this.#connection!, ...this.#ends);
  }

  /** Ends the agent without `leave`: another process registers the node next. A repeated call does nothing. */
  async disconnect(): Promise<void> {
    const connection = this.#connection;
    this.#finish();
    await connection?.close();
  }

  /** Reports a warning once. The same sentence is repeated only after a registered connection was lost. */
  warn(notice: Notice): void {
    const key = keyOf(notice);
    if (this.#said.has(key) || this.#said.size >= MAX_NOTICES) return;
    this.#said.add(key);
    this.#listeners.emit('warning', notice);
  }

  #traffic(): RequestCounts {
    return this.#options.traffic?.() ?? NO_REQUESTS;
  }

  #connect(): void {
    this.#state = 'connecting';
    const { isAnswering } = this.#options;
    if (isAnswering === undefined) {
      this.#open();
      return;
    }
    const go = (isUp: boolean) => {
      if (this.#state !== 'connecting') return;
      if (isUp) this.#open();
      else this.#cancelWait = this.#timers.after(ASK_AGAIN_MS, () => this.#connect());
    };
    isAnswering().then(go, () => go(false));
  }

  #open(): void {
    const url = this.#urls[this.#urlIndex]!;
    this.#faults = [];
    this.#untried = [];
    const name = nameOf(url);
    if (name === undefined) {
      this.#tryAddress(url, undefined);
      return;
    }
    void this.#addresses.of(name).then((found) => {
      if (this.#state !== 'connecting') return;
      if ('error' in found) {
        this.#sayUnreachable(url, { cause: connectCause(found.error, url) });
        this.#tryLater(0);
        return;
      }
      this.#untried = [...found.addresses];
      this.#tryAddress(url, this.#untried.shift());
    });
  }

  #tryAddress(url: string, address: string | undefined): void {
    this.#lastError = undefined;
    const { token, problem } = this.#options.token();
    if (problem !== undefined) this.warn({ code: 'bad-token-file' satisfies AgentCode, message: problem });
    const tls = url.startsWith('wss:') ? this.#options.tls?.(url) : undefined;
    if (tls?.problem !== undefined) {
      this.#sayUnreachable(url, { cause: tls.problem });
      this.#tryLater(0);
      return;
    }
    // Events of older connections are ignored.
    const listener = {
      onOpen: (localAddress: string, remoteAddress: string) => {
        if (connection !== this.#connection) return;
        if (address !== undefined) this.#addresses.worked(new URL(url).hostname, address);
        this.#register(connection, localAddress, remoteAddress);
      },
      onMessage: (message: CoordinatorMessage) => connection === this.#connection && this.#take(message, connection),
      onMalformed: (fault: Fault) => connection === this.#connection && this.#garbage(fault),
      onEnd: (end: ConnectionEnd) => connection === this.#connection && this.#lost(end, connection, address),
    };
    const connection: AgentConnection = new AgentConnection(url, token, this.#timers, listener, address, tls);
    this.#connection = connection;
  }

  #register(connection: AgentConnection, localAddress: string, remoteAddress: string): void {
    this.#ends = [localAddress, remoteAddress];
    const node = this.#options.registration(localAddress, remoteAddress);
    if ('code' in node) {
      this.warn(node);
      void connection.close();
      return;
    }
    this.#state = 'registering';
    connection.send({ type: 'register', node });
  }

  #take(message: CoordinatorMessage, connection: AgentConnection): void {
    switch (message.type) {
      case 'registered':
        this.#registered(message, connection);
        return;
      case 'pace':
        this.#leaseMs = message.leaseMs;
        connection.watchSilence(message.leaseMs);
        this.#heartbeats.pace(message.heartbeatMs);
        return;
      case 'status':
        this.#operatorStatus = message.status;
        this.#listeners.emit('status', message);
        return;
      case 'scale':
        this.#listeners.emit('scale', message);
        return;
      case 'drained':
        if (this.#requestedStatus.status === undefined) return;
        this.#listeners.emit('drained', { status: this.#requestedStatus.status });
        this.#requestedStatus.done('drained');
        return;
      case 'disconnected':
        this.#disconnected(message.message);
        return;
      case 'error':
        this.#lastError = message;
        if (LIFTABLE.has(message.code)) this.#refused(message);
        else this.warn({ code: message.code, message: message.message });
        return;
      default:
        message satisfies never;
    }
  }

  #registered(message: RegisteredMessage, connection: AgentConnection): void {
    this.#state = 'registered';
    this.#wasRegistered = true;
    this.#operatorStatus = 'enabled';
    this.#unreachable.clear();
    this.#urls = acceptedCoordinators(this.#options.coordinators, message.coordinators);
    this.#urlIndex = Math.max(0, this.#urls.indexOf(connection.url));
    this.#leaseMs = message.leaseMs;
    connection.watchSilence(message.leaseMs);
    this.#listeners.emit('registered', message);
    for (const warning of message.warnings) this.warn(warning);
    this.#requestedStatus.tell();
    this.#heartbeats.start(message.heartbeatMs);
  }

  /** The process that connects for this node has lost all coordinators. It sends `registered` after it has reconnected. */
  #disconnected(message: string): void {
    if (this.#state !== 'registered') return;
    this.#state = 'registering';
    this.#listeners.emit('disconnected', { code: 'connection-lost' satisfies AgentCode, message });
  }

  /** An operator can lift the refusal; the coordinator closes the connection. */
  #refused({ code, message }: ErrorMessage): void {
    const notice = { code, message: `${message}; retrying about every ${REFUSED_MS / 1_000} s` };
    if (!this.#wasRegistered) {
      this.warn(notice);
      return;
    }
    this.#state = 'registering';
    this.#wasRegistered = false;
    this.#attempts = 0;
    this.#heartbeats.stop();
    this.#said.clear();
    this.#said.add(keyOf(notice));
    this.#listeners.emit('disconnected', notice);
    this.#requestedStatus.done('unregistered');
  }

  #garbage(fault: Fault): void {
    // A message type of a later protocol version is not an error.
    if (fault.code === 'unknown-message') return;
    this.warn({
      code: 'coordinator-garbage' satisfies AgentCode,
      message: `invalid message from the coordinator (${fault.code}); ignored`,
    });
  }

  #lost(end: ConnectionEnd, connection: AgentConnection, address: string | undefined): void {
    const { url } = connection;
    const wasRegistered = this.#state === 'registered';
    const lastError = this.#lastError;
    this.#heartbeats.stop();
    this.#connection = undefined;
    // A revoked registration is a failed attempt: the next one may end in the same way, with the same message.
    const wasLost = wasRegistered && !(end.code === CLOSE_TAKEN && lastError !== undefined);
    if (wasLost) {
      this.#attempts = 0;
      this.#said.clear();
    }
    if (isFinal(end.code, lastError, wasRegistered)) {
      this.#finish();
      const message = lastError?.message || end.detail || `closed with ${end.code}`;
      this.#listeners.emit('error', { code: lastError?.code ?? String(end.code), message });
      return;
    }
    const fault = { ...(address === undefined ? {} : { address }), ...faultOf(end) };
    if (wasLost) {
      const message = `lost the coordinator at ${coordinatorText(url)} (${end.detail || end.code}); reconnecting`;
      this.#listeners.emit('disconnected', { code: 'connection-lost' satisfies AgentCode, message });
    } else if (!end.wasOpen && this.#untried.length > 0 && fault.code === undefined && end.refusalCode === undefined) {
      this.#faults.push(fault);
      this.#tryAddress(url, this.#untried.shift());
      return;
    } else if (!end.wasOpen || (this.#state === 'registering' && lastError === undefined && end.code !== CLOSE_AWAY)) {
      this.#sayUnreachable(url, fault);
    }
    if (address !== undefined) this.#addresses.failed(new URL(url).hostname);
    this.#tryLater(this.#waitMs(end, lastError), end);
  }

  /** Wait because of an error, in milliseconds, in addition to the backoff. */
  #waitMs({ code }: ConnectionEnd, error: ErrorMessage | undefined): number {
    // The holder of the id may have died: its lease has to end first.
    if (code === CLOSE_TAKEN && error?.code === 'superseded') return this.#leaseMs;
    // Another coordinator may have other tokens: all are tried before the wait.
    const isLast = (this.#attempts + 1) % this.#urls.length === 0;
    return isLiftable(code, error) && isLast ? REFUSED_MS * (0.75 + this.#rng() / 2) : 0;
  }

  /** Tries the next coordinator after `waitMs` and the delay that `end` requires. */
  #tryLater(waitMs: number, end?: ConnectionEnd): void {
    this.#state = 'waiting';
    this.#urlIndex = (this.#urlIndex + 1) % this.#urls.length;
    this.#cancelWait = this.#timers.after(waitMs + this.#delayMs(end), () => this.#connect());
  }

  /** Delay before the next attempt, in milliseconds. It grows after all coordinators were tried. */
  #delayMs(end: ConnectionEnd | undefined): number {
    const round = Math.floor(this.#attempts / this.#urls.length);
    this.#attempts += 1;
    if (end?.code === CLOSE_AWAY && this.#urls.length === 1) return this.#rng() * AWAY_JITTER_MS;
    return Math.max(end?.retryAfterMs ?? 0, 0) * (0.5 + this.#rng() / 2) + backoffMs(round, this.#rng);
  }

  #sayUnreachable(url: string, fault: AddressFault): void {
    const notice = this.#unreachable.failed(url, [...this.#faults, fault], this.#urls);
    if (notice !== undefined) this.#listeners.emit('warning', notice);
  }

  #finish(): void {
    this.#state = 'ended';
    this.#heartbeats.stop();
    this.#cancelWait();
    this.#connection = undefined;
    this.#requestedStatus.done('unregistered');
  }
}

/**
 * Whether a close ends the agent. See the table of close codes in PROTOCOL.md section 9.
 *
 * Earlier coordinators do not send `holderConnected`. They end a registered connection only after accepting another process.
 */
function isFinal(closeCode: number, error: ErrorMessage | undefined, wasRegistered: boolean): boolean {
  if (closeCode === 4426) return true;
  if (closeCode === CLOSE_FORBIDDEN) return !isLiftable(closeCode, error);
  if (closeCode !== CLOSE_TAKEN || error?.code !== 'superseded') return false;
  return error.holderConnected ?? wasRegistered;
}

function isLiftable(closeCode: number, error: ErrorMessage | undefined): boolean {
  return closeCode === CLOSE_FORBIDDEN && error !== undefined && LIFTABLE.has(error.code);
}

function keyOf({ code, message }: Notice): string {
  return `${code} ${message}`;
}

/** The fault of a connection that was not registered; with `code` if a coordinator has refused it. */
function faultOf(end: ConnectionEnd): Omit<AddressFault, 'address'> {
  if (end.wasOpen) {
    const detail = end.detail === '' ? '' : `: ${printable(end.detail, MAX_DETAIL)}`;
    return { cause: `the connection was closed before the registration (close code ${end.code}${detail})` };
  }
  const code = end.httpStatus === undefined ? undefined : REFUSAL_CODES[end.httpStatus];
  return { cause: end.detail || 'connection lost', ...(code === undefined ? {} : { code }) };
}

/** The name to look up; `undefined` for a literal address and for a UNIX socket. */
function nameOf(url: string): string | undefined {
  const { hostname } = new URL(url);
  return hostname === '' || hostname.startsWith('[') || isIP(hostname) !== 0 ? undefined : hostname;
}
