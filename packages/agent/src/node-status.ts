/**
 * The status that a node requests: `enabled`, `draining` (no new sessions) or `stopped` (no requests). A drain requests the
 * last two in this order, and waits for the confirmation of the cluster at each step.
 */
import type { NodeStatusMessage, Status } from '@rollcall/protocol';
import { afterQuiet, type RequestCounts } from './quiet.ts';
import type { Timers } from './timers.ts';

export interface DrainOptions {
  /** Reason for the operator; cut to 256 characters. */
  readonly reason?: string;
  /** Drain time of sessions before requests are stopped, in milliseconds; default 0: no wait. */
  readonly sessionsMs?: number;
  /** Time for the requests in flight, in milliseconds; default 8,000. */
  readonly deadlineMs?: number;
  /**
   * Time for which the node keeps serving if it is needed for the budget of its balancer, in milliseconds; default `deadlineMs`. The times
   * above begin after it.
   */
  readonly holdMs?: number;
}

/**
 * Result of a drain. `drained`: it is complete. `deadline`: the deadline expired before. `unregistered`: it ended without a
 * coordinator, because no more requests arrived. `withdrawn`: it was withdrawn.
 */
export type DrainOutcome = 'drained' | 'deadline' | 'unregistered' | 'withdrawn';

/** Default time that a stopping node waits for the confirmation of the cluster, in milliseconds. */
export const STOP_DEADLINE_MS = 8_000;
/** A coordinator that holds a status and does not end the hold is waited for this much longer, in milliseconds. */
const HOLD_SLACK_MS = 1_000;
/** Without a coordinator, a node stops after this time without a request, in milliseconds. */
export const QUIET_MS = 1_000;

const MAX_REASON = 256;
const NO_REQUESTS: RequestCounts = { arrived: 0, inFlight: 0 };

export interface NodeStatusOptions {
  readonly timers: Timers;
  /** Whether a coordinator receives messages now. */
  readonly isRegistered: () => boolean;
  /** Sends a new status to all coordinators that receive messages now. */
  readonly send: (message: NodeStatusMessage) => void;
  /** Counts of the requests of the node. */
  readonly counts: () => RequestCounts;
}

export class NodeStatus {
  readonly #options: NodeStatusOptions;
  #requestedStatus: { readonly status: Status; readonly reason: string; readonly deadlineAtMs: number } | undefined;
  #drain: Promise<DrainOutcome> | undefined;
  #drainOptions: DrainOptions = {};
  #onDone: ((outcome: DrainOutcome) => void) | undefined;
  #cancelDeadline: () => void = () => {};
  #holdUntilMs: number = Number.NEGATIVE_INFINITY;
  #isHeld = false;

  constructor(options: NodeStatusOptions) {
    this.#options = options;
  }

  /** The requested status, unless a coordinator holds it. */
  get inForce(): Status {
    return this.#isHeld ? 'enabled' : (this.#requestedStatus?.status ?? 'enabled');
  }

  /** The requested status; `undefined` before the first request. */
  get status(): Status | undefined {
    return this.#requestedStatus?.status;
  }

  /** Deadline of the requests of a stopping node, on the clock of its timers; `undefined` while it does not stop. */
  get stopsByMs(): number | undefined {
    return this.#requestedStatus?.status === 'stopped' && !this.#isHeld
      ? this.#requestedStatus.deadlineAtMs
      : undefined;
  }

  /** Resolves when the drain has ended. A repeated call waits for the first drain; the earlier deadline applies. */
  drain(options: DrainOptions): Promise<DrainOutcome> {
    if (this.#drain !== undefined) this.#hurry(options);
    else {
      this.#drainOptions = options;
      const { deadlineMs = STOP_DEADLINE_MS, holdMs = deadlineMs } = options;
      this.#holdUntilMs = this.#options.timers.nowMs() + holdMs;
      this.#drain = this.#drainOnce();
    }
    return this.#drain;
  }

  /** Ends a drain: it resolves with `withdrawn`, and the status is `enabled` again. Without a drain it has no effect. */
  withdraw(): void {
    if (this.#drain === undefined) return;
    this.#drain = undefined;
    this.done('withdrawn');
    this.set('enabled', '', 0);
  }

  /** A coordinator holds the status for at most `holdMs`, or no longer (0): the time of the present step begins then. */
  held(holdMs: number): void {
    if (this.#onDone === undefined) return;
    this.#isHeld = holdMs > 0;
    if (this.#isHeld) this.#setDeadline(holdMs + HOLD_SLACK_MS, () => this.held(0));
    else if (this.#requestedStatus !== undefined && this.#requestedStatus.status !== 'enabled') {
      const deadlineMs = timeFor(this.#requestedStatus.status, this.#drainOptions);
      this.#requestedStatus = { ...this.#requestedStatus, deadlineAtMs: this.#options.timers.nowMs() + deadlineMs };
      this.#setDeadline(deadlineMs, () => this.done('deadline'));
    }
  }

  /** Requests `status` without waiting for its completion. */
  set(status: Status, reason: string, deadlineMs: number): void {
    // A registration of the same instance keeps the earlier status, so `enabled` is sent explicitly after another status.
    if (status === 'enabled' && this.#requestedStatus === undefined) return;
    const deadlineAtMs = this.#options.timers.nowMs() + deadlineMs;
    this.#requestedStatus = { status, reason: reason.slice(0, MAX_REASON), deadlineAtMs };
    const message = this.message();
    if (message !== undefined) this.#options.send(message);
  }

  /** The requested status, for a coordinator that has accepted the node; `undefined` before the first request. */
  message(): NodeStatusMessage | undefined {
    if (this.#requestedStatus === undefined) return undefined;
    const { status, reason, deadlineAtMs } = this.#requestedStatus;
    const nowMs = this.#options.timers.nowMs();
    const isFull = this.#isHeld && status !== 'enabled';
    const leftMs = isFull ? timeFor(status, this.#drainOptions) : deadlineAtMs - nowMs;
    const deadlineMs = Math.max(0, Math.round(leftMs));
    const holdMs = Math.ceil(this.#holdUntilMs - nowMs);
    return {
      type: 'status',
      status,
      ...(status === 'enabled' ? {} : { deadlineMs }),
      ...(status === 'enabled' || !(holdMs > 0) ? {} : { holdMs }),
      ...(reason === '' ? {} : { reason }),
    };
  }

  /** Ends the present step of the drain. */
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

  /** Requests `status`; waits for the confirmation, the deadline, or `quietMs` without requests and without a coordinator. */
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
        this.#isHeld = false;
        this.#holdUntilMs = Number.NEGATIVE_INFINITY;
        this.#onDone = undefined;
        resolve(outcome);
      };
      this.#wishFor(status);
    });
  }

  /** Sends `status` and sets the deadline of the present options of the drain. */
  #wishFor(status: 'draining' | 'stopped'): void {
    const deadlineMs = timeFor(status, this.#drainOptions);
    this.#isHeld = false;
    this.#setDeadline(deadlineMs, () => this.done('deadline'));
    this.set(status, this.#drainOptions.reason ?? '', deadlineMs);
  }

  #setDeadline(ms: number, expired: () => void): void {
    this.#cancelDeadline();
    this.#cancelDeadline = this.#options.timers.after(ms, expired, { keepsProcess: true });
  }

  /** Continues with the times of `options` if they end the present step earlier. */
  #hurry(options: DrainOptions): void {
    if (this.#requestedStatus === undefined || this.#onDone === undefined) return;
    const { status, deadlineAtMs } = this.#requestedStatus;
    if (status === 'enabled' || this.#options.timers.nowMs() + timeFor(status, options) >= deadlineAtMs) return;
    this.#drainOptions = options;
    if (timeFor(status, options) === 0) this.done('deadline');
    else this.#wishFor(status);
  }
}

/** Time limit of a step of a drain, in milliseconds. */
function timeFor(
  status: 'draining' | 'stopped',
  { sessionsMs = 0, deadlineMs = STOP_DEADLINE_MS }: DrainOptions,
): number {
  return status === 'draining' ? sessionsMs : deadlineMs;
}
