/**
 * Runs one scenario under one rule. Each request goes to a random proxy, which places it with its own copy of the rule; the
 * node serves requests in order. The network has no delay, so load fields in answers are current. `SimProxy` models a proxy,
 * `SimNode` a node; this file connects them.
 */
import { type Candidate, type NodeReport, type Rng, seededRng } from '@rollcall/core';
import {
  type ArrivalOptions,
  planFixedSessions,
  planRequests,
  planSessions,
  type Session,
  type SessionEvents,
} from './arrivals.ts';
import { type Draw, workDraw } from './chance.ts';
import type { Contender, World } from './contender.ts';
import { EventHeap } from './event-heap.ts';
import { planAntagonists, planHappenings } from './happenings.ts';
import { LOOK_MS, Measures, type RunResult } from './measures.ts';
import { planReports, TOLD_NOTHING, toldBesideAnswer } from './reports.ts';
import type { NodeGroup, Scenario } from './scenario.ts';
import { type Job, SimNode } from './sim-node.ts';
import { type SimCandidate, SimProxy } from './sim-proxy.ts';

/** A request of a client, with all its attempts. */
interface Request {
  readonly sentMs: number;
  readonly workMs: number;
  readonly proxy: SimProxy;
  readonly session: Session | undefined;
  readonly tried: Set<Candidate['id']>;
  retriesLeft: number;
  attempt: Attempt | undefined;
}

/** An attempt to have one node serve a request. */
interface Attempt extends Job {
  readonly request: Request;
  readonly candidate: SimCandidate;
  /** Whether its session determined the node, not the rule. */
  readonly isBound: boolean;
}

const STREAMS = { proxies: 2, work: 3, antagonists: 4, reports: 5, requests: 6, logins: 7, lives: 8, lost: 9 } as const;
const FIRST_PROXY_STREAM = 100;
const DEFAULT_RETRIES = 2;
/** Fraction of the warm-up during which the sessions of the start log in. */
const LOGIN_PART = 0.5;
/** Multiplier that spreads session numbers over all 32 bits. @see Knuth, The Art of Computer Programming 3, 6.4 */
const GOLDEN = 2_654_435_761;

/** Receives the completed fraction of the run, 0 … 1, every 65,536 events. */
export type OnProgress = (part: number) => void;

/** Runs `scenario` under one rule. Equal arguments give equal results. */
export function runScenario(
  scenario: Scenario,
  contender: Contender,
  seed: number,
  onProgress?: OnProgress,
): RunResult {
  return new ClusterRun(scenario, contender, seed).run(onProgress);
}

class ClusterRun {
  readonly #scenario: Scenario;
  readonly #contender: Contender;
  readonly #heap = new EventHeap();
  readonly #nodes: SimNode<Attempt>[] = [];
  readonly #proxies: SimProxy[] = [];
  readonly #measures: Measures;
  readonly #work: Draw;
  readonly #whichProxy: Rng;
  #nowMs = 0;

  constructor(scenario: Scenario, contender: Contender, seed: number) {
    this.#scenario = scenario;
    this.#contender = contender;
    this.#measures = new Measures(scenario);
    // Streams of their own, so that every rule meets the same requests, the same work and the same antagonists.
    const stream = (number: number): Rng => seededRng(seed * 1_000_003 + number);
    this.#whichProxy = stream(STREAMS.proxies);
    this.#work = workDraw(scenario.work, stream(STREAMS.work));
    for (const group of scenario.nodes) for (let i = 0; i < group.count; i++) this.#addNode(group);
    const world = this.#world();
    for (let number = 0; number < scenario.proxies; number++)
      this.#proxies.push(this.#newProxy(stream(FIRST_PROXY_STREAM + number), world));
    this.#tellMembership();
    const surroundings = { heap: this.#heap, now: () => this.#nowMs, nodes: this.#nodes, scenario };
    planAntagonists(surroundings, stream(STREAMS.antagonists));
    planHappenings(surroundings, {
      onJoin: (group) => this.#measures.joined(this.#addNode(group)),
      onMembership: () => this.#tellMembership(),
      onCrash: (node) => this.#crash(node),
    });
    planReports(surroundings, this.#proxies, { phase: stream(STREAMS.reports), loss: stream(STREAMS.lost) });
    this.#planArrivals((what) => stream(STREAMS[what]));
    this.#planLooks();
  }

  run(onProgress?: OnProgress): RunResult {
    const { warmupMs, durationMs, deadlineMs } = this.#scenario;
    const endMs = warmupMs + durationMs + deadlineMs;
    let events = 0;
    for (let event = this.#heap.take(); event !== undefined && event.atMs <= endMs; event = this.#heap.take()) {
      this.#nowMs = event.atMs;
      event.run();
      if (onProgress !== undefined && ++events % 65_536 === 0) onProgress(this.#nowMs / endMs);
    }
    const ejections = this.#proxies.reduce((sum, proxy) => sum + proxy.ejections, 0);
    return this.#measures.result(this.#nodes, ejections);
  }

  #world(): World {
    const joins = (this.#scenario.events ?? []).map((event) => (event.does === 'join' ? event.count : 0));
    return {
      nowMs: () => this.#nowMs,
      nodes: this.#nodes.length + joins.reduce((sum, count) => sum + count, 0),
      proxies: this.#scenario.proxies,
      inFlight: (node) => this.#nodes[node]!.inFlight,
      finishMs: (node) =>
        this.#nodes[node]!.backlogMs() + this.#scenario.work.meanMs / this.#nodes[node]!.effectiveSpeed,
      probedLatencyMs: (node) => this.#nodes[node]!.recent.medianMs(this.#nodes[node]!.inFlight),
    };
  }

  #newProxy(rng: Rng, world: World): SimProxy {
    const { requests: forRequests, sessions: forSessions } = this.#contender;
    const options = { rng, world, indexOf: (id: string) => Number(id.slice(1)) };
    const requests = forRequests(options);
    return new SimProxy({
      heap: this.#heap,
      now: () => this.#nowMs,
      requests,
      sessions: forSessions ? forSessions(options) : requests,
      share: 1 / this.#scenario.proxies,
      ejects: this.#scenario.ejects ?? true,
      ignoresBound: this.#contender.ignoresBound ?? false,
      movesSessions: (this.#contender.movesSessions && this.#scenario.sessions?.isMovable) ?? false,
    });
  }

  // ---- nodes

  #addNode({ speed, weight = 1 }: Omit<NodeGroup, 'count'>): SimNode<Attempt> {
    const node = new SimNode<Attempt>({
      index: this.#nodes.length,
      speed,
      weight,
      // Nodes of the start count as long established.
      upAtMs: this.#nowMs > 0 ? this.#nowMs : Number.NEGATIVE_INFINITY,
      heap: this.#heap,
      now: () => this.#nowMs,
      onDone: (from, attempt, busyMs) => this.#onDone(from, attempt, busyMs),
    });
    this.#nodes.push(node);
    return node;
  }

  #tellMembership(): void {
    for (const proxy of this.#proxies) proxy.follow(this.#nodes);
  }

  #crash(node: SimNode<Attempt>): void {
    for (const attempt of node.crash()) this.#lost(attempt, 'failed');
  }

  #planLooks(): void {
    const { warmupMs, durationMs } = this.#scenario;
    const look = (): void => {
      this.#measures.look(this.#nodes, this.#nowMs);
      if (this.#nowMs < warmupMs + durationMs) this.#heap.plan(this.#nowMs + LOOK_MS, look);
    };
    this.#heap.plan(LOOK_MS, look);
  }

  // ---- load

  #planArrivals(stream: ArrivalOptions['stream']): void {
    const { utilisation, work, sessions, antagonists, warmupMs, durationMs } = this.#scenario;
    const left = antagonists === undefined ? 1 : 1 - antagonists.share * (1 - antagonists.factor);
    const capacity = this.#nodes.reduce((sum, { speed }) => sum + speed, 0) * left;
    const perMs = (utilisation * capacity) / work.meanMs;
    const options = { heap: this.#heap, now: () => this.#nowMs, endMs: warmupMs + durationMs, stream };
    if (sessions === undefined) {
      planRequests(perMs, options, () => this.#request(undefined));
      return;
    }
    const steady = (perMs * 1_000) / sessions.requestsPerSecond;
    const events: SessionEvents = {
      onRequest: (session) => this.#request(session),
      onEnd: (session) => this.#settle(session, undefined),
    };
    if (sessions.population === 'fixed') planFixedSessions(sessions, Math.max(1, Math.round(steady)), options, events);
    else planSessions(sessions, steady, warmupMs * LOGIN_PART, options, events);
  }

  #request(session: Session | undefined): void {
    const { deadlineMs, retries = DEFAULT_RETRIES } = this.#scenario;
    const request: Request = {
      sentMs: this.#nowMs,
      workMs: this.#work(),
      proxy: this.#proxies[Math.floor(this.#whichProxy() * this.#proxies.length)]!,
      session,
      tried: new Set(),
      retriesLeft: retries,
      attempt: undefined,
    };
    this.#heap.plan(this.#nowMs + deadlineMs, () => this.#onDeadline(request));
    this.#forward(request);
  }

  #forward(request: Request): void {
    const { proxy, session, tried, workMs } = request;
    const home = session?.isEstablished ? session.home : undefined;
    const candidate = session === undefined ? proxy.place(false, tried) : this.#place(request, session);
    if (candidate === undefined) {
      this.#measures.request(request.sentMs, Number.NaN, true);
      return;
    }
    const node = this.#nodes[candidate.node.index]!;
    const attempt: Attempt = {
      request,
      candidate,
      isBound: candidate.node.index === home,
      sentMs: this.#nowMs,
      workMs,
      inFlightBefore: 0,
      isInFlight: false,
      beganMs: 0,
    };
    request.attempt = attempt;
    tried.add(candidate.id);
    this.#measures.placed(node, workMs, this.#nowMs);
    proxy.send(candidate, attempt.isBound);
    if (node.health === 'crashed' || node.isGone) this.#lost(attempt, 'refused');
    else node.take(attempt);
  }

  /** The node of the session, or another node if the session may not stay there; `undefined` if no node is eligible. */
  #place({ proxy, tried }: Request, session: Session): SimCandidate | undefined {
    const home = session.home === undefined ? undefined : this.#nodes[session.home]!;
    if (home !== undefined && !home.isGone) {
      const candidate = proxy.home(home.index);
      if (candidate === undefined || tried.has(candidate.id))
        return proxy.failover(Math.imul(session.number, GOLDEN), tried);
      if (!proxy.mayLeave(candidate)) return candidate;
      tried.add(candidate.id);
      this.#measures.moved(this.#nowMs);
    }
    const candidate = proxy.place(true, tried);
    if (candidate !== undefined) {
      candidate.live.placed++;
      this.#settle(session, candidate.node.index);
    }
    return candidate;
  }

  /** Sets the node of the session and moves its demand there; `undefined` removes the demand. */
  #settle(session: Session, home: number | undefined): void {
    if (session.home !== undefined) this.#count(session.home, -1, session);
    session.home = home;
    if (home !== undefined && !session.hasEnded) this.#count(home, 1, session);
  }

  #count(home: number, by: 1 | -1, { requestsPerSecond }: Session): void {
    const node = this.#nodes[home]!;
    node.sessions += by;
    node.demand += by * requestsPerSecond;
  }

  // ---- how attempts end

  #onDone(node: SimNode<Attempt>, attempt: Attempt, busyMs: number): void {
    if (node.health === 'breaks') {
      this.#lost(attempt, 'failed');
      return;
    }
    const { request, candidate } = attempt;
    const isOk = node.health === 'well';
    node.finished(busyMs);
    const reported: NodeReport | undefined =
      (this.#scenario.tells ?? 'beside-answers') === 'beside-answers' ? toldBesideAnswer(node, busyMs) : TOLD_NOTHING;
    const { session } = request;
    request.proxy.answer(candidate, {
      outcome: isOk ? 'ok' : 'server-error',
      isBound: attempt.isBound,
      latencyMs: this.#nowMs - attempt.sentMs,
      reported,
    });
    if (session !== undefined && !session.isEstablished) {
      if (isOk) session.isEstablished = true;
      // A client without a cookie logs in again.
      else if (session.home === node.index) this.#settle(session, undefined);
    }
    this.#over(request, !isOk);
  }

  #lost(attempt: Attempt, why: 'failed' | 'refused'): void {
    const { request, candidate } = attempt;
    request.proxy.lose(candidate, why, attempt.isBound);
    request.attempt = undefined;
    if (request.retriesLeft-- > 0) this.#forward(request);
    else this.#over(request, true);
  }

  #onDeadline(request: Request): void {
    const { attempt } = request;
    if (attempt === undefined) return;
    this.#nodes[attempt.candidate.node.index]!.abandon(attempt);
    request.proxy.lose(attempt.candidate, 'abandoned', attempt.isBound);
    this.#over(request, true);
  }

  #over(request: Request, isError: boolean): void {
    request.attempt = undefined;
    this.#measures.request(request.sentMs, this.#nowMs - request.sentMs, isError);
  }
}
