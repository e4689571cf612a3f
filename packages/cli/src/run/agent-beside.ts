/**
 * An agent for a program in another process. A heartbeat means that the program is alive. Therefore the program is checked before
 * each heartbeat (`program-watch.ts`), and a program that is not alive gets none.
 */
import {
  Agent,
  type ClientTls,
  type DrainOutcome,
  type HeartbeatReport,
  type JoinToken,
  LoadReports,
  type Notice,
  newInstance,
  relay,
  systemTimers,
  type Timers,
} from '@rollcall/agent';
import {
  type FailingCopy,
  type Fault,
  MAX_CAUSE_CHARACTERS,
  type NodeRegistration,
  READY_LATE_MS,
  unreadyText,
} from '@rollcall/protocol';
import { changesOf } from './look-text.ts';
import type { ProgramLoad } from './program-load.ts';
import { isStickyContested, type ProgramFacts, programRegistration } from './program-registration.ts';
import type { ProgramSdk } from './program-sdk.ts';
import { type Look, ProgramWatch } from './program-watch.ts';
import { ReadyPage } from './ready-page.ts';

export interface BesideOptions extends ProgramFacts {
  readonly id: string;
  readonly route: string;
  /** Possible addresses of the program on this machine, in order. */
  readonly addresses: readonly string[];
  /**
   * Path whose answers are below 500 while the program wants new work. Whether the program is alive is decided by what it does
   * with connections.
   */
  readonly readyPath?: string;
  /** An answer of the ready path after more than this counts as load 1, in milliseconds; default 2,000. */
  readonly readyLateMs?: number;
  /** Interval of requests for the ready path, in milliseconds; default 1,000, longer after late answers. */
  readonly readyIntervalMs?: number;
  readonly coordinators: readonly string[];
  /** See `AgentOptions`. */
  readonly areAlternatives?: boolean;
  readonly token: () => JoinToken;
  readonly tls?: (url: string) => ClientTls;
  /** Called with the number of copies that an operator requests. */
  readonly onScale?: (count: number) => void;
  /** Called after an operator has removed the node. Without it the program keeps running. */
  readonly onRemoved?: () => void;
  /** Failing copies of the wrapper, for each heartbeat. */
  readonly failing?: () => readonly FailingCopy[];
  /** Measures the program; without it heartbeats have no load. */
  readonly load?: ProgramLoad;
  /** The SDK in the program, if there is one: its reports take precedence over measurements from outside. */
  readonly sdk?: ProgramSdk;
  /** `id` was derived, so another one may be derived if another process has it. */
  readonly isIdDerived: boolean;
  /** Writes a log line. */
  readonly say: (line: string) => void;
  readonly timers?: Timers;
}

const MAX_NAME_LENGTH = 64;
/** Interval of registrations with an id that another process holds, and of the log line about it, in milliseconds. */
const ASK_FOR_ID_MS = 20_000;
const SAY_AGAIN_MS = 60_000;
const SEPARATE = 'give each program its own --id, or use the same --slot-dir for both';
const STICKY_FLAGS = '--sticky, --session-cookie, --session-parameter and --failover';
/** Load without a measurement: the coordinator assumes it for nodes that report none. */
const UNKNOWN_LOAD = 0.5;

export class AgentBeside {
  readonly #options: BesideOptions;
  readonly #timers: Timers;
  readonly #reports: LoadReports | undefined;
  readonly #instance: string;
  readonly #incarnation: number = Date.now();
  readonly #page: ReadyPage | undefined;
  readonly #watch: ProgramWatch;
  #id: string;
  #route: string;
  #agent: Agent;
  #last: Look = { liveness: 'accepting', isLate: false, isReady: true };
  #hasReportedFull = false;
  #onRefused: () => void = () => {};
  #cancelReturn: () => void = () => {};
  #saidSticky = false;
  #saidSupersededAtMs = Number.NEGATIVE_INFINITY;
  #isOver = false;

  /** `address` is the one at which the program has answered. Starts at once. */
  constructor(options: BesideOptions, address: string) {
    const { load, sdk, timers = systemTimers() } = options;
    this.#options = options;
    this.#timers = timers;
    this.#id = options.id;
    this.#route = options.route;
    this.#instance = sdk?.instance ?? newInstance();
    this.#page = pageOf(options, () => timers.nowMs());
    this.#watch = new ProgramWatch(
      {
        port: options.port,
        addresses: options.addresses,
        isTls: options.isTls ?? false,
        ...(this.#page === undefined ? {} : { page: this.#page }),
        cpuMs: () => load?.cpuMs,
        nowMs: () => timers.nowMs(),
      },
      address,
    );
    this.#reports = load && new LoadReports(load, timers, () => this.#reportSoon());
    this.#reports?.start();
    this.#agent = this.#start();
    if (sdk === undefined) return;
    sdk.listener = {
      onRegistered: () => {
        if (this.#agent.isEnded && !this.#isOver) this.#agent = this.#start();
        else this.#agent.renew();
      },
      onLeft: () => void this.#agent.leave(),
      // A new registration clears numbers that only the SDK can report.
      onLost: () => {
        load?.renewScales();
        this.#agent.renew();
      },
      onNews: () => this.#agent.reportNow(),
      onRequestedStatus: () => this.#passRequestedStatus(sdk),
    };
  }

  /** The node is removed from the cluster permanently. */
  get isEnded(): boolean {
    return this.#isOver;
  }

  /** Calls `listener` each time the program refuses a connection when a heartbeat is due. */
  onRefused(listener: () => void): void {
    this.#onRefused = listener;
  }

  /**
   * `requestsMs`: time for requests in flight, default that of the agent. `isRequested`: an operator has requested it, so that no budget holds the
   * node. Further calls can only shorten the drain.
   */
  drain(reason: string, sessionsMs: number, requestsMs?: number, isRequested = false): Promise<DrainOutcome> {
    return this.#agent.drain({
      reason,
      sessionsMs,
      ...(requestsMs === undefined ? {} : { deadlineMs: requestsMs }),
      ...(isRequested && { holdMs: 0 }),
    });
  }

  /** Enables the node again; callers that wait for the drain get `withdrawn`. */
  withdrawDrain(): void {
    this.#agent.withdrawDrain();
  }

  /** Announces a changed number of copies. */
  renew(): void {
    this.#agent.renew();
  }

  leave(): Promise<void> {
    this.#end();
    return this.#agent.leave();
  }

  #end(): void {
    this.#isOver = true;
    this.#cancelReturn();
    this.#reports?.stop();
    this.#watch.close();
  }

  #start(): Agent {
    const { coordinators, areAlternatives = false, token, tls, sdk, load, say, onScale } = this.#options;
    const agent = new Agent({
      coordinators,
      areAlternatives,
      token,
      ...(tls === undefined ? {} : { tls }),
      registration: (local, remote) => this.#registration(local, remote),
      report: async () => {
        const look = await this.#look();
        return isAlive(look) ? this.#report(look) : undefined;
      },
      isAnswering: async () => isAlive(await this.#look()),
      timers: this.#timers,
    });
    agent.on('registered', ({ node }) => {
      load?.renewScales();
      say(`${node.id} is registered with balancer ${node.balancer} as ${node.url}`);
    });
    agent.on('warning', ({ message }) => say(message));
    agent.on('disconnected', ({ message }) => say(message));
    agent.on('reconnected', ({ message }) => say(message));
    agent.on('status', ({ status, reason }) =>
      say(`operator status of ${this.#id}: ${status}${reason === undefined ? '' : ` (${reason})`}`),
    );
    agent.on('scale', ({ count }) => onScale?.(count));
    agent.on('error', (notice) => this.#onError(notice));
    if (sdk !== undefined) relay(agent, sdk.socket);
    agent.start();
    return agent;
  }

  #onError({ code, message }: Notice): void {
    if (this.#isOver) return;
    if (code === 'superseded') this.#onSuperseded(message);
    else {
      this.#end();
      this.#options.sdk?.socket.refuse({ code, message, holderConnected: true });
      const { onRemoved, say } = this.#options;
      const isEnding = code === 'removed' && onRemoved !== undefined;
      say(
        `${this.#id} is removed from the cluster: ${message}; the program ${isEnding ? 'is ended' : 'keeps running'}`,
      );
      if (isEnding) onRemoved();
    }
  }

  /** Another process has the id. The program still runs, so it registers again: with another id, or when the id is free. */
  #onSuperseded(message: string): void {
    const { isIdDerived, sdk, say } = this.#options;
    sdk?.socket.disconnected(message);
    if (isIdDerived) {
      const suffix = `-${this.#instance.slice(0, 4)}`;
      const taken = this.#id;
      this.#id = `${taken.slice(0, MAX_NAME_LENGTH - suffix.length)}${suffix}`;
      this.#route = this.#id;
      say(`${message}. This program continues as ${this.#id}: ${SEPARATE}`);
      this.#agent = this.#start();
      return;
    }
    const nowMs = this.#timers.nowMs();
    if (nowMs - this.#saidSupersededAtMs >= SAY_AGAIN_MS) {
      this.#saidSupersededAtMs = nowMs;
      say(`${message}. The program runs and gets no requests until ${this.#id} is free: use another --id`);
    }
    this.#cancelReturn = this.#timers.after(ASK_FOR_ID_MS, () => {
      this.#agent = this.#start();
    });
  }

  #registration(local: string, remote: string): NodeRegistration | Fault {
    const { sdk, description, say } = this.#options;
    const own = sdk?.node;
    if (isStickyContested(description, own) && !this.#saidSticky) {
      this.#saidSticky = true;
      say(`${this.#id}: the sticky settings of the program override the flags ${STICKY_FLAGS}`);
    }
    const identity = { id: this.#id, route: this.#route, instance: this.#instance, incarnation: this.#incarnation };
    return programRegistration(this.#options, own, identity, { local, remote, answers: this.#watch.address });
  }

  /** Forwards a status request of the program. A node that has left gets no more requests. */
  #passRequestedStatus(sdk: ProgramSdk): void {
    const { status, reason, deadlineMs } = sdk.socket.requestedStatus;
    if (this.#agent.isEnded) sdk.socket.drained();
    else this.#agent.requestStatus(status, reason, deadlineMs);
  }

  /** A program that does not accept connections is checked when its heartbeat is due, not with each sample. */
  #reportSoon(): void {
    if (this.#last.liveness === 'accepting') this.#agent.reportSoon();
  }

  #report(look: Look): HeartbeatReport {
    const measured = this.#options.sdk?.socket.report() ?? this.#reports?.report() ?? {};
    const isFull = look.isLate || look.liveness === 'busy';
    const failing = this.#options.failing?.() ?? [];
    this.#hasReportedFull ||= isFull;
    return {
      ...measured,
      ...(isFull ? { load: 1 } : {}),
      // The coordinator keeps the last reported load, so a load that is no longer measured must be replaced.
      ...(!isFull && measured.load === undefined && this.#hasReportedFull ? { load: UNKNOWN_LOAD } : {}),
      ...(look.isReady && measured.ready !== false ? {} : { ready: false }),
      ...(look.isReady ? {} : this.#unready()),
      ...(failing.length > 0 && { failing }),
    };
  }

  /** The answer of the ready page, unless it was ready. */
  #unready(): { readonly readyReason?: string } {
    const { readyPath } = this.#options;
    const status = this.#page?.status;
    if (readyPath === undefined || status === undefined) return {};
    return { readyReason: unreadyText(status, readyPath).slice(0, MAX_CAUSE_CHARACTERS) };
  }

  async #look(): Promise<Look> {
    const look = await this.#watch.look();
    const { port, readyPath, readyLateMs = READY_LATE_MS, say } = this.#options;
    const names = { id: this.#id, port, readyPath, readyLateMs, status: this.#page?.status };
    // After the end open checks are aborted; their outcome does not describe the program.
    if (!this.#isOver) for (const line of changesOf(this.#last, look, names)) say(line);
    this.#last = look;
    if (look.liveness === 'refused') this.#onRefused();
    return look;
  }
}

function isAlive({ liveness }: Look): boolean {
  return liveness === 'accepting' || liveness === 'busy';
}

function pageOf(options: BesideOptions, nowMs: () => number): ReadyPage | undefined {
  const { port, isTls = false, readyPath, readyLateMs, readyIntervalMs } = options;
  if (readyPath === undefined) return undefined;
  return new ReadyPage({
    port,
    path: readyPath,
    isTls,
    ...(readyLateMs === undefined ? {} : { lateMs: readyLateMs }),
    ...(readyIntervalMs === undefined ? {} : { intervalMs: readyIntervalMs }),
    nowMs,
  });
}
