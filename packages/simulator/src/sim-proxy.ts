/** One proxy: its copy of the rule, what it knows of the nodes, whom it has ejected. As the product's, without sockets. */
import {
  type Algorithm,
  type AttemptOutcome,
  type Candidate,
  type EjectionState,
  failoverNode,
  isAdmitted,
  type LiveNumbers,
  mayEject,
  NOT_EJECTED,
  type NodeReport,
  newLiveNumbers,
  type Observation,
  OutlierWatch,
  observe,
  PROBE_EVERY_MS,
  type SeenAnswer,
  SoftStickiness,
} from '@rollcall/core';
import type { EventHeap } from './event-heap.ts';
import type { NodeStanding } from './sim-node.ts';

export type NodeId = Candidate['id'];

/** A node as one proxy sees it. */
export interface SimCandidate extends Candidate {
  readonly live: LiveNumbers;
  readonly node: NodeStanding;
  readonly group: undefined;
  ejection: EjectionState;
  /** Connects are refused; no probe has found it back yet. */
  isRefusing: boolean;
}

export interface SimProxyOptions {
  readonly heap: EventHeap;
  readonly now: () => number;
  /** For requests without a session. */
  readonly requests: Algorithm;
  /** For new sessions; may be the same. */
  readonly sessions: Algorithm;
  /** Part of every node's requests that come this way. */
  readonly share: number;
  readonly ejects: boolean;
  /** Sessions may leave a node that is hot for long. */
  readonly movesSessions: boolean;
  /** The rule hears nothing of requests that their session binds to a node. */
  readonly ignoresBound: boolean;
}

/** An answer of a node, and what it told beside it. */
export interface SimAnswer {
  readonly outcome: AttemptOutcome;
  /** Its session bound the request to the node. */
  readonly isBound: boolean;
  readonly latencyMs: number;
  readonly told: NodeReport | undefined;
}

const NONE: ReadonlySet<NodeId> = new Set();

export class SimProxy {
  readonly #options: SimProxyOptions;
  readonly #algorithms: readonly Algorithm[];
  readonly #members = new Map<number, SimCandidate>();
  /** Those that may take new sessions and requests without one; changed in place, as the product's are. */
  readonly #open: SimCandidate[] = [];
  readonly #ask = { nowMs: 0, isNewSession: false };
  readonly #outliers = new OutlierWatch<SimCandidate>();
  readonly #soft: SoftStickiness<SimCandidate> | undefined;
  ejections = 0;

  constructor(options: SimProxyOptions) {
    this.#options = options;
    const { requests, sessions, movesSessions } = options;
    this.#algorithms = [...new Set([requests, sessions])];
    if (movesSessions && sessions.heat !== undefined)
      this.#soft = new SoftStickiness({ heat: (candidate, nowMs) => sessions.heat?.(candidate, nowMs) ?? 1 });
  }

  get members(): ReadonlyMap<number, SimCandidate> {
    return this.#members;
  }

  /** Nodes that have come, gone or changed their wish. */
  follow(nodes: readonly NodeStanding[]): void {
    for (const node of nodes) {
      if (node.isGone) this.#drop(node.index);
      else if (!this.#members.has(node.index)) this.#members.set(node.index, this.#candidate(node));
    }
    this.#open.length = 0;
    for (const candidate of this.#members.values()) this.#stand(candidate);
    for (const algorithm of this.#algorithms) algorithm.onMembership?.([...this.#members.values()]);
  }

  /** A node for a new session or a request without one. */
  place(isNewSession: boolean, tried: ReadonlySet<NodeId> = NONE): SimCandidate | undefined {
    this.#ask.nowMs = this.#options.now();
    this.#ask.isNewSession = isNewSession;
    const algorithm = isNewSession ? this.#options.sessions : this.#options.requests;
    return algorithm.pick(this.#open, this.#ask, tried);
  }

  /** The session's own node while it is there and takes connections; `undefined` when it has to go elsewhere. */
  home(node: number): SimCandidate | undefined {
    const candidate = this.#members.get(node);
    return candidate !== undefined && !candidate.isRefusing ? candidate : undefined;
  }

  /** May a session leave this node for a better one now? A yes is spent by asking. */
  mayLeave(candidate: SimCandidate): boolean {
    return this.#soft?.mayLeave(candidate, this.#open, this.#options.now()) ?? false;
  }

  /** Where a session goes whose node is not eligible: the same for all its requests. */
  failover(sessionHash: number, tried: ReadonlySet<NodeId>): SimCandidate | undefined {
    return failoverNode(this.#open, { failover: 'any', group: undefined, hash: sessionHash }, tried);
  }

  send(candidate: SimCandidate, isBound: boolean): void {
    if (candidate.ejection.phase === 'trial') this.observe(candidate, 'sent');
    if (!this.#hears(isBound)) return;
    candidate.live.inFlight++;
    for (const algorithm of this.#algorithms) algorithm.onSend?.(candidate, this.#options.now());
  }

  /** An answer came, with what the node told beside it. */
  answer(candidate: SimCandidate, { outcome, isBound, latencyMs, told }: SimAnswer): void {
    const nowMs = this.#options.now();
    const isHeard = this.#hears(isBound);
    if (told && isHeard) this.report(candidate, told);
    if (isHeard) for (const algorithm of this.#algorithms) algorithm.onResponse?.(candidate, outcome, latencyMs, nowMs);
    const isError = outcome === 'server-error';
    this.observe(candidate, isError ? 'failed' : 'answered');
    this.#judge(candidate, { isError, isBound, latencyMs });
    if (isHeard) candidate.live.inFlight--;
  }

  /** The attempt is over without an answer. */
  lose(candidate: SimCandidate, why: 'failed' | 'refused' | 'abandoned', isBound: boolean): void {
    const nowMs = this.#options.now();
    const isHeard = this.#hears(isBound);
    if (why === 'failed' && isHeard)
      for (const algorithm of this.#algorithms) algorithm.onResponse?.(candidate, 'failed', Number.NaN, nowMs);
    if (why === 'abandoned') this.observe(candidate, why);
    else {
      this.observe(candidate, 'failed');
      if (why === 'refused') this.#refuse(candidate);
      this.#judge(candidate, { isError: true, isBound, latencyMs: Number.NaN });
    }
    if (isHeard) candidate.live.inFlight--;
  }

  #judge(candidate: SimCandidate, answer: SeenAnswer): void {
    if (this.#outliers.see(candidate, answer, this.#options.now()) !== undefined) this.observe(candidate, 'outlier');
  }

  /** Nothing listens there: the node gets nothing until a probe has found it back. */
  #refuse(candidate: SimCandidate): void {
    if (!this.#options.ejects || candidate.isRefusing) return;
    candidate.isRefusing = true;
    this.ejections++;
    this.#stand(candidate);
    this.#probeSoon(candidate);
  }

  #hears(isBound: boolean): boolean {
    return !(isBound && this.#options.ignoresBound);
  }

  report(candidate: SimCandidate, told: NodeReport): void {
    const nowMs = this.#options.now();
    const { live } = candidate;
    if (told.load >= 0) {
      live.load = told.load;
      live.loadAtMs = nowMs;
    }
    if (told.sessions >= 0) {
      live.sessions = told.sessions;
      live.placed = 0;
    }
    for (const algorithm of this.#algorithms) algorithm.onReport?.(candidate, told, nowMs);
  }

  observe(candidate: SimCandidate, observation: Observation): void {
    if (!this.#options.ejects) return;
    const { ejection: before } = candidate;
    const after = observe(before, observation, this.#options.now(), { mayEject: this.#allows(observation) });
    if (after === before) return;
    candidate.ejection = after;
    if (after.phase === 'ejected') {
      this.#outliers.forget(candidate);
      this.ejections++;
      this.#options.heap.plan(after.sinceOrUntilMs, () => {
        if (candidate.ejection === after && !candidate.node.isGone) this.observe(candidate, 'due');
      });
    }
    if (isAdmitted(after) !== isAdmitted(before)) this.#stand(candidate);
  }

  /** Asks a node that refused, once a second, whether it takes connections again. */
  #probeSoon(candidate: SimCandidate): void {
    this.#options.heap.plan(this.#options.now() + PROBE_EVERY_MS, () => {
      if (candidate.node.isGone) return;
      candidate.isRefusing = candidate.node.health === 'crashed';
      if (candidate.isRefusing) this.#probeSoon(candidate);
      else this.#stand(candidate);
    });
  }

  /** Counting is left to observations that may eject. */
  #allows(observation: Observation): boolean {
    if (observation !== 'outlier') return true;
    let ejected = 0;
    for (const { ejection } of this.#members.values()) if (!isAdmitted(ejection)) ejected++;
    return mayEject(ejected, this.#members.size);
  }

  #drop(node: number): void {
    const candidate = this.#members.get(node);
    if (candidate === undefined) return;
    this.#members.delete(node);
    this.#outliers.forget(candidate);
  }

  #stand(candidate: SimCandidate): void {
    const at = this.#open.indexOf(candidate);
    const { node, ejection, isRefusing } = candidate;
    const isOpen = node.isEnabled && !node.isGone && !isRefusing && isAdmitted(ejection);
    if (isOpen && at < 0) this.#open.push(candidate);
    else if (!isOpen && at >= 0) this.#open.splice(at, 1);
  }

  #candidate(node: NodeStanding): SimCandidate {
    return {
      id: `n${node.index}` as NodeId,
      weight: node.weight,
      cores: 1,
      upAtMs: node.upAtMs,
      node,
      group: undefined,
      ejection: NOT_EJECTED,
      isRefusing: false,
      live: { ...newLiveNumbers(), share: this.#options.share },
    };
  }
}
