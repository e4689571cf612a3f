/**
 * What a node wants of its cluster: everything, no new sessions, or nothing. A drain is the way from the first to the last, and
 * waits at each step until the cluster says that it is so.
 */
import type { NodeStatusMessage, Status } from '@rollcall/protocol';
import { afterQuiet, type RequestCounts } from './quiet.ts';
import type { Timers } from './timers.ts';

export interface DrainOptions {
  /** For people, at most 256 characters. */
  readonly reason?: string;
  /** How long sessions may end before requests are stopped, in milliseconds; 0, the default, does not wait for them. */
  readonly sessionsMs?: number;
  /** How long to wait for the proxies to finish what is in flight, in milliseconds, default 8,000. */
  readonly deadlineMs?: number;
}

/**
 * How a drain ended: complete; its deadline came first; without a coordinator, when no more requests came; or it was
 * withdrawn.
 */
export type DrainOutcome = 'drained' | 'deadline' | 'unregistered' | 'withdrawn';

/** Default time that a node which stops waits for the cluster, in milliseconds. */
export const STOP_DEADLINE_MS = 8_000;
/** Without a coordinator, a node that got no request for so long gets none any more, in milliseconds. */
export const QUIET_MS = 1_000;

const MAX_REASON = 256;
const NO_REQUESTS: RequestCounts = { arrived: 0, inFlight: 0 };

export interface NodeWishOptions {
  readonly timers: Timers;
  /** Whether a coordinator can be told now. */
  readonly isRegistered: () => boolean;
  readonly send: (message: NodeStatusMessage) => void;
  /** Requests of the node so far. */
  readonly counts: () => RequestCounts;
}

export class NodeWish {
  readonly #options: NodeWishOptions;
  #wish: { readonly status: Status; readonly reason: string; readonly deadlineAtMs: number } | undefined;
  #drain: Promise<DrainOutcome> | undefined;
  #drainOptions: DrainOptions = {};
  #onDone: ((outcome: DrainOutcome) => void) | undefined;
  #cancelDeadline: () => void = () => {};

  constructor(options: NodeWishOptions) {
    this.#options = options;
  }

  /** `undefined` while the node has never wanted anything. */
  get status(): Status | undefined {
    return this.#wish?.status;
  }

  /** When the requests of a node that stops have to be over, on the clock of its timers; `undefined` while it does not stop. */
  get stopsByMs(): number | undefined {
    return this.#wish?.status === 'stopped' ? this.#wish.deadlineAtMs : undefined;
  }

  /** Resolves when nothing more is to be waited for. A repeat waits for the first; the times of the one that ends earlier count. */
  drain(options: DrainOptions): Promise<DrainOutcome> {
    if (this.#drain !== undefined) this.#hurry(options);
    else {
      this.#drainOptions = options;
      this.#drain = this.#drainOnce();
    }
    return this.#drain;
  }

  /** Ends a drain: the node takes everything again. What waits for the drain gets `withdrawn`. Without one nothing happens. */
  withdraw(): void {
    if (this.#drain === undefined) return;
    this.#drain = undefined;
    this.done('withdrawn');
    this.set('enabled', '', 0);
  }

  /** Sends the wish without waiting for its completion. */
  set(status: Status, reason: string, deadlineMs: number): void {
    // A registration of the same instance keeps an earlier wish: once told, it is taken back in so many words.
    if (status === 'enabled' && this.#wish === undefined) return;
    const deadlineAtMs = this.#options.timers.nowMs() + deadlineMs;
    this.#wish = { status, reason: reason.slice(0, MAX_REASON), deadlineAtMs };
    this.tell();
  }

  /** Sends the wish again, after a coordinator has accepted the node. */
  tell(): void {
    if (this.#wish === undefined || !this.#options.isRegistered()) return;
    const { status, reason, deadlineAtMs } = this.#wish;
    const deadlineMs = Math.max(0, Math.round(deadlineAtMs - this.#options.timers.nowMs()));
    this.#options.send({
      type: 'status',
      status,
      ...(status === 'enabled' ? {} : { deadlineMs }),
      ...(reason === '' ? {} : { reason }),
    });
  }

  /** The step that is being waited for is over. */
  done(outcome: DrainOutcome): void {
    this.#onDone?.(outcome);
  }

  async #drainOnce(): Promise<DrainOutcome> {
    if ((this.#drainOptions.sessionsMs ?? 0) > 0) {
      const outcome = await this.#want('draining', STOP_DEADLINE_MS);
      if (outcome === 'withdrawn') return outcome;
    }
    return this.#want('stopped', QUIET_MS);
  }

  /** Wants `status` until the cluster says that it is so, for its time, or without a coordinator for `quietMs`. */
  #want(status: 'draining' | 'stopped', quietMs: number): Promise<DrainOutcome> {
    const { timers, counts, isRegistered } = this.#options;
    return new Promise((resolve) => {
      const cancelQuiet = afterQuiet(
        timers,
        () => (status === 'stopped' ? counts() : NO_REQUESTS),
        quietMs,
        isRegistered,
        () => this.done('unregistered'),
      );
      this.#onDone = (outcome) => {
        cancelQuiet();
        this.#cancelDeadline();
        this.#onDone = undefined;
        resolve(outcome);
      };
      this.#wishFor(status);
    });
  }

  /** Sends `status` and bounds the wait for it by the present options of the drain. */
  #wishFor(status: 'draining' | 'stopped'): void {
    const deadlineMs = timeFor(status, this.#drainOptions);
    this.#cancelDeadline();
    this.#cancelDeadline = this.#options.timers.after(deadlineMs, () => this.done('deadline'), { keepsProcess: true });
    this.set(status, this.#drainOptions.reason ?? '', deadlineMs);
  }

  /** Goes on with the times of `options` when they end the present step earlier. */
  #hurry(options: DrainOptions): void {
    if (this.#wish === undefined || this.#onDone === undefined) return;
    const { status, deadlineAtMs } = this.#wish;
    if (status === 'enabled' || this.#options.timers.nowMs() + timeFor(status, options) >= deadlineAtMs) return;
    this.#drainOptions = options;
    if (timeFor(status, options) === 0) this.done('deadline');
    else this.#wishFor(status);
  }
}

/** How long a step of a drain may take, in milliseconds. */
function timeFor(
  status: 'draining' | 'stopped',
  { sessionsMs = 0, deadlineMs = STOP_DEADLINE_MS }: DrainOptions,
): number {
  return status === 'draining' ? sessionsMs : deadlineMs;
}
