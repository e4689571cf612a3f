/**
 * The knowledge of one worker about the liveness of one node: its heartbeats, as the feed reports them, and its port at this worker.
 *
 * ```
 *                  octets of an answer that counts
 *        ┌────────────────────◀─────────────────────┬──────────────┐
 *        ▼                                          │              │
 *     answers ──no question for 3 s────▶ unknown    │              │
 *        │                                  │       │              │
 *        └──a question is overdue───────────┴─▶ unresponsive       │
 *        │   (probe 1 s, request 3 s)               │              │
 *        └──two refusals, or one while the agent's  ▼              │
 *           connection is closed────────────────▶ refused ─────────┘ up: one answer; suspect: proof or
 *                                                                    registration; no agent: two answered probes
 * ```
 *
 * A question is a request or a probe.
 *
 * Given up is separate from these states. It needs three conditions:
 *
 * - The node's questions got no octet for a lease.
 * - Another node of its contexts lives.
 * - The coordinator would see the end seconds later or not at all. This is so if the node is up, or if the feed is lost. It is also so if
 *   the last heartbeat came well after the first of these questions.
 *
 * A restarted coordinator begins a new lease. One answer ends it.
 *
 * This class does no I/O and no waiting: the worker sends the questions, reports their results, and calls `check` several times a second.
 * All instants are milliseconds of the worker's monotonic clock.
 */
import type { PortReport, PortState } from '@rollcall/protocol';
import { type SessionVerdict, sessionVerdict } from './session-rule.ts';

/** How long an answer counts, milliseconds. */
export const ANSWERS_MS = 3_000;
/** A probe without an answer is overdue after this, milliseconds. */
export const PROBE_OVERDUE_MS = 1_000;
/** A request without an octet of an answer is overdue after this, milliseconds. */
export const REQUEST_OVERDUE_MS = 3_000;
/** Between two probes of a node, milliseconds. */
export const PROBE_EVERY_MS = 1_000;
/** Two refusals that are closer together are one: reopening a listener takes that long, milliseconds. */
export const REFUSAL_GAP_MS = 250;
/** A suspect node that left a question unanswered for longer has to prove that it is the node, milliseconds. */
export const PROOF_AFTER_MS = 5_000;
/** A close by the node at most this long before the suspicion belongs to it, milliseconds: a heartbeat may be that late. */
export const CLOSED_BEFORE_MS = 3_500;
/** A connection that was idle for less is warm: a node that closes it has most likely ended, milliseconds. */
export const WARM_MS = 1_000;
/** A cold connection may just have been idle for too long; closed so near to the agent's own, it ended with the process, milliseconds. */
export const CLOSED_TOGETHER_MS = 1_000;
/** A connect counts as an answer of a node that is probed by connects only, unless a request has waited this long, milliseconds. */
export const CONNECT_PROVES_MS = 10_000;
/** Answered probes in a row that bring a member without an agent back. */
const GOOD_PROBES = 2;

/** The feed's report on the node's heartbeats. */
export interface HeardFacts {
  /** `up` of the feed; `suspect` is not. */
  readonly isUp: boolean;
  /** A static member that the coordinator has given up. */
  readonly isDown: boolean;
  readonly hasAgent: boolean;
  /** The agent's own connection is open. */
  readonly isConnected: boolean;
  /** The node proves its instance when it is probed. */
  readonly provesInstance: boolean;
  /** Milliseconds since the last heartbeat or registration, while the node is not up. */
  readonly silentMs: number;
}

/** The worker's knowledge beyond the node itself. */
export interface WatchDependencies {
  /** The feed is lost: the worker runs the lease by itself. */
  readonly isFeedLost: boolean;
  readonly leaseMs: number;
  /** True if in each context of the node another node is up or answers. Called only when the lease is over. */
  readonly othersLive: () => boolean;
}

/** The source of an answer. */
export interface AnswerSource {
  /** Instant at which its connection was opened. */
  readonly connectedAtMs: number;
  /** The answer of a probe. */
  readonly isProbe: boolean;
  /** It carried the proof of the registered instance. */
  readonly isProof: boolean;
}

const NEVER = Number.NEGATIVE_INFINITY;

export class NodeWatch {
  #heard: HeardFacts;
  /** The last answer that counts. */
  #answeredAtMs = NEVER;
  /** Requests that were sent and have no octet of an answer. */
  #unanswered = 0;
  /** Start of the time with such a request and without an octet from the node; meaningless while there is no such request. */
  #askedAtMs = NEVER;
  #probeAskedAtMs: number | undefined;
  #probedAtMs = NEVER;
  /** Instant at which the next probe is due although the last one was less than a second ago; Infinity: not due. */
  #urgentAtMs = Number.POSITIVE_INFINITY;
  /** Instant of the question that is overdue now; `undefined` when no question is. */
  #silentSinceMs: number | undefined;
  #firstRefusalMs: number | undefined;
  #refusedAtMs: number | undefined;
  /** Answered probes of a member without an agent, since it refused or was down. */
  #goodProbes = 0;
  #isGivenUp = false;
  /** Instant of the last heartbeat before the suspicion; Infinity while the node is up. */
  #suspectSinceMs = Number.POSITIVE_INFINITY;
  /** The same by the latest message of the feed: a restarted coordinator counts from its start. */
  #heardAtMs = Number.POSITIVE_INFINITY;
  /** Instant at which the worker received the suspicion. */
  #suspectedAtMs = NEVER;
  #closedAtMs = NEVER;
  #coldClosedAtMs = NEVER;
  #needsProof = false;

  constructor(heard: HeardFacts, nowMs: number) {
    this.#heard = heard;
    if (heard.isUp) return;
    this.#heardAtMs = nowMs - heard.silentMs;
    this.#suspectSinceMs = this.#heardAtMs;
    this.#suspectedAtMs = nowMs;
  }

  // ---- messages of the feed

  /** Records the feed's report on the node. Another process, or another address, gets a watch of its own instead. */
  hear(heard: HeardFacts, nowMs: number): void {
    this.#heard = heard;
    this.#heardAtMs = heard.isUp ? Number.POSITIVE_INFINITY : nowMs - heard.silentMs;
    if (heard.isUp === (this.#suspectSinceMs === Number.POSITIVE_INFINITY)) return;
    if (heard.isUp) this.#onHeard();
    else this.#onSuspect(heard, nowMs);
  }

  /** After heartbeats or a registration the coordinator knows which process has the address. */
  #onHeard(): void {
    this.#suspectSinceMs = Number.POSITIVE_INFINITY;
    this.#needsProof = false;
    if (!this.#heard.hasAgent) return;
    this.#refusedAtMs = undefined;
    this.#firstRefusalMs = undefined;
  }

  /** Earlier answers do not show which process has the address now: the node is probed first. */
  #onSuspect(heard: HeardFacts, nowMs: number): void {
    this.#suspectSinceMs = this.#heardAtMs;
    if (!heard.hasAgent) return;
    this.#answeredAtMs = NEVER;
    this.#suspectedAtMs = nowMs;
    const isTogether = !heard.isConnected && nowMs - this.#coldClosedAtMs < CLOSED_TOGETHER_MS;
    this.#needsProof = isTogether || nowMs - this.#closedAtMs < CLOSED_BEFORE_MS;
    this.#urgentAtMs = nowMs;
    if (!heard.isConnected && this.#firstRefusalMs !== undefined) this.#refuse(nowMs);
  }

  // ---- results of requests and probes

  /** A request is sent to the node. Every call is followed by one of `answered` and `unanswered`. */
  asked(nowMs: number): void {
    if (this.#unanswered++ === 0) this.#askedAtMs = nowMs;
  }

  /** The first octets of the answer to a request came. */
  answered(source: AnswerSource, nowMs: number): void {
    this.#unanswered--;
    this.#octets(source, nowMs);
  }

  /** A request ended without an octet of an answer. */
  unanswered(): void {
    this.#unanswered--;
  }

  /** A probe was sent, or its connection begun. */
  probeAsked(nowMs: number): void {
    this.#probedAtMs = nowMs;
    this.#urgentAtMs = Number.POSITIVE_INFINITY;
    this.#probeAskedAtMs ??= nowMs;
  }

  /** The node has answered a probe. */
  probeAnswered(source: AnswerSource, nowMs: number): void {
    this.#probeAskedAtMs = undefined;
    this.#octets(source, nowMs);
  }

  /** A connect completed at a node that is probed by connects only. */
  probeConnected(source: AnswerSource, nowMs: number): void {
    const hasWaited =
      this.#unanswered > 0 && nowMs - Math.max(this.#askedAtMs, this.#answeredAtMs) >= CONNECT_PROVES_MS;
    if (!hasWaited) this.probeAnswered(source, nowMs);
  }

  /** A probe ended without a result: its pooled connection was closed. */
  probeDropped(): void {
    this.#probeAskedAtMs = undefined;
  }

  /** A connect timed out, or the host was unreachable: this counts as an overdue question. */
  connectTimedOut(askedAtMs: number): void {
    this.#silentSinceMs ??= askedAtMs;
  }

  /** A connect was refused or reset, or the node closed a fresh connection without an octet. */
  refused(nowMs: number): void {
    this.#probeAskedAtMs = undefined;
    this.#goodProbes = 0;
    if (this.#refusedAtMs !== undefined) return;
    const isProcessGone = this.#heard.hasAgent && !this.#heard.isConnected;
    if (!this.isInDoubt) {
      this.#firstRefusalMs = nowMs;
      this.#urgentAtMs = nowMs + REFUSAL_GAP_MS;
    }
    if (isProcessGone || nowMs - this.#firstRefusalMs! >= REFUSAL_GAP_MS) this.#refuse(nowMs);
  }

  #refuse(nowMs: number): void {
    this.#refusedAtMs = nowMs;
    if (this.#heard.hasAgent && !this.#heard.isUp) this.#needsProof = true;
  }

  /** The node closed a connection without announcing it. `idleMs` is the idle time of the connection, 0 during a question. */
  closed(idleMs: number, nowMs: number): void {
    if (idleMs < WARM_MS) this.#closedAtMs = nowMs;
    else this.#coldClosedAtMs = nowMs;
    const { hasAgent, isUp, isConnected } = this.#heard;
    if (!hasAgent || isUp) return;
    const isTogether = !isConnected && nowMs - this.#suspectedAtMs < CLOSED_TOGETHER_MS;
    if (idleMs >= WARM_MS && !isTogether) return;
    this.#needsProof = true;
    this.#answeredAtMs = NEVER;
  }

  #octets(source: AnswerSource, nowMs: number): void {
    const isHeard = this.#heard.isUp || !this.#heard.hasAgent;
    if (!isHeard && !this.#counts(source)) return;
    this.#answeredAtMs = nowMs;
    this.#askedAtMs = nowMs;
    this.#silentSinceMs = undefined;
    this.#isGivenUp = false;
    this.#needsProof = false;
    if (this.#refusedAtMs === undefined && !this.#heard.isDown) {
      // On an older connection the answer may have been written before the port was closed.
      if (this.#firstRefusalMs !== undefined && source.connectedAtMs > this.#firstRefusalMs)
        this.#firstRefusalMs = undefined;
      return;
    }
    const returns = this.#heard.hasAgent ? isHeard || source.isProof : this.#isGoodProbe(source);
    if (!returns) return;
    this.#refusedAtMs = undefined;
    this.#firstRefusalMs = undefined;
  }

  #isGoodProbe({ isProbe }: AnswerSource): boolean {
    if (!isProbe) return false;
    this.#goodProbes = Math.min(GOOD_PROBES, this.#goodProbes + 1);
    return this.#goodProbes === GOOD_PROBES;
  }

  /** Whether an answer of a suspect node is its own: another process may have the address now. */
  #counts({ connectedAtMs, isProof }: AnswerSource): boolean {
    const { provesInstance } = this.#heard;
    // A node that can prove itself is not trusted on a connection that was opened after its last heartbeat.
    if (isProof || connectedAtMs < (provesInstance ? this.#suspectSinceMs : this.#suspectedAtMs)) return true;
    return !provesInstance && !this.#needsProof;
  }

  // ---- time

  /** Evaluates overdue questions and the lease. Call it several times a second. */
  check(nowMs: number, { isFeedLost, leaseMs, othersLive }: WatchDependencies): void {
    this.#silentSinceMs ??= this.#overdueSince(nowMs);
    const silentMs = this.#silentSinceMs === undefined ? 0 : nowMs - this.#silentSinceMs;
    if (!this.#heard.isUp && this.#heard.hasAgent && silentMs > PROOF_AFTER_MS) this.#needsProof = true;
    if (silentMs <= leaseMs || this.#isGivenUp || this.#heard.isDown) return;
    const isHeardSince = this.#heardAtMs - this.#silentSinceMs! > REQUEST_OVERDUE_MS;
    if (isHeardSince || isFeedLost) this.#isGivenUp = othersLive();
  }

  #overdueSince(nowMs: number): number | undefined {
    const probedAtMs = this.#probeAskedAtMs;
    if (probedAtMs !== undefined && nowMs - probedAtMs >= PROBE_OVERDUE_MS) return probedAtMs;
    if (this.#unanswered > 0 && nowMs - this.#askedAtMs >= REQUEST_OVERDUE_MS) return this.#askedAtMs;
    return undefined;
  }

  /** True when a probe is due now. */
  wantsProbe(nowMs: number): boolean {
    if (nowMs >= this.#urgentAtMs) return true;
    if (nowMs - this.#probedAtMs < PROBE_EVERY_MS) return false;
    const { isUp, hasAgent } = this.#heard;
    if (!isUp || this.#isGivenUp || this.#refusedAtMs !== undefined || this.#silentSinceMs !== undefined) return true;
    if (this.isInDoubt && this.#urgentAtMs === Number.POSITIVE_INFINITY) return true;
    return !hasAgent && nowMs - this.#answeredAtMs >= PROBE_EVERY_MS;
  }

  // ---- conclusions

  /** True while heartbeats arrive. For a member without an agent: while it answers, or has received no question. */
  isHeard(nowMs: number): boolean {
    const { isUp, isDown, hasAgent } = this.#heard;
    if (hasAgent) return isUp;
    const port = this.port(nowMs);
    return !isDown && (port === 'answers' || port === 'unknown');
  }

  port(nowMs: number): PortState {
    if (this.#refusedAtMs !== undefined) return 'refused';
    if (this.#silentSinceMs !== undefined) return 'unresponsive';
    if (this.#heard.isDown && this.#goodProbes < GOOD_PROBES) return 'unknown';
    return this.isAnswering(nowMs) ? 'answers' : 'unknown';
  }

  /** An answer that counts came within the last seconds. */
  isAnswering(nowMs: number): boolean {
    return nowMs - this.#answeredAtMs <= ANSWERS_MS;
  }

  /** A connect was refused, and no later one has confirmed or cleared it. */
  get isInDoubt(): boolean {
    return this.#refusedAtMs === undefined && this.#firstRefusalMs !== undefined;
  }

  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  get isDown(): boolean {
    return this.#heard.isDown;
  }

  /** How the requests of its sessions are handled. */
  verdict(nowMs: number): SessionVerdict {
    if (this.#isGivenUp || this.#heard.isDown) return 'move';
    const refusedForMs = this.#refusedAtMs === undefined ? 0 : nowMs - this.#refusedAtMs;
    return sessionVerdict(this.isHeard(nowMs), this.port(nowMs), refusedForMs);
  }

  /** The worker's report to the coordinator. */
  report(nowMs: number): PortReport {
    return this.#isGivenUp ? 'given-up' : this.port(nowMs);
  }

  /** Instant of the last answer that counts; -Infinity before the first. */
  get answeredAtMs(): number {
    return this.#answeredAtMs;
  }
}
