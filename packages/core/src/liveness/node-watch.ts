/**
 * What one worker knows of the life of one node: what the feed says of its heartbeats, and what its port does here.
 *
 * ```
 *                  octets of an answer that counts
 *        ┌────────────────────◀─────────────────────┬──────────────┐
 *        ▼                                          │              │
 *     answers ──nothing asked for 3 s──▶ unknown    │              │
 *        │                                  │       │              │
 *        └──a question is overdue───────────┴─▶ unresponsive       │
 *        │   (probe 1 s, request 3 s)               │              │
 *        └──two refusals, or one while the agent's  ▼              │
 *           connection is closed────────────────▶ refused ─────────┘ heard: one answer; suspect: proof or
 *                                                                    registration; no agent: two answered probes
 * ```
 *
 * Given up is beside that: a node whose questions got no octet for a lease, while another node of its contexts lives, and whose end the
 * coordinator would see seconds later or not at all: it is heard, or was heard well after the first of these questions, or the feed is lost. A
 * coordinator that was started again counts a lease anew. One answer ends it.
 *
 * Nothing in here does I/O or waits: the worker asks, reports what came of it, and calls `check` several times a second. All instants are
 * milliseconds of the worker's monotonic clock.
 */
import type { PortReport, PortState } from '@rollcall/protocol';
import { type SessionVerdict, sessionVerdict } from './session-rule.ts';

/** An answer stands for so long, milliseconds. */
export const ANSWERS_MS = 3_000;
/** A probe without an answer is overdue after this, milliseconds. */
export const PROBE_OVERDUE_MS = 1_000;
/** A request without an octet of an answer is overdue after this, milliseconds. */
export const REQUEST_OVERDUE_MS = 3_000;
/** Between two probes of a node, milliseconds. */
export const PROBE_EVERY_MS = 1_000;
/** Two refusals that are closer together are one: a listener that is opened anew takes that long, milliseconds. */
export const REFUSAL_GAP_MS = 250;
/** A suspect node that left a question unanswered for longer has to prove that it is the node, milliseconds. */
export const PROOF_AFTER_MS = 5_000;
/** A connection that the node closed so shortly before the suspicion belongs to it, milliseconds: a heartbeat may be that late. */
export const CLOSED_BEFORE_MS = 3_500;
/** A connection that was idle for less is warm: a node that closes it has most likely ended, milliseconds. */
export const WARM_MS = 1_000;
/** A cold connection may just have been idle for too long; closed so near to the agent's own, it ended with the process, milliseconds. */
export const CLOSED_TOGETHER_MS = 1_000;
/** A connect answers for a node that is probed by connects only, unless a request has waited so long, milliseconds. */
export const CONNECT_PROVES_MS = 10_000;
/** Answered probes in a row that bring a member without an agent back. */
const GOOD_PROBES = 2;

/** What the feed says of the node's heartbeats. */
export interface HeardFacts {
  /** `up` of the feed; `suspect` and `orphaned` are not. */
  readonly isUp: boolean;
  /** A static member that the coordinator has given up. */
  readonly isDown: boolean;
  readonly hasAgent: boolean;
  /** The agent's own connection is open. */
  readonly isConnected: boolean;
  /** The node proves its instance when it is probed. */
  readonly provesInstance: boolean;
  /** Milliseconds since the node was last heard, while it is not up. */
  readonly silentMs: number;
}

/** What the worker itself knows beside the node. */
export interface Surroundings {
  /** The feed is lost: the worker runs the lease by itself. */
  readonly isFeedLost: boolean;
  readonly leaseMs: number;
  /** In each context of the node another node is heard or answers. Asked only when the lease is over. */
  readonly othersLive: () => boolean;
}

/** Where an answer came from. */
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
  /** Since when there is one such request without an octet from the node; meaningless while there is none. */
  #askedAtMs = NEVER;
  #probeAskedAtMs: number | undefined;
  #probedAtMs = NEVER;
  /** When the next probe is due although the last one was less than a second ago. */
  #urgentAtMs = Number.POSITIVE_INFINITY;
  /** The question was asked then that is overdue now; `undefined` when none is. */
  #silentSinceMs: number | undefined;
  #firstRefusalMs: number | undefined;
  #refusedAtMs: number | undefined;
  /** Of a member without an agent, since it refused or was down. */
  #goodProbes = 0;
  #isGivenUp = false;
  /** When the node was last heard; Infinity while it is. */
  #suspectSinceMs = Number.POSITIVE_INFINITY;
  /** The same by the latest news: a coordinator that was started again counts from its start. */
  #heardAtMs = Number.POSITIVE_INFINITY;
  /** When the worker learned of it. */
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

  // ---- what the feed says

  /** The feed has news of the node. Another process, or another address, gets a watch of its own instead. */
  hear(heard: HeardFacts, nowMs: number): void {
    this.#heard = heard;
    this.#heardAtMs = heard.isUp ? Number.POSITIVE_INFINITY : nowMs - heard.silentMs;
    if (heard.isUp === (this.#suspectSinceMs === Number.POSITIVE_INFINITY)) return;
    if (heard.isUp) this.#onHeard();
    else this.#onSuspect(heard, nowMs);
  }

  /** Heartbeats or a registration: the coordinator knows whose address it is. */
  #onHeard(): void {
    this.#suspectSinceMs = Number.POSITIVE_INFINITY;
    this.#needsProof = false;
    if (!this.#heard.hasAgent) return;
    this.#refusedAtMs = undefined;
    this.#firstRefusalMs = undefined;
  }

  /** Earlier answers say nothing of who has the address now: the node is asked first. */
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

  // ---- what requests and probes find

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

  /** A connect went through to a node that answers no probe but that. */
  probeConnected(source: AnswerSource, nowMs: number): void {
    const hasWaited =
      this.#unanswered > 0 && nowMs - Math.max(this.#askedAtMs, this.#answeredAtMs) >= CONNECT_PROVES_MS;
    if (!hasWaited) this.probeAnswered(source, nowMs);
  }

  /** A probe has come to nothing that says anything: its pooled connection was closed. */
  probeDropped(): void {
    this.#probeAskedAtMs = undefined;
  }

  /** A connect got no answer in time, or found no way: a question that is overdue. */
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

  /** The node closed a connection that was idle for `idleMs`, 0 in the middle of a question, and that it had not announced to close. */
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
      // On an older connection it may have been written before the port was closed.
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

  /** Whether an answer of a suspect node is its own: the address may have another tenant by now. */
  #counts({ connectedAtMs, isProof }: AnswerSource): boolean {
    const { provesInstance } = this.#heard;
    // A node that can prove itself is not trusted for a connection that was opened while it was silent already.
    if (isProof || connectedAtMs < (provesInstance ? this.#suspectSinceMs : this.#suspectedAtMs)) return true;
    return !provesInstance && !this.#needsProof;
  }

  // ---- time

  /** Acts upon questions that are overdue, and upon the lease. Call it several times a second. */
  check(nowMs: number, { isFeedLost, leaseMs, othersLive }: Surroundings): void {
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

  /** True when a probe is to be sent now. */
  wantsProbe(nowMs: number): boolean {
    if (nowMs >= this.#urgentAtMs) return true;
    if (nowMs - this.#probedAtMs < PROBE_EVERY_MS) return false;
    const { isUp, hasAgent } = this.#heard;
    if (!isUp || this.#isGivenUp || this.#refusedAtMs !== undefined || this.#silentSinceMs !== undefined) return true;
    if (this.isInDoubt && this.#urgentAtMs === Number.POSITIVE_INFINITY) return true;
    return !hasAgent && nowMs - this.#answeredAtMs >= PROBE_EVERY_MS;
  }

  // ---- what follows

  /** Heartbeats come; a member without an agent is heard while it answers, or has not been asked. */
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

  /** A connect was refused, and no later one says what it means. */
  get isInDoubt(): boolean {
    return this.#refusedAtMs === undefined && this.#firstRefusalMs !== undefined;
  }

  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  get isDown(): boolean {
    return this.#heard.isDown;
  }

  /** What happens to the requests of its sessions. */
  verdict(nowMs: number): SessionVerdict {
    if (this.#isGivenUp || this.#heard.isDown) return 'move';
    const refusedForMs = this.#refusedAtMs === undefined ? 0 : nowMs - this.#refusedAtMs;
    return sessionVerdict(this.isHeard(nowMs), this.port(nowMs), refusedForMs);
  }

  /** For the coordinator. */
  report(nowMs: number): PortReport {
    return this.#isGivenUp ? 'given-up' : this.port(nowMs);
  }

  /** Instant of the last answer that counts; -Infinity when there was none. */
  get answeredAtMs(): number {
    return this.#answeredAtMs;
  }
}
