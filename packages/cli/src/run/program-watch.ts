/**
 * Decides whether a wrapped program is alive, and whether it is ready. These are two decisions, so that a slow or failing ready
 * page never means that the program is dead.
 *
 * ```
 *   connect refused ─────────────────▶ refused        no heartbeat, the wrapper is informed
 *   not accepted within 2 s ─┬ CPU ──▶ busy           heartbeats with load 1, for at most 60 s
 *                            └ none ─▶ unresponsive   no heartbeat
 *   accepted ────────────────────────▶ accepting      heartbeats
 *       ready page late ─────────────▶   isLate       … with load 1
 *       ready page 5xx, or no HTTP ──▶   not ready    … with `ready: false`
 * ```
 */
import { AcceptCheck } from './acceptance.ts';
import { CpuGrowth } from './cpu-growth.ts';
import { probe } from './probe.ts';
import type { ReadyPage } from './ready-page.ts';

export type Liveness = 'accepting' | 'busy' | 'unresponsive' | 'refused';

/** Result of one check. */
export interface Look {
  readonly liveness: Liveness;
  /** The ready page answers late; false without one. */
  readonly isLate: boolean;
  /** The last answer of the ready page was below 500; true without a ready page. */
  readonly isReady: boolean;
}

export interface ProgramWatchOptions {
  readonly port: number;
  /** Addresses at which the program may listen, in order. */
  readonly addresses: readonly string[];
  /** The program speaks TLS. Default false. */
  readonly isTls?: boolean;
  readonly page?: ReadyPage;
  /** CPU time of the program since its start, in milliseconds; `undefined` if it cannot be measured. */
  readonly cpuMs: () => number | undefined;
  readonly nowMs: () => number;
}

/** A program that does not accept a connection within this time is unresponsive; shorter than the time until a node is suspect. */
const ACCEPT_MS = 2_000;
/** While the program computes, a heartbeat waits no longer than this for a connection to be accepted, in milliseconds. */
const BUSY_WAIT_MS = 500;
/** Computing without accepting counts as life for at most this time in a row, in milliseconds. */
const MAX_BUSY_MS = 60_000;
/** A heartbeat waits this long for an answer of the ready page, in milliseconds. */
const PAGE_WAIT_MS = 250;
/** A connection that the program does not accept is replaced after this, in milliseconds. */
const CHECK_MS = 30_000;

export class ProgramWatch {
  readonly #options: ProgramWatchOptions;
  readonly #growth = new CpuGrowth();
  #address: string;
  #check: AcceptCheck | undefined;
  #checkedAtMs = 0;
  #lookedAtMs = 0;
  /** When the first connection since the last accepted one was opened. */
  #waitingSinceMs: number | undefined;
  #look: Promise<Look> | undefined;
  #isClosed = false;

  /** `address` is the one at which the program has answered. */
  constructor(options: ProgramWatchOptions, address: string) {
    this.#options = options;
    this.#address = address;
  }

  /** Address at which the program answered last. */
  get address(): string {
    return this.#address;
  }

  /** Checks the program, within two seconds unless several addresses are tried. Concurrent calls share one check. Never rejects. */
  look(): Promise<Look> {
    this.#look ??= this.#take().finally(() => {
      this.#look = undefined;
    });
    return this.#look;
  }

  /** Aborts all open requests; later checks send none and have no result. */
  close(): void {
    this.#isClosed = true;
    this.#options.page?.close();
    this.#check?.close();
  }

  async #take(): Promise<Look> {
    const { page, cpuMs, nowMs } = this.#options;
    const isComputing = this.#growth.look(cpuMs(), nowMs());
    const answer = await page?.request(this.#addresses, PAGE_WAIT_MS);
    if (answer?.type === 'refused') return this.#refused();
    if (answer?.type !== 'answered') return this.#acceptance(isComputing);
    this.#address = answer.address;
    return this.#accepted();
  }

  /** The address that answered last comes first. */
  get #addresses(): readonly string[] {
    return [this.#address, ...this.#options.addresses.filter((address) => address !== this.#address)];
  }

  async #acceptance(isComputing: boolean): Promise<Look> {
    const { port, isTls, nowMs } = this.#options;
    if (this.#isClosed) return this.#seen('unresponsive');
    // A connection that was accepted since the last check is a sign of life, but an old one proves nothing.
    if (this.#check?.isOver && nowMs() - this.#lookedAtMs > ACCEPT_MS) this.#forget();
    if (this.#check === undefined) {
      this.#check = new AcceptCheck(port, this.#address, isTls);
      this.#checkedAtMs = nowMs();
    }
    this.#waitingSinceMs ??= this.#checkedAtMs;
    const check = this.#check;
    const leftMs = Math.max(0, this.#waitingSinceMs + ACCEPT_MS - nowMs());
    const acceptance = await check.result(isComputing ? Math.min(BUSY_WAIT_MS, leftMs) : leftMs);
    this.#lookedAtMs = nowMs();
    const overdueMs = this.#lookedAtMs - this.#waitingSinceMs - ACCEPT_MS;
    if (acceptance === 'accepted') return this.#accepted();
    if (acceptance === 'refused') return this.#elsewhere();
    if (check.isOver || this.#lookedAtMs - this.#checkedAtMs >= CHECK_MS) this.#replaceCheck();
    if (!isComputing || overdueMs > MAX_BUSY_MS) return this.#seen('unresponsive');
    return this.#seen(overdueMs < 0 ? 'accepting' : 'busy');
  }

  /** The next check opens another connection; the time without acceptance is kept. */
  #replaceCheck(): void {
    this.#check?.close();
    this.#check = undefined;
  }

  #forget(): void {
    this.#replaceCheck();
    this.#waitingSinceMs = undefined;
  }

  /** Refused at the last address: the program may listen at another address now. */
  async #elsewhere(): Promise<Look> {
    const { port, isTls = false } = this.#options;
    this.#replaceCheck();
    const answer = await probe({
      port,
      addresses: this.#addresses,
      method: 'OPTIONS',
      path: '*',
      isTls,
      timeoutMs: ACCEPT_MS,
    });
    if (answer.type === 'refused') return this.#refused();
    if (answer.type !== 'answered') return this.#seen('unresponsive');
    this.#address = answer.address;
    return this.#accepted();
  }

  #refused(): Look {
    this.#forget();
    return this.#seen('refused');
  }

  #accepted(): Look {
    this.#forget();
    return this.#seen('accepting');
  }

  #seen(liveness: Liveness): Look {
    const { page } = this.#options;
    return { liveness, isLate: page?.isLate ?? false, isReady: page?.isReady ?? true };
  }
}
