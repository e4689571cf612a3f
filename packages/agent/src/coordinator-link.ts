/**
 * The link of one node to one coordinator: connects, registers, sends heartbeats, and reconnects with backoff.
 *
 * ```
 *          start            upgraded            registered
 *   idle ────────▶ connecting ──────▶ registering ────────▶ registered
 *                   ▲      │               │                    │
 *            backoff│      └──────lost─────┴────────lost────────┘
 *                   └─── waiting ◀─────────┘
 *   any ──end, or a final refusal (superseded by a connected process, removed, no version in common)──▶ ended
 * ```
 *
 * Some refusals can be lifted by an operator: a binding of the token, the owner of the id, a quota. They do not end the
 * link. It retries about every 60 s.
 */
import type {
  BudgetMessage,
  CoordinatorMessage,
  ErrorMessage,
  Fault,
  NodeRegistration,
  NodeStatusMessage,
  OperatorStatusMessage,
  RegisteredMessage,
  ScaleMessage,
} from '@rollcall/protocol';
import { agentUrl, DEFAULT_LEASE_MS, printable } from '@rollcall/protocol';
import type { Addresses } from './addresses.ts';
import type { AgentCode, Notice } from './agent-codes.ts';
import { AgentConnection, type ConnectionEnd } from './agent-connection.ts';
import { backoffMs, type Rng } from './backoff.ts';
import type { ClientTls } from './client-tls.ts';
import { connectCause } from './connect-cause.ts';
import { nameOf } from './coordinator-url.ts';
import { Heartbeats } from './heartbeats.ts';
import type { JoinToken } from './join-token.ts';
import type { LinkTarget } from './link-targets.ts';
import { OPERATOR_ENABLED } from './operator-status.ts';
import type { ReportReceiver } from './shared-reports.ts';
import type { Timers } from './timers.ts';
import type { AddressFault } from './unreachable.ts';

export interface CoordinatorLinkOptions {
  readonly token: () => JoinToken;
  readonly tls?: (url: string) => ClientTls;
  readonly registration: (localAddress: string, remoteAddress: string) => NodeRegistration | Fault;
  readonly isAnswering?: () => Promise<boolean>;
  readonly receiver: ReportReceiver;
  readonly addresses: Addresses;
  readonly rng: Rng;
  readonly timers: Timers;
}

/** Events and questions of a link. */
export interface CoordinatorLinkListener {
  /** Whether another link is connected to the coordinator with this id. Then this link closes its connection. */
  isHeld(link: CoordinatorLink, coordinatorId: string): boolean;
  /** Whether another link of this agent has registered later at what may be the same coordinator. */
  isReplaced(link: CoordinatorLink): boolean;
  /** The local address to register with, for a connection with this local address. Never rejects. */
  localAddress(link: CoordinatorLink, local: string): string | Promise<string>;
  /** Those of `addresses`, of the name in `url`, that no other link connects to. */
  freeAddresses(link: CoordinatorLink, url: string, addresses: readonly string[]): readonly string[];
  /** The coordinator has accepted the node. `isRenewal`: on the connection on which it was accepted before. */
  onRegistered(link: CoordinatorLink, message: RegisteredMessage, isRenewal: boolean): void;
  onOperatorStatus(link: CoordinatorLink): void;
  onScale(link: CoordinatorLink, message: ScaleMessage): void;
  /** The coordinator announces other coordinators than before. */
  onCoordinators(link: CoordinatorLink, urls: readonly string[]): void;
  onDrained(link: CoordinatorLink): void;
  /** The coordinator holds the requested status, or no longer. */
  onBudget(link: CoordinatorLink, message: BudgetMessage): void;
  /** The process that connects for this node has lost all coordinators. */
  onLocalLoss(link: CoordinatorLink, message: string): void;
  /** A refusal that an operator can lift. `hadNode`: the coordinator had accepted the node before. */
  onRefused(link: CoordinatorLink, notice: Notice, hadNode: boolean): void;
  /** A connection has ended. `lost`: why, if the node was registered and its registration was not revoked. */
  onDown(link: CoordinatorLink, lost: string | undefined, url: string): void;
  onUnreachable(link: CoordinatorLink, url: string, faults: readonly AddressFault[]): void;
  onWarning(notice: Notice): void;
  /** A refusal that ends the agent. */
  onFinal(link: CoordinatorLink, notice: Notice): void;
}

type State = 'idle' | 'waiting' | 'connecting' | 'registering' | 'registered' | 'ended';

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
/** An address of a coordinator that another link is connected to is tried again after this time, in milliseconds. */
export const SAME_COORDINATOR_MS = 30_000;
/** With several coordinators, a silent connection is aborted after this time, in milliseconds. */
export const SILENT_MS = 6_000;
/** Interval of the pings with several coordinators, in milliseconds. */
const PING_MS = 1_000;

export class CoordinatorLink {
  readonly target: LinkTarget;
  readonly #options: CoordinatorLinkOptions;
  readonly #listener: CoordinatorLinkListener;
  readonly #timers: Timers;
  readonly #heartbeats: Heartbeats;
  #state: State = 'idle';
  #urls: readonly string[];
  #urlIndex = 0;
  #attempts = 0;
  #hasFailed = false;
  /** Addresses of the coordinator's name that were not tried yet; empty for a literal address. */
  #untried: string[] = [];
  /** Faults of the addresses that were tried. */
  #faults: AddressFault[] = [];
  #connection: AgentConnection | undefined;
  #coordinatorId: string | undefined;
  #ends: readonly [local: string, remote: string] = ['', ''];
  #lastError: ErrorMessage | undefined;
  #cancelWait: () => void = () => {};
  #isRenewing = false;
  #isOneOfSeveral = false;
  #leaseMs = DEFAULT_LEASE_MS;
  #sameAs: string | undefined;
  #reached: { readonly url: string; readonly address: string } | undefined;
  /** The node was registered, and not refused since. */
  wasRegistered = false;
  /** When the coordinator accepted the node last, on the clock of its timers. */
  registeredAtMs: number = Number.NEGATIVE_INFINITY;
  /** Coordinators that this coordinator has announced, and that may be connected. */
  announced: readonly string[] = [];
  /** Coordinators that this coordinator has announced, and that are not used. */
  ignored: readonly string[] = [];
  /** The address that the coordinator announces for itself, as `agentUrl` returns it. */
  ownUrl: string | undefined;
  operatorStatus: OperatorStatusMessage = OPERATOR_ENABLED;

  constructor(target: LinkTarget, options: CoordinatorLinkOptions, listener: CoordinatorLinkListener) {
    this.target = target;
    this.#options = options;
    this.#listener = listener;
    this.#timers = options.timers;
    this.#urls = target.urls;
    this.#heartbeats = new Heartbeats(options.timers, options.receiver.report, (message) => this.#send(message));
  }

  /** The addresses that the link tries in order; normally one. */
  /** The address of the last attempt. */
  get url(): string {
    return this.#urls[this.#urlIndex]!;
  }

  get urls(): readonly string[] {
    return this.#urls;
  }

  get isRegistered(): boolean {
    return this.#state === 'registered';
  }

  /** The coordinator has accepted the node on the present connection. */
  get isAccepted(): boolean {
    return this.#state === 'registered' || (this.#state === 'registering' && this.#isRenewing);
  }

  /** A registration was sent on the present connection. */
  get hasRegistered(): boolean {
    return this.#state === 'registered' || this.#state === 'registering';
  }

  /** The first attempt to connect has succeeded or failed. */
  get isTried(): boolean {
    return this.#hasFailed || this.isAccepted || this.#sameAs !== undefined;
  }

  /** Id of the coordinator at the other end of the present connection. */
  get coordinatorId(): string | undefined {
    return this.#coordinatorId;
  }

  /** Id of the coordinator that another link is connected to; the link waits until it tries its address again. */
  get sameAs(): string | undefined {
    return this.#sameAs;
  }

  /** The URL with a name, and its IP address, at which a coordinator has announced its id last. */
  get reached(): { readonly url: string; readonly address: string } | undefined {
    return this.#reached;
  }

  /** Starts to connect, and retries until the coordinator accepts the node. A repeated call changes nothing. */
  start(): void {
    if (this.#state === 'idle') this.#connect();
  }

  reportSoon(): boolean {
    return this.#heartbeats.soon();
  }

  reportNow(): void {
    this.#heartbeats.now();
  }

  send(message: NodeStatusMessage): void {
    this.#send(message);
  }

  /** Registers a changed description again on the present connection, if the node is registered. */
  renew(): void {
    if (this.#state !== 'registered') return;
    this.#isRenewing = true;
    this.#register(this.#connection!, ...this.#ends);
  }

  /** Further addresses for the next attempts, of a coordinator that has announced no id. */
  useAlternatives(urls: readonly string[]): void {
    this.#urls = urls;
    this.#urlIndex = Math.max(0, urls.indexOf(this.#connection?.url ?? ''));
  }

  /** With several coordinators, a silent connection is detected earlier. */
  watchSilence(isOneOfSeveral: boolean): void {
    if (this.#isOneOfSeveral === isOneOfSeveral) return;
    this.#isOneOfSeveral = isOneOfSeveral;
    if (this.isAccepted) this.#watchSilence();
  }

  /** Closes the connection in order and without `leave`: another link is connected to the same coordinator. */
  standBy(coordinatorId: string): void {
    const connection = this.#connection;
    this.#down();
    this.#state = 'waiting';
    this.#sameAs = coordinatorId;
    this.#cancelWait = this.#timers.after(SAME_COORDINATOR_MS, () => this.#connect());
    void connection?.close();
  }

  /** Connects at once if the link waits because another link was connected to this coordinator. */
  retry(coordinatorId: string): void {
    if (this.#sameAs === coordinatorId && this.#state === 'waiting') this.#connect();
  }

  /** Ends the link, with `leave` if the node leaves, and closes its connection within 1 s. */
  async end({ isLeaving }: { readonly isLeaving: boolean }): Promise<void> {
    const connection = this.#connection;
    const isKnown = this.hasRegistered;
    this.#down();
    this.#state = 'ended';
    if (connection === undefined) return;
    if (isLeaving && isKnown) connection.send({ type: 'leave' });
    await connection.close();
  }

  #send(message: Parameters<AgentConnection['send']>[0]): void {
    this.#connection?.send(message);
  }

  /** Stops everything of the present connection; its later events are ignored. */
  #down(): void {
    this.#heartbeats.stop();
    this.#cancelWait();
    this.#connection = undefined;
    this.#coordinatorId = undefined;
    this.#isRenewing = false;
  }

  #connect(): void {
    this.#cancelWait();
    this.#sameAs = undefined;
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
    const { url } = this;
    const name = nameOf(url);
    this.#faults = [];
    this.#untried = [];
    if (name === undefined || this.target.address !== undefined) {
      this.#tryAddress(url, this.target.address);
      return;
    }
    void this.#options.addresses.of(name).then((found) => {
      if (this.#state !== 'connecting') return;
      if ('error' in found) {
        this.#unreachable(url, { cause: connectCause(found.error, url) });
        this.#tryLater(0);
        return;
      }
      this.#untried = [...this.#listener.freeAddresses(this, url, found.addresses)];
      const first = this.#untried.shift();
      if (first !== undefined) this.#tryAddress(url, first);
      else this.#tryLater(0);
    });
  }

  #tryAddress(url: string, address: string | undefined): void {
    this.#lastError = undefined;
    const { token, problem } = this.#options.token();
    if (problem !== undefined)
      this.#listener.onWarning({ code: 'bad-token-file' satisfies AgentCode, message: problem });
    const tls = url.startsWith('wss:') ? this.#options.tls?.(url) : undefined;
    if (tls?.problem !== undefined) {
      this.#unreachable(url, { cause: tls.problem });
      this.#tryLater(0);
      return;
    }
    // Events of older connections are ignored.
    const listener = {
      onOpen: (local: string, remote: string, coordinatorId: string | undefined) =>
        connection === this.#connection && this.#opened(connection, address, [local, remote], coordinatorId),
      onMessage: (message: CoordinatorMessage) => connection === this.#connection && this.#take(message, address),
      onMalformed: (fault: Fault) => connection === this.#connection && this.#garbage(fault),
      onEnd: (end: ConnectionEnd) => connection === this.#connection && this.#lost(end, connection, address),
    };
    const connection: AgentConnection = new AgentConnection(url, token, this.#timers, listener, address, tls);
    this.#connection = connection;
  }

  #opened(
    connection: AgentConnection,
    address: string | undefined,
    [local, remote]: readonly [local: string, remote: string],
    coordinatorId: string | undefined,
  ): void {
    if (address !== undefined && this.target.address === undefined)
      this.#options.addresses.worked(nameOf(connection.url) ?? '', address);
    this.#coordinatorId = coordinatorId;
    if (coordinatorId !== undefined && this.#listener.isHeld(this, coordinatorId)) {
      this.standBy(coordinatorId);
      return;
    }
    const announced = this.#listener.localAddress(this, local);
    if (typeof announced === 'string') {
      this.#register(connection, announced, remote);
      return;
    }
    void announced.then((found) => {
      if (connection === this.#connection) this.#register(connection, found, remote);
    });
  }

  #register(connection: AgentConnection, localAddress: string, remoteAddress: string): void {
    this.#ends = [localAddress, remoteAddress];
    const node = this.#options.registration(localAddress, remoteAddress);
    if ('code' in node) {
      this.#listener.onWarning(node);
      void connection.close();
      return;
    }
    this.#state = 'registering';
    connection.send({ type: 'register', node });
  }

  #take(message: CoordinatorMessage, address: string | undefined): void {
    switch (message.type) {
      case 'registered':
        this.#registered(message, address);
        return;
      case 'pace':
        this.#leaseMs = message.leaseMs;
        this.#watchSilence();
        this.#heartbeats.pace(message.heartbeatMs);
        return;
      case 'status':
        this.operatorStatus = message;
        this.#listener.onOperatorStatus(this);
        return;
      case 'scale':
        this.#listener.onScale(this, message);
        return;
      case 'coordinators':
        this.#listener.onCoordinators(this, message.coordinators);
        return;
      case 'budget':
        this.#listener.onBudget(this, message);
        return;
      case 'drained':
        this.#listener.onDrained(this);
        return;
      case 'disconnected':
        if (this.#state !== 'registered') return;
        this.#state = 'registering';
        this.#listener.onLocalLoss(this, message.message);
        return;
      case 'error':
        this.#refused(message);
        return;
      default:
        message satisfies never;
    }
  }

  #registered(message: RegisteredMessage, address: string | undefined): void {
    const isRenewal = this.isAccepted;
    const { url } = this.#connection!;
    this.#state = 'registered';
    this.#isRenewing = false;
    this.#coordinatorId = message.coordinatorId ?? this.#coordinatorId;
    this.wasRegistered = true;
    this.registeredAtMs = this.#timers.nowMs();
    this.operatorStatus = OPERATOR_ENABLED;
    this.#leaseMs = message.leaseMs;
    this.ownUrl = message.coordinatorUrl === undefined ? undefined : agentUrl(message.coordinatorUrl);
    this.#reached = address === undefined || this.#coordinatorId === undefined ? undefined : { url, address };
    this.#watchSilence();
    this.#options.receiver.renew();
    this.#listener.onRegistered(this, message, isRenewal);
    // A listener of the program may have ended the agent.
    if (this.isRegistered) this.#heartbeats.start(message.heartbeatMs);
  }

  #watchSilence(): void {
    if (this.#isOneOfSeveral) this.#connection?.watchSilence(SILENT_MS, SILENT_MS / PING_MS);
    else this.#connection?.watchSilence(this.#leaseMs);
  }

  #refused(message: ErrorMessage): void {
    this.#lastError = message;
    if (!LIFTABLE.has(message.code)) {
      const isOwn = message.code === 'superseded' && this.#listener.isReplaced(this);
      if (!isOwn) this.#listener.onWarning({ code: message.code, message: message.message });
      return;
    }
    // An operator can lift the refusal; the coordinator closes the connection.
    const notice = {
      code: message.code,
      message: `${message.message}; retrying about every ${REFUSED_MS / 1_000} s`,
    };
    const hadNode = this.wasRegistered;
    if (hadNode) {
      this.#state = 'registering';
      this.#isRenewing = false;
      this.wasRegistered = false;
      this.#attempts = 0;
      this.#heartbeats.stop();
    }
    this.#listener.onRefused(this, notice, hadNode);
  }

  #garbage(fault: Fault): void {
    // A message type of a later protocol version is not an error.
    if (fault.code === 'unknown-message') return;
    this.#listener.onWarning({
      code: 'coordinator-garbage' satisfies AgentCode,
      message: `invalid message from the coordinator (${fault.code}); ignored`,
    });
  }

  #lost(end: ConnectionEnd, connection: AgentConnection, address: string | undefined): void {
    const { url } = connection;
    const state = this.#state;
    const coordinatorId = this.#coordinatorId;
    const lastError = this.#lastError;
    const isReplaced = end.code === CLOSE_TAKEN && lastError?.code === 'superseded' && this.#listener.isReplaced(this);
    this.#down();
    if (isReplaced) {
      this.standBy(coordinatorId ?? '');
      this.#listener.onDown(this, undefined, url);
      return;
    }
    // A revoked registration is a failed attempt: the next one may end in the same way, with the same message.
    const wasLost = state === 'registered' && !(end.code === CLOSE_TAKEN && lastError !== undefined);
    if (wasLost) this.#attempts = 0;
    if (isFinal(end.code, lastError, state === 'registered')) {
      const message = lastError?.message || end.detail || `closed with ${end.code}`;
      this.#listener.onFinal(this, { code: lastError?.code ?? String(end.code), message });
      return;
    }
    const fault = { ...(address === undefined ? {} : { address }), ...faultOf(end) };
    const hasNext = !end.wasOpen && this.#untried.length > 0;
    if (!wasLost && hasNext && fault.code === undefined && end.refusalCode === undefined) {
      this.#faults.push(fault);
      this.#tryAddress(url, this.#untried.shift());
      return;
    }
    if (!wasLost && (!end.wasOpen || (state === 'registering' && lastError === undefined && end.code !== CLOSE_AWAY)))
      this.#unreachable(url, fault);
    if (address !== undefined) this.#options.addresses.failed(nameOf(url) ?? '');
    this.#tryLater(this.#waitMs(end, lastError), end);
    this.#listener.onDown(this, wasLost ? end.detail || String(end.code) : undefined, url);
  }

  /** Wait because of an error, in milliseconds, in addition to the backoff. */
  #waitMs({ code }: ConnectionEnd, error: ErrorMessage | undefined): number {
    // The holder of the id may have died: its lease has to end first.
    if (code === CLOSE_TAKEN && error?.code === 'superseded') return this.#leaseMs;
    // Another coordinator may have other tokens: all are tried before the wait.
    const isLast = (this.#attempts + 1) % this.#urls.length === 0;
    return isLiftable(code, error) && isLast ? REFUSED_MS * (0.75 + this.#options.rng() / 2) : 0;
  }

  /** Tries the next address after `waitMs` and the delay that `end` requires. */
  #tryLater(waitMs: number, end?: ConnectionEnd): void {
    this.#state = 'waiting';
    this.#hasFailed = true;
    this.#urlIndex = (this.#urlIndex + 1) % this.#urls.length;
    this.#cancelWait = this.#timers.after(waitMs + this.#delayMs(end), () => this.#connect());
  }

  /** Delay before the next attempt, in milliseconds. It grows after all alternatives were tried. */
  #delayMs(end: ConnectionEnd | undefined): number {
    const { rng } = this.#options;
    const round = Math.floor(this.#attempts / this.#urls.length);
    this.#attempts += 1;
    if (end?.code === CLOSE_AWAY && this.#urls.length === 1) return rng() * AWAY_JITTER_MS;
    return Math.max(end?.retryAfterMs ?? 0, 0) * (0.5 + rng() / 2) + backoffMs(round, rng);
  }

  #unreachable(url: string, fault: AddressFault): void {
    this.#hasFailed = true;
    this.#listener.onUnreachable(this, url, [...this.#faults, fault]);
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

/** The fault of a connection that was not registered; with `code` if a coordinator has refused it. */
function faultOf(end: ConnectionEnd): Omit<AddressFault, 'address'> {
  if (end.wasOpen) {
    const detail = end.detail === '' ? '' : `: ${printable(end.detail, MAX_DETAIL)}`;
    return { cause: `the connection was closed before the registration (close code ${end.code}${detail})` };
  }
  const code = end.httpStatus === undefined ? undefined : REFUSAL_CODES[end.httpStatus];
  return { cause: end.detail || 'connection lost', ...(code === undefined ? {} : { code }) };
}
