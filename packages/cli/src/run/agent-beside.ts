/**
 * An agent that represents a program it is not part of. A heartbeat means that the program lives: each one is preceded by
 * a look at it (`program-watch.ts`), and a program that does not live is not reported.
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
import type { Fault, NodeRegistration } from '@rollcall/protocol';
import { changesOf } from './look-text.ts';
import type { ProgramLoad } from './program-load.ts';
import { isStickyContested, type ProgramFacts, programRegistration } from './program-registration.ts';
import type { ProgramSdk } from './program-sdk.ts';
import { type Look, ProgramWatch } from './program-watch.ts';
import { LATE_MS, ReadyPage } from './ready-page.ts';

export interface BesideOptions extends ProgramFacts {
  readonly id: string;
  readonly route: string;
  /** Addresses at which the program may listen on this machine, in order. */
  readonly addresses: readonly string[];
  /**
   * Says whether the program wants new work: its answers are below 500 then. Whether the program lives is seen by what it
   * does with connections.
   */
  readonly readyPath?: string;
  /** An answer of the ready path after more than this counts as load 1, in milliseconds; default 2,000. */
  readonly readyLateMs?: number;
  /** From one question to the ready path to the next, in milliseconds; default 1,000, longer after late answers. */
  readonly readyIntervalMs?: number;
  readonly coordinators: readonly string[];
  readonly token: () => JoinToken;
  readonly tls?: (url: string) => ClientTls;
  /** An operator wants so many copies. */
  readonly onScale?: (count: number) => void;
  /** Measures the program; without it heartbeats tell nothing but that it lives. */
  readonly load?: ProgramLoad;
  /** The SDK inside the program, should there be one: what it says goes before what is seen from outside. */
  readonly sdk?: ProgramSdk;
  /** `id` was made by us, and so may be made anew when another process has it. */
  readonly isIdDerived: boolean;
  /** Tells people. */
  readonly say: (line: string) => void;
  readonly timers?: Timers;
}

const MAX_NAME_LENGTH = 64;
/** Intervals of registrations with an id that another process holds, and of the log line about it, in milliseconds. */
const ASK_FOR_ID_MS = 20_000;
const SAY_AGAIN_MS = 60_000;
const SEPARATE = 'give each program its own --id, or let both use one --slot-dir';
const STICKY_FLAGS = '--sticky, --session-cookie, --session-parameter and --failover';
/** Where no load is measured, what the coordinator assumes for a node that has never reported one. */
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

  /** `address` is where the program has answered already. Starts at once. */
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
      // A registration withdraws numbers that only the SDK can report.
      onLost: () => {
        load?.renewScales();
        this.#agent.renew();
      },
      onNews: () => this.#agent.reportNow(),
      onWish: () => this.#passWish(sdk),
    };
  }

  /** Out of the cluster for good. */
  get isEnded(): boolean {
    return this.#isOver;
  }

  /** Calls `listener` each time the program refuses a connection instead of a heartbeat. */
  onRefused(listener: () => void): void {
    this.#onRefused = listener;
  }

  /** `requestsMs`: time for requests in flight, default that of the agent. A repeat can only shorten the first. */
  drain(reason: string, sessionsMs: number, requestsMs?: number): Promise<DrainOutcome> {
    return this.#agent.drain({ reason, sessionsMs, ...(requestsMs === undefined ? {} : { deadlineMs: requestsMs }) });
  }

  /** The node takes everything again; what waits for the drain gets `withdrawn`. */
  withdrawDrain(): void {
    this.#agent.withdrawDrain();
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
    const { coordinators, token, tls, sdk, load, say, onScale } = this.#options;
    const agent = new Agent({
      coordinators,
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
    agent.on('status', ({ status, reason }) =>
      say(`the operator wants ${this.#id} ${status}${reason === undefined ? '' : ` (${reason})`}`),
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
      this.#options.say(`${this.#id} is out of the cluster: ${message}; the program goes on`);
    }
  }

  /** Another process has the id. The program runs, so it registers again: under another id, or when the id is free. */
  #onSuperseded(message: string): void {
    const { isIdDerived, sdk, say } = this.#options;
    sdk?.socket.disconnected(message);
    if (isIdDerived) {
      const suffix = `-${this.#instance.slice(0, 4)}`;
      const taken = this.#id;
      this.#id = `${taken.slice(0, MAX_NAME_LENGTH - suffix.length)}${suffix}`;
      this.#route = this.#id;
      say(`${message}. This program goes on as ${this.#id}: ${SEPARATE}`);
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
      say(`${this.#id}: the program's own sticky settings count, and not the flags ${STICKY_FLAGS}`);
    }
    const identity = { id: this.#id, route: this.#route, instance: this.#instance, incarnation: this.#incarnation };
    return programRegistration(this.#options, own, identity, { local, remote, answers: this.#watch.address });
  }

  /** Forwards the wish of the program. A node that has left gets no more requests. */
  #passWish(sdk: ProgramSdk): void {
    const { status, reason, deadlineMs } = sdk.socket.wish;
    if (this.#agent.isEnded) sdk.socket.drained();
    else this.#agent.wish(status, reason, deadlineMs);
  }

  /** A program that does not accept connections is looked at when its heartbeat is due, and not with each sample. */
  #reportSoon(): void {
    if (this.#last.liveness === 'accepting') this.#agent.reportSoon();
  }

  #report(look: Look): HeartbeatReport {
    const measured = this.#options.sdk?.socket.report() ?? this.#reports?.report() ?? {};
    const isFull = look.isLate || look.liveness === 'busy';
    this.#hasReportedFull ||= isFull;
    return {
      ...measured,
      ...(isFull ? { load: 1 } : {}),
      // The coordinator keeps the last load that was reported: one that is no longer measured has to be withdrawn.
      ...(!isFull && measured.load === undefined && this.#hasReportedFull ? { load: UNKNOWN_LOAD } : {}),
      ...(look.isReady && measured.ready !== false ? {} : { ready: false }),
    };
  }

  async #look(): Promise<Look> {
    const look = await this.#watch.look();
    const { port, readyPath, readyLateMs = LATE_MS, say } = this.#options;
    const names = { id: this.#id, port, readyPath, readyLateMs, status: this.#page?.status };
    // After the end open questions are given up, which says nothing about the program.
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
