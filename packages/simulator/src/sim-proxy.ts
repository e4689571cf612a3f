/** A proxy: its copy of the rule, its view of the nodes, and ejection. It models the proxy of the product, without sockets. */
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
  /** Whether connections are refused, until a probe succeeds. */
  isRefusing: boolean;
}

export interface SimProxyOptions {
  readonly heap: EventHeap;
  readonly now: () => number;
  /** Places requests without a session. */
  readonly requests: Algorithm;
  /** Places new sessions; may be the same object. */
  readonly sessions: Algorithm;
  /** Share of the requests of every node that pass this proxy, 0 … 1. */
  readonly share: number;
  readonly ejects: boolean;
  /** Whether sessions may leave a node that stays hot. */
  readonly movesSessions: boolean;
  /** Whether the rule ignores requests whose session determines the node. */
  readonly ignoresBound: boolean;
}

/** An answer of a node, with its load field. */
export interface SimAnswer {
  readonly outcome: AttemptOutcome;
  /** Whether the session of the request determined the node. */
  readonly isBound: boolean;
  readonly latencyMs: number;
  readonly reported: NodeReport | undefined;
}

const NONE: ReadonlySet<NodeId> = new Set();

export class SimProxy {
  readonly #options: SimProxyOptions;
  readonly #algorithms: readonly Algorithm[];
  readonly #members = new Map<number, SimCandidate>();
  /** Nodes that may get new sessions and requests without a session. Updated in place, as in the product. */
  readonly #open: SimCandidate[] = [];
  readonly #ask = { nowMs: 0, isNewSession: false };
  readonly #outliers = new OutlierWatch<SimCandidate>();
  readonly #soft: SoftStickiness<SimCandidate> | undefined;
  ejections = 0;

  constructor(options: SimProxyOptions) {
    this.#options = options;
    const { requests, sessions, movesSessions } = options;
    this.#algorithms = [...new Set([requests, sessions])];
    if (movesSessions && sessions.wait !== undefined)
      this.#soft = new SoftStickiness({ wait: (candidate, nowMs) => sessions.wait?.(candidate, nowMs) ?? 1 });
  }

  get members(): ReadonlyMap<number, SimCandidate> {
    return this.#members;
  }

  /** Updates the members after nodes have joined, left or changed their status. */
  follow(nodes: readonly NodeStanding[]): void {
    for (const node of nodes) {
      if (node.isGone) this.#drop(node.index);
      else if (!this.#members.has(node.index)) this.#members.set(node.index, this.#candidate(node));
    }
    this.#open.length = 0;
    for (const candidate of this.#members.values()) this.#stand(candidate);
    for (const algorithm of this.#algorithms) algorithm.onMembership?.([...this.#members.values()]);
  }

  /** Picks a node for a new session or a request without a session; `undefined` if no node is eligible. */
  place(isNewSession: boolean, tried: ReadonlySet<NodeId> = NONE): SimCandidate | undefined {
    this.#ask.nowMs = this.#options.now();
    this.#ask.isNewSession = isNewSession;
    const algorithm = isNewSession ? this.#options.sessions : this.#options.requests;
    return algorithm.pick(this.#open, this.#ask, tried);
  }

  /** The node of a session if it is present and accepts connections; `undefined` if the session must fail over. */
  home(node: number): SimCandidate | undefined {
    const candidate = this.#members.get(node);
    return candidate !== undefined && !candidate.isRefusing ? candidate : undefined;
  }

  /** Whether a session may leave this node for a better one now. Returning true uses up one move. */
  mayLeave(candidate: SimCandidate): boolean {
    return this.#soft?.mayLeave(candidate, this.#open, this.#options.now()) ?? false;
  }

  /** The failover node of a session, the same for all its requests. */
  failover(sessionHash: number, tried: ReadonlySet<NodeId>): SimCandidate | undefined {
    return failoverNode(this.#open, { failover: 'any', group: undefined, hash: sessionHash }, tried);
  }

  send(candidate: SimCandidate, isBound: boolean): void {
    if (candidate.ejection.phase === 'trial') this.observe(candidate, 'sent');
    if (!this.#hears(isBound)) return;
    candidate.live.inFlight++;
    for (const algorithm of this.#algorithms) algorithm.onSend?.(candidate, this.#options.now());
  }

  /** Records an answer and its load field. */
  answer(candidate: SimCandidate, { outcome, isBound, latencyMs, reported }: SimAnswer): void {
    const nowMs = this.#options.now();
    const isHeard = this.#hears(isBound);
    if (reported && isHeard) this.report(candidate, reported);
    if (isHeard) for (const algorithm of this.#algorithms) algorithm.onResponse?.(candidate, outcome, latencyMs, nowMs);
    const isError = outcome === 'server-error';
    this.observe(candidate, isError ? 'failed' : 'answered');
    this.#judge(candidate, { isError, isBound, latencyMs });
    if (isHeard) candidate.live.inFlight--;
  }

  /** Records the end of an attempt without an answer. */
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

  /** Takes a node that refuses connections out of rotation until a probe succeeds. */
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

  report(candidate: SimCandidate, reported: NodeReport): void {
    const nowMs = this.#options.now();
    const { live } = candidate;
    if (reported.load >= 0) {
      live.load = reported.load;
      live.loadAtMs = nowMs;
    }
    if (reported.sessions >= 0) {
      live.sessions = reported.sessions;
      live.placed = 0;
    }
    for (const algorithm of this.#algorithms) algorithm.onReport?.(candidate, reported, nowMs);
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

  /** Probes a node that refuses connections every `PROBE_EVERY_MS`, until it accepts one or leaves. */
  #probeSoon(candidate: SimCandidate): void {
    this.#options.heap.plan(this.#options.now() + PROBE_EVERY_MS, () => {
      if (candidate.node.isGone) return;
      candidate.isRefusing = candidate.node.health === 'crashed';
      if (candidate.isRefusing) this.#probeSoon(candidate);
      else this.#stand(candidate);
    });
  }

  /** Whether one more node may be ejected. Ejected nodes are counted for outliers only. */
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
