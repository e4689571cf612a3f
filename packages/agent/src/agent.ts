/**
 * One node's place in the cluster: finds a coordinator, registers, sends heartbeats, drains and leaves.
 *
 * ```
 *          start            upgraded            registered
 *   idle ────────▶ connecting ──────▶ registering ────────▶ registered
 *                   ▲      │               │                    │
 *            backoff│      └──────lost─────┴────────lost────────┘
 *                   └─── waiting ◀─────────┘
 *   any ──leave, or told to stop (superseded, removed, no version in common)──▶ ended
 * ```
 *
 * It embeds in somebody else's program: it never throws, never blocks, and keeps no process alive but during a drain
 * and an orderly close.
 */
import type {
  CoordinatorMessage,
  Fault,
  NodeRegistration,
  OperatorStatusMessage,
  RegisteredMessage,
  ScaleMessage,
  Status,
} from '@rollcall/protocol';
import { AgentConnection, type ConnectionEnd } from './agent-connection.ts';
import { backoffMs, type Rng } from './backoff.ts';
import { acceptedCoordinators } from './coordinator-url.ts';
import { Heartbeats, type ReportSource } from './heartbeats.ts';
import type { JoinToken } from './join-token.ts';
import { Listeners } from './listeners.ts';
import { systemTimers, type Timers } from './timers.ts';

/** How long a node that stops waits for `drained`, in milliseconds. */
export const STOP_DEADLINE_MS = 8_000;

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
  /** The connection is lost; the agent comes back by itself. */
  readonly disconnected: Notice;
  /** Something to read. The same sentence comes once until the next `registered`. */
  readonly warning: Notice;
  /** The agent has stopped for good: somebody newer has the id, an operator has removed it, or no version is in common. */
  readonly error: Notice;
}

export interface AgentOptions {
  /** Addresses to go round, in order. */
  readonly coordinators: readonly string[];
  /** Asked for each connection. */
  readonly token: () => JoinToken;
  /**
   * What to register, asked for each connection; `localAddress` is our end of it. The instance must stay the same for
   * the life of this agent. A fault is warned of, and asked for again after a while.
   */
  readonly registration: (localAddress: string) => NodeRegistration | Fault;
  readonly report: ReportSource;
  /**
   * Whether the program answers, asked before each connection; a rejection counts as no. Without it a program that is
   * frozen, and gone for it, would register again and be up until its silence is noticed once more. Default: it does.
   */
  readonly isAnswering?: () => Promise<boolean>;
  readonly rng?: Rng;
  readonly timers?: Timers;
}

export interface DrainOptions {
  /** For people, at most 256 characters. */
  readonly reason?: string;
  /** How long sessions may end before requests are stopped, in milliseconds; 0, the default, does not wait for them. */
  readonly sessionsMs?: number;
  /** How long to wait for the proxies to finish what is in flight, in milliseconds, default 8,000. */
  readonly deadlineMs?: number;
}

/**
 * How a drain ended: complete; its deadline came first; or no coordinator knows of the node, so that there is nobody
 * to wait for.
 */
export type DrainOutcome = 'drained' | 'deadline' | 'unregistered';

type State = 'idle' | 'waiting' | 'connecting' | 'registering' | 'registered' | 'ended';

const MAX_NOTICES = 64;
const MAX_REASON = 256;
/** After 1012 a whole cluster comes back: spread over this time, in milliseconds. */
const AWAY_JITTER_MS = 1_000;
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
  #connection: AgentConnection | undefined;
  #lastError: Notice | undefined;
  #cancelWait: () => void = () => {};
  #wasRegistered = false;
  #operatorStatus: Status = 'enabled';
  #wish: { readonly status: Status; readonly reason: string; readonly deadlineAtMs: number } | undefined;
  #drain: Promise<DrainOutcome> | undefined;
  #onWishDone: ((outcome: DrainOutcome) => void) | undefined;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers();
    this.#rng = options.rng ?? Math.random;
    this.#urls = options.coordinators;
    this.#heartbeats = new Heartbeats(this.#timers, options.report, (message) => this.#connection?.send(message));
  }

  get isRegistered(): boolean {
    return this.#state === 'registered';
  }

  /** Left, or told to stop: nothing more comes of it. */
  get isEnded(): boolean {
    return this.#state === 'ended';
  }

  /** The most the agent knows of its status: its own wish while it has one, else the operator's. */
  get status(): Status {
    const order = { enabled: 0, draining: 1, stopped: 2 } as const;
    const own = this.#wish?.status ?? 'enabled';
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

  /**
   * Asks the cluster to send nothing more, and waits until that is so. The node has to serve until then.
   *
   * Keeps the process alive for at most `sessionsMs + deadlineMs`. A connection that is lost on the way is
   * re-established and told again. A repeat waits for the first.
   */
  drain(options: DrainOptions = {}): Promise<DrainOutcome> {
    this.#drain ??= this.#drainOnce(options);
    return this.#drain;
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

  /** Tells the application something once: the same sentence is repeated only after the next registration. */
  warn(notice: Notice): void {
    const key = `${notice.code} ${notice.message}`;
    if (this.#said.has(key) || this.#said.size >= MAX_NOTICES) return;
    this.#said.add(key);
    this.#listeners.emit('warning', notice);
  }

  async #drainOnce(options: DrainOptions): Promise<DrainOutcome> {
    if (!this.#wasRegistered || this.#state === 'ended') return 'unregistered';
    const reason = (options.reason ?? '').slice(0, MAX_REASON);
    const sessionsMs = options.sessionsMs ?? 0;
    if (sessionsMs > 0) {
      const outcome = await this.#want('draining', reason, sessionsMs);
      if (outcome === 'unregistered') return outcome;
    }
    return this.#want('stopped', reason, options.deadlineMs ?? STOP_DEADLINE_MS);
  }

  #want(status: Status, reason: string, deadlineMs: number): Promise<DrainOutcome> {
    return new Promise((resolve) => {
      const cancel = this.#timers.after(deadlineMs, () => this.#onWishDone?.('deadline'), { keepsProcess: true });
      this.#onWishDone = (outcome) => {
        cancel();
        this.#onWishDone = undefined;
        resolve(outcome);
      };
      this.#wish = { status, reason, deadlineAtMs: this.#timers.nowMs() + deadlineMs };
      this.#sendWish();
    });
  }

  #sendWish(): void {
    if (this.#wish === undefined || this.#state !== 'registered') return;
    const { status, reason, deadlineAtMs } = this.#wish;
    const deadlineMs = Math.max(0, Math.round(deadlineAtMs - this.#timers.nowMs()));
    this.#connection?.send({ type: 'status', status, deadlineMs, ...(reason === '' ? {} : { reason }) });
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
    this.#lastError = undefined;
    const { token, problem } = this.#options.token();
    if (problem !== undefined) this.warn({ code: 'bad-token-file' satisfies AgentCode, message: problem });
    // Only the newest connection speaks: what an older one still says is ignored.
    const connection: AgentConnection = new AgentConnection(this.#urls[this.#urlIndex]!, token, this.#timers, {
      onOpen: (localAddress) => connection === this.#connection && this.#register(connection, localAddress),
      onMessage: (message) => connection === this.#connection && this.#take(message, connection),
      onMalformed: (fault) => connection === this.#connection && this.#garbage(fault),
      onEnd: (end) => connection === this.#connection && this.#lost(end, connection),
    });
    this.#connection = connection;
  }

  #register(connection: AgentConnection, localAddress: string): void {
    const node = this.#options.registration(localAddress);
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
        if (this.#wish === undefined) return;
        this.#listeners.emit('drained', { status: this.#wish.status });
        this.#onWishDone?.('drained');
        return;
      case 'error':
        this.#lastError = { code: message.code, message: message.message };
        this.warn(this.#lastError);
        return;
      default:
        message satisfies never;
    }
  }

  #registered(message: RegisteredMessage, connection: AgentConnection): void {
    this.#state = 'registered';
    this.#attempts = 0;
    this.#wasRegistered = true;
    this.#operatorStatus = 'enabled';
    this.#said.clear();
    this.#urls = acceptedCoordinators(this.#options.coordinators, message.coordinators);
    this.#urlIndex = Math.max(0, this.#urls.indexOf(connection.url));
    connection.watchSilence(message.leaseMs);
    this.#listeners.emit('registered', message);
    for (const warning of message.warnings) this.warn(warning);
    this.#sendWish();
    this.#heartbeats.start(message.heartbeatMs);
  }

  #garbage(fault: Fault): void {
    // A message of a later version is nothing to complain about.
    if (fault.code === 'unknown-message') return;
    this.warn({
      code: 'coordinator-garbage' satisfies AgentCode,
      message: `the coordinator said something that is not the agent protocol (${fault.code}); it was ignored`,
    });
  }

  #lost(end: ConnectionEnd, connection: AgentConnection): void {
    const wasRegistered = this.#state === 'registered';
    const lastError = this.#lastError;
    this.#heartbeats.stop();
    this.#connection = undefined;
    if (isFinal(end.code, lastError?.code, wasRegistered)) {
      this.#finish();
      const message = lastError?.message || end.detail || `closed with ${end.code}`;
      this.#listeners.emit('error', { code: lastError?.code ?? String(end.code), message });
      return;
    }
    if (wasRegistered) {
      const message = `lost the coordinator at ${origin(connection.url)} (${end.detail || end.code}); coming back`;
      this.#listeners.emit('disconnected', { code: 'connection-lost' satisfies AgentCode, message });
    } else if (!end.wasOpen) {
      this.#sayUnreachable(end, connection.url);
    }
    this.#state = 'waiting';
    this.#urlIndex = (this.#urlIndex + 1) % this.#urls.length;
    this.#cancelWait = this.#timers.after(this.#delayMs(end), () => this.#connect());
  }

  /** All addresses are tried before the wait grows. */
  #delayMs(end: ConnectionEnd): number {
    const round = Math.floor(this.#attempts / this.#urls.length);
    this.#attempts += 1;
    if (end.code === 1012 && this.#urls.length === 1) return this.#rng() * AWAY_JITTER_MS;
    return Math.max(end.retryAfterMs ?? 0, 0) * (0.5 + this.#rng() / 2) + backoffMs(round, this.#rng);
  }

  #sayUnreachable(end: ConnectionEnd, url: string): void {
    if (end.httpStatus === 401 || end.httpStatus === 403) {
      this.warn({
        code: end.httpStatus === 401 ? 'unauthenticated' : 'forbidden',
        message: `the coordinator at ${origin(url)} refuses the join token (HTTP ${end.httpStatus}); set ROLLCALL_JOIN_TOKEN`,
      });
      return;
    }
    if (end.httpStatus === 426) {
      this.warn({ code: 'unsupported-version', message: `${origin(url)} speaks no version of ours (HTTP 426)` });
      return;
    }
    // One sentence for the whole list, whatever each address answers, so that it is said once.
    this.warn({
      code: 'no-coordinator' satisfies AgentCode,
      message: `no coordinator at ${this.#urls.map(origin).join(' or ')} yet; trying on`,
    });
  }

  #finish(): void {
    this.#state = 'ended';
    this.#heartbeats.stop();
    this.#cancelWait();
    this.#connection = undefined;
    this.#onWishDone?.('unregistered');
  }
}

/** Whether a close means: do not come back. See the table of close codes in PROTOCOL.md section 8. */
function isFinal(closeCode: number, errorCode: string | undefined, wasRegistered: boolean): boolean {
  if (closeCode === 4403 || closeCode === 4426) return true;
  if (closeCode !== 4409) return false;
  return errorCode === 'superseded' || (errorCode === undefined && wasRegistered);
}

function origin(url: string): string {
  return new URL(url).origin;
}
