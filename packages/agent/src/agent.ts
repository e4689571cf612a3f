/**
 * One node's place in the cluster: finds a coordinator, registers, sends heartbeats, drains and leaves.
 *
 * ```
 *          start            upgraded            registered
 *   idle ────────▶ connecting ──────▶ registering ────────▶ registered
 *                   ▲      │               │                    │
 *            backoff│      └──────lost─────┴────────lost────────┘
 *                   └─── waiting ◀─────────┘
 *   any ──leave, or told to stop (superseded by a connected process, removed, no version in common)──▶ ended
 * ```
 *
 * It embeds in somebody else's program: it never throws, never blocks, and keeps no process alive but during a drain
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
import { type DrainOptions, type DrainOutcome, NodeWish } from './node-wish.ts';
import type { RequestCounts } from './quiet.ts';
import { systemTimers, type Timers } from './timers.ts';
import { type AddressFault, Unreachable } from './unreachable.ts';

/** A sentence for the node's log. `code` is one of the protocol's or of `AGENT_CODES`. */
export interface Notice {
  readonly code: string;
  readonly message: string;
}

/** Codes of notices that have their origin in the agent itself. */
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
  /** Accepted, for the first time or again. */
  readonly registered: RegisteredMessage;
  /** The operator wants something else of the node; already in force, for the node to show. */
  readonly status: OperatorStatusMessage;
  /** The wrapper of the node shall keep another number of copies. */
  readonly scale: ScaleMessage;
  /** The last own status of draining or stopped is complete. */
  readonly drained: { readonly status: Status };
  /** The connection is lost; the agent comes back by itself. A registration that was taken back is a `warning` instead. */
  readonly disconnected: Notice;
  /** Something to read. The same sentence comes once until a registered connection is lost; why there is no connection, at each change. */
  readonly warning: Notice;
  /** The agent has stopped for good: somebody newer has the id, an operator has removed it, or no version is in common. */
  readonly error: Notice;
}

export interface AgentOptions {
  /** Addresses of `agentUrl` to go round, in order. */
  readonly coordinators: readonly string[];
  /** Asked for each connection. */
  readonly token: () => JoinToken;
  /** TLS of `wss` connections, asked for each of them. Default: what Node.js trusts, and no client certificate. */
  readonly tls?: (url: string) => ClientTls;
  /**
   * What to register, asked for each connection; the addresses are our end of it and the coordinator's, empty when
   * unknown. The instance must stay the same for the life of this agent. A fault is warned of, and asked for again after
   * a while.
   */
  readonly registration: (localAddress: string, remoteAddress: string) => NodeRegistration | Fault;
  readonly report: ReportSource;
  /**
   * Whether the program answers, asked before each connection; a rejection counts as no. Without it a program that is
   * frozen, and gone for it, would register again and be up until its silence is noticed once more. Default: it does.
   */
  readonly isAnswering?: () => Promise<boolean>;
  /**
   * Requests that have arrived so far, and whether any is being served: what a node that stops without a coordinator goes
   * by. Default: unknown, as if there were none.
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
/** After 1012 a whole cluster comes back: spread over this time, in milliseconds. */
const AWAY_JITTER_MS = 1_000;
/** Close code of a coordinator that ends. */
const CLOSE_AWAY = 1012;
/** Close code of a registration whose id, route, address or context is held by another node. */
const CLOSE_TAKEN = 4409;
/** Codes of refused upgrades that another address of the same coordinator would refuse too. */
const REFUSAL_CODES: Readonly<Record<number, string>> = {
  401: 'unauthenticated',
  403: 'forbidden',
  426: 'unsupported-version',
};
/** A program that does not answer is asked again after this time, in milliseconds. */
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
  /** Addresses of the coordinator's name that are still to be tried; none for a literal address. */
  #untried: string[] = [];
  /** What the addresses did that were tried. */
  #faults: AddressFault[] = [];
  #connection: AgentConnection | undefined;
  #ends: readonly [local: string, remote: string] = ['', ''];
  #lastError: ErrorMessage | undefined;
  #cancelWait: () => void = () => {};
  #wasRegistered = false;
  #leaseMs = DEFAULT_LEASE_MS;
  #operatorStatus: Status = 'enabled';
  readonly #wish: NodeWish;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers();
    this.#rng = options.rng ?? Math.random;
    this.#urls = options.coordinators;
    this.#addresses = new Addresses(this.#timers, options.lookUp ?? systemLookUp);
    this.#unreachable = new Unreachable(this.#timers);
    this.#wish = new NodeWish({
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

  /** Left, or told to stop: nothing more comes of it. */
  get isEnded(): boolean {
    return this.#state === 'ended';
  }

  /** When the requests of a node that stops have to be over, on the clock of its timers; `undefined` while it does not stop. */
  get stopsByMs(): number | undefined {
    return this.#wish.stopsByMs;
  }

  /** The most the agent knows of its status: its own wish while it has one, else the operator's. */
  get status(): Status {
    const order = { enabled: 0, draining: 1, stopped: 2 } as const;
    const own = this.#wish.status ?? 'enabled';
    return order[own] > order[this.#operatorStatus] ? own : this.#operatorStatus;
  }

  on<Name extends keyof AgentEvents>(name: Name, listener: (value: AgentEvents[Name]) => void): void {
    this.#listeners.on(name, listener);
  }

  off<Name extends keyof AgentEvents>(name: Name, listener: (value: AgentEvents[Name]) => void): void {
    this.#listeners.off(name, listener);
  }

  /** Begins to look for a coordinator and keeps at it. A repeat changes nothing. */
  start(): void {
    if (this.#state === 'idle' && this.#urls.length > 0) this.#connect();
  }

  /** The load has changed: sends a heartbeat before its time, at most four a second. */
  reportSoon(): boolean {
    return this.#heartbeats.soon();
  }

  /** The node has become ready or not ready: sends a heartbeat at once, or 250 ms after the last one. */
  reportNow(): void {
    this.#heartbeats.now();
  }

  /**
   * Asks the cluster to send nothing more, and waits until that is so. The node has to serve until then.
   *
   * Keeps the process alive for at most `sessionsMs + deadlineMs`. A connection that is lost on the way is
   * re-established and told again. While there is none, sessions are waited for 8 s at most, and then requests until none
   * came for 1 s. A repeat waits for the first; the times of the one that ends earlier count.
   */
  drain(options: DrainOptions = {}): Promise<DrainOutcome> {
    // Proxy workers may send to a node that is not registered: to its address, as they know it from before its restart.
    const mayBeKnown = this.#wasRegistered || this.#traffic().arrived > 0;
    if (!mayBeKnown || this.#state === 'ended') return Promise.resolve('unregistered');
    return this.#wish.drain(this.#wasRegistered ? options : { ...options, sessionsMs: 0 });
  }

  /** Ends a drain with `withdrawn`: the node takes everything again. Without a drain nothing happens. */
  withdrawDrain(): void {
    if (this.#state !== 'ended') this.#wish.withdraw();
  }

  /**
   * Sends the wish of the node to the cluster, and again after each registration. `drained` follows when it is complete.
   * For agents that represent other processes; a node of its own uses `drain`.
   */
  wish(status: Status, reason: string, deadlineMs: number): void {
    this.#wish.set(status, reason, deadlineMs);
  }

  /** Leaves the cluster at once and closes the connection, within a second. Ends a drain. A repeat does nothing. */
  async leave(): Promise<void> {
    if (this.#state === 'ended') return;
    const connection = this.#connection;
    const hasRegistered = this.#state === 'registered' || this.#state === 'registering';
    this.#finish();
    if (connection === undefined) return;
    if (hasRegistered) connection.send({ type: 'leave' });
    await connection.close();
  }

  /** The description of the node has changed: registers again on the present connection, if it is registered. */
  renew(): void {
    if (this.#state === 'registered') this.#register(this.#connection!, ...this.#ends);
  }

  /** Ends without `leave`: the node continues, and another process is about to register it. A repeat does nothing. */
  async disconnect(): Promise<void> {
    const connection = this.#connection;
    this.#finish();
    await connection?.close();
  }

  /** Reports something to the application once. The same sentence is repeated only after a registered connection was lost. */
  warn(notice: Notice): void {
    const key = `${notice.code} ${notice.message}`;
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
    // Only the newest connection speaks: what an older one still says is ignored.
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
        if (this.#wish.status === undefined) return;
        this.#listeners.emit('drained', { status: this.#wish.status });
        this.#wish.done('drained');
        return;
      case 'disconnected':
        this.#disconnected(message.message);
        return;
      case 'error':
        this.#lastError = message;
        this.warn({ code: message.code, message: message.message });
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
    this.#wish.tell();
    this.#heartbeats.start(message.heartbeatMs);
  }

  /** The process that connects for this node has lost all coordinators. It sends `registered` when one is back. */
  #disconnected(message: string): void {
    if (this.#state !== 'registered') return;
    this.#state = 'registering';
    this.#listeners.emit('disconnected', { code: 'connection-lost' satisfies AgentCode, message });
  }

  #garbage(fault: Fault): void {
    // A message of a later version is nothing to complain about.
    if (fault.code === 'unknown-message') return;
    this.warn({
      code: 'coordinator-garbage' satisfies AgentCode,
      message: `the coordinator said something that is not the agent protocol (${fault.code}); it was ignored`,
    });
  }

  #lost(end: ConnectionEnd, connection: AgentConnection, address: string | undefined): void {
    const { url } = connection;
    const wasRegistered = this.#state === 'registered';
    const lastError = this.#lastError;
    this.#heartbeats.stop();
    this.#connection = undefined;
    // A registration that was taken back is a failed attempt: the next one may have the same end, and the same message.
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
    // The holder of the id may have died: its lease has to end first.
    this.#tryLater(end.code === CLOSE_TAKEN && lastError?.code === 'superseded' ? this.#leaseMs : 0, end);
  }

  /** Tries the next coordinator after `leaseMs` and the wait that `end` asks for. */
  #tryLater(leaseMs: number, end?: ConnectionEnd): void {
    this.#state = 'waiting';
    this.#urlIndex = (this.#urlIndex + 1) % this.#urls.length;
    this.#cancelWait = this.#timers.after(leaseMs + this.#delayMs(end), () => this.#connect());
  }

  /** All addresses are tried before the wait grows. */
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
    this.#wish.done('unregistered');
  }
}

/**
 * Whether a close means: do not come back. See the table of close codes in PROTOCOL.md section 9.
 *
 * Earlier coordinators do not send `holderConnected`. They end a registered connection only when they have just accepted another process.
 */
function isFinal(closeCode: number, error: ErrorMessage | undefined, wasRegistered: boolean): boolean {
  if (closeCode === 4403 || closeCode === 4426) return true;
  if (closeCode !== CLOSE_TAKEN || error?.code !== 'superseded') return false;
  return error.holderConnected ?? wasRegistered;
}

/** What a connection that was not registered did; `code` when a coordinator has refused it. */
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
