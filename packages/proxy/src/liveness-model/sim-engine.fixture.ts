/** The engine of one worker without sockets: attempts, pools, parking and probes like the real one, over simulated nodes. */
import type { Rng } from '@rollcall/core';
import { proofOf } from '../cluster/node-probes.ts';
import { countsAgainstNode, FAILURE, type Failure, failureOn } from '../engine/failure.ts';
import type { ProbeQuestion } from '../engine/node-probe.ts';
import { decideRetry } from '../engine/retry.ts';
import type { Choice, RoutingDecision, UpstreamNode } from '../engine/router.ts';
import { newRoutingDecision } from '../engine/router.ts';
import type { ClusterRouter } from '../routing/cluster-router.ts';
import type { SimConnection, SimNode } from './sim-node.fixture.ts';
import type { Timeline } from './timeline.fixture.ts';

const UPSTREAM_TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 1_000;

export interface SimRequest {
  readonly id: number;
  readonly session: string | undefined;
  /** Route that its cookie names; `undefined` for a new visitor. */
  readonly cookie: string;
  readonly isPost: boolean;
  readonly arrivedMs: number;
  readonly decision: RoutingDecision;
  attempts: number;
  hasTriedFresh: boolean;
  parkedFor: object | undefined;
  parkedKind: string;
  parkedMs: number;
  hasWaited: boolean;
  isOver: boolean;
  /** Number of the present attempt; a result with another number is ignored. */
  attempt: number;
  node: UpstreamNode | undefined;
  isCounted: boolean;
  sentMs: number;
}

/** Result of a request: `by` is the instance that answered, `foreign` for another program. */
export interface SimOutcome {
  readonly status: number;
  readonly by: string | 'foreign' | undefined;
  readonly node: SimNode | undefined;
  readonly setCookie: string;
}

export interface SimEngineOptions {
  readonly worker: number;
  readonly timeline: Timeline;
  readonly rng: Rng;
  readonly router: ClusterRouter;
  readonly nodeOf: (node: UpstreamNode) => SimNode;
  readonly onEnd: (request: SimRequest, outcome: SimOutcome) => void;
  /** Called before a request is sent. */
  readonly onSent: (request: SimRequest, node: SimNode) => void;
}

export class SimEngine {
  readonly requests: Set<SimRequest> = new Set();
  readonly #options: SimEngineOptions;
  readonly #pools = new Map<UpstreamNode, SimConnection[]>();
  #count = 0;

  constructor(options: SimEngineOptions) {
    this.#options = options;
    const { router, timeline } = options;
    router.onChange = (key) => void timeline.in(0, () => this.#askAgain(key));
    router.onNodeGone = (node) => void this.#pools.delete(node);
    router.onNodeLost = (node) => void timeline.in(0, () => this.#lose(node));
  }

  /** The worker's process ends: everything that it began stops. */
  close(): void {
    for (const request of this.requests) {
      request.attempt = -1;
      request.parkedFor = undefined;
    }
    this.requests.clear();
    this.#pools.clear();
  }

  begin(id: number, session: string | undefined, cookie: string, isPost: boolean): void {
    const { timeline, router } = this.#options;
    const request: SimRequest = {
      id,
      session,
      cookie,
      isPost,
      arrivedMs: timeline.nowMs,
      decision: newRoutingDecision(),
      attempts: 0,
      hasTriedFresh: false,
      parkedFor: undefined,
      parkedKind: '',
      parkedMs: 0,
      hasWaited: false,
      isOver: false,
      attempt: 0,
      node: undefined,
      isCounted: false,
      sentMs: 0,
    };
    this.requests.add(request);
    this.#act(request, router.choose(headOf(request), request.decision, timeline.nowMs));
  }

  #act(request: SimRequest, choice: Choice): void {
    switch (choice) {
      case 'forward':
        this.#attempt(request);
        return;
      case 'wait':
        this.#park(request);
        return;
      default:
        this.#end(request, choice === 'failed' ? 502 : 503);
    }
  }

  #latestMs(request: SimRequest): number {
    return request.arrivedMs + this.#options.router.parkMs(request.decision.limits) + 5_000;
  }

  #park(request: SimRequest): void {
    const { timeline } = this.#options;
    const { waitFor, waitKind, waitMs } = request.decision;
    request.parkedFor = waitFor;
    request.parkedKind = waitKind;
    request.parkedMs = waitMs;
    request.hasWaited = true;
    const attempt = ++this.#count;
    request.attempt = attempt;
    const ms = Math.min(waitMs, this.#latestMs(request) - timeline.nowMs);
    timeline.in(ms, () => {
      if (request.attempt === attempt && request.parkedFor !== undefined) this.#ask(request, true);
    });
  }

  #askAgain(key?: object): void {
    for (const request of [...this.requests])
      if (request.parkedFor !== undefined && (key === undefined || request.parkedFor === key))
        this.#ask(request, false);
  }

  #ask(request: SimRequest, isOver: boolean): void {
    const { router, timeline } = this.#options;
    const { parkedFor, parkedKind } = request;
    const choice = router.askAgain(headOf(request), request.decision, timeline.nowMs);
    const { waitFor, waitKind, waitMs } = request.decision;
    const isSame = choice === 'wait' && waitFor === parkedFor && waitKind === parkedKind && waitMs === request.parkedMs;
    if (isSame && !isOver) return;
    request.parkedFor = undefined;
    if (isSame) this.#end(request, parkedKind === 'probe' ? 502 : 503);
    else this.#act(request, choice);
  }

  #attempt(request: SimRequest): void {
    const { timeline, router, nodeOf, rng, worker, onSent } = this.#options;
    const node = request.decision.node!;
    request.node = node;
    request.attempts++;
    const attempt = ++this.#count;
    request.attempt = attempt;
    const pool = this.#pools.get(node) ?? [];
    const pooled = request.hasTriedFresh || (request.isPost && rng() < 0.5) ? undefined : pool.pop();
    if (!request.isCounted) {
      request.isCounted = true;
      router.onSend(request.decision, timeline.nowMs);
    }
    request.sentMs = timeline.nowMs;
    if (pooled !== undefined) {
      this.#send(request, node, pooled);
      return;
    }
    const sim = nodeOf(node);
    const openedAtMs = timeline.nowMs;
    this.#connect(sim, worker, (connection) => {
      if (request.attempt !== attempt) return;
      if ('how' in connection) this.#failed(request, node, connection, false, false, openedAtMs);
      else {
        onSent(request, sim);
        this.#send(request, node, connection);
      }
    });
  }

  /** Result of a connect. */
  #connect(sim: SimNode, worker: number, done: (connection: SimConnection | Failure) => void): void {
    const { timeline } = this.#options;
    const openedAtMs = timeline.nowMs;
    const timeout = (): void => void timeline.in(CONNECT_TIMEOUT_MS, () => done(FAILURE.connectTimeout));
    if (sim.isCut[worker]) timeout();
    else if (!sim.isAlive && sim.tenant === 'silent') timeout();
    else if (sim.isAlive ? sim.isRefusing : sim.tenant === 'refuses') timeline.in(1, () => done(FAILURE.refused));
    else {
      const instance = sim.isAlive ? sim.instance : undefined;
      const connection = {
        worker,
        openedAtMs,
        instance,
        isOpen: true,
        idleSinceMs: openedAtMs,
        onClosed: () => {},
        served: 0,
      };
      if (instance !== undefined) sim.connections.add(connection);
      timeline.in(1, () => done(connection.isOpen ? connection : FAILURE.closedUnused));
    }
  }

  #send(request: SimRequest, node: UpstreamNode, connection: SimConnection): void {
    const { timeline, router, worker } = this.#options;
    const { attempt } = request;
    const wasReused = connection.served > 0;
    request.decision.connectedAtMs = connection.openedAtMs;
    const capMs = request.hasWaited ? Math.max(1_000, this.#latestMs(request) - timeline.nowMs) : UPSTREAM_TIMEOUT_MS;
    timeline.in(Math.min(UPSTREAM_TIMEOUT_MS, capMs), () => {
      if (request.attempt !== attempt) return;
      this.#failed(request, node, FAILURE.headTimeout, wasReused, true, connection.openedAtMs);
    });
    this.#deliver(node, connection, (by) => {
      if (request.attempt !== attempt) return;
      if (by === undefined) {
        router.onNodeClosed(node, 0, timeline.nowMs);
        const failure = wasReused ? FAILURE.closed : FAILURE.closedUnused;
        this.#failed(request, node, failure, wasReused, true, connection.openedAtMs);
        return;
      }
      router.onResponseHead(request.decision, 200, timeline.nowMs - request.sentMs, '', timeline.nowMs);
      this.#endCount(request, 'ok');
      this.#pool(node, connection);
      this.#end(request, 200, by, worker);
    });
  }

  #pool(node: UpstreamNode, connection: SimConnection): void {
    const { timeline, router } = this.#options;
    connection.served++;
    connection.idleSinceMs = timeline.nowMs;
    if (!connection.isOpen) return;
    const pool = this.#pools.get(node) ?? [];
    this.#pools.set(node, pool);
    pool.push(connection);
    connection.onClosed = () => {
      const at = pool.indexOf(connection);
      if (at < 0) return;
      pool.splice(at, 1);
      router.onNodeClosed(node, timeline.nowMs - connection.idleSinceMs, timeline.nowMs);
    };
  }

  /** A request on its way; `done` receives the instance that answered, `undefined` when the connection was closed. */
  #deliver(node: UpstreamNode, connection: SimConnection, done: (by: string | 'foreign' | undefined) => void): void {
    const { timeline, nodeOf, worker } = this.#options;
    const sim = nodeOf(node);
    let isOver = false;
    const end = (by: string | 'foreign' | undefined): void => {
      if (!isOver) done(by);
      isOver = true;
    };
    // A program that ends resets its connections at once, unless the worker cannot observe that.
    connection.onClosed = () => timeline.in(1, () => end(undefined));
    const arrive = (): void => {
      if (connection.instance === undefined) timeline.in(2, () => end('foreign'));
      else if (sim.isCut[worker]) sim.held.push({ worker, run: arrive });
      else if (!connection.isOpen || !sim.isAlive || sim.instance !== connection.instance) {
        if (sim.isAlive || sim.tenant !== 'silent') end(undefined);
      } else if (sim.isFrozen) sim.held.push({ worker, run: arrive });
      else end(sim.instance);
    };
    timeline.in(5 + this.#options.rng() * 15, arrive);
  }

  #failed(
    request: SimRequest,
    node: UpstreamNode,
    failure: Failure,
    wasReused: boolean,
    wasSent: boolean,
    openedAtMs: number,
  ): void {
    const { router, timeline } = this.#options;
    const nowMs = timeline.nowMs;
    if (failure.party === 'connect') router.onConnectFailure(node, failure, openedAtMs, nowMs);
    const retry = decideRetry({
      failure: failureOn(failure, wasSent, undefined),
      wasReused,
      isIdempotent: !request.isPost,
      canReplay: true,
      hasTriedFresh: request.hasTriedFresh,
      takesRequests: node.takesRequests,
      isBound: request.decision.isBound,
      answersChallenge: false,
      retriesLeft: request.decision.retriesLeft,
    });
    if (retry === 'same-node') {
      request.hasTriedFresh = true;
      this.#attempt(request);
      return;
    }
    this.#endCount(request, countsAgainstNode(failure) ? 'failed' : 'client', failure);
    if (retry === 'give-up' || request.attempts >= 20) {
      this.#end(request, failure.status);
      return;
    }
    request.hasTriedFresh = false;
    this.#act(request, router.chooseAgain(headOf(request), request.decision, failure, nowMs));
  }

  #lose(node: UpstreamNode): void {
    const { router, timeline } = this.#options;
    this.#pools.delete(node);
    for (const request of [...this.requests]) {
      if (request.parkedFor !== undefined || request.node !== node || request.isPost || !request.isCounted) continue;
      this.#endCount(request, 'failed', FAILURE.headTimeout);
      request.attempt = ++this.#count;
      request.hasTriedFresh = false;
      this.#act(request, router.askAgain(headOf(request), request.decision, timeline.nowMs));
    }
  }

  #endCount(request: SimRequest, outcome: 'ok' | 'failed' | 'client', failure?: Failure): void {
    if (!request.isCounted) return;
    request.isCounted = false;
    this.#options.router.onEnd(request.decision, outcome, this.#options.timeline.nowMs, failure);
  }

  #end(request: SimRequest, status: number, by?: string, _worker?: number): void {
    this.requests.delete(request);
    request.isOver = true;
    request.attempt = ++this.#count;
    const node = request.node === undefined ? undefined : this.#options.nodeOf(request.node);
    this.#options.onEnd(request, { status, by, node, setCookie: request.decision.setCookie });
  }

  // ---- probes

  probePooled(node: UpstreamNode, question: ProbeQuestion): boolean {
    const connection = this.#pools.get(node)?.pop();
    if (connection === undefined) return false;
    this.#probe(node, question, connection);
    return true;
  }

  probeFresh(node: UpstreamNode, question: ProbeQuestion): void {
    this.#connect(this.#options.nodeOf(node), this.#options.worker, (connection) => {
      if ('how' in connection) question.onFailure(connection, false);
      else this.#probe(node, question, connection);
    });
  }

  #probe(node: UpstreamNode, question: ProbeQuestion, connection: SimConnection): void {
    const { timeline, nodeOf, router } = this.#options;
    let isOver = false;
    timeline.in(question.openMs, () => {
      if (!isOver) question.onFailure(FAILURE.headTimeout, connection.served > 0);
      isOver = true;
    });
    this.#deliver(node, connection, (by) => {
      if (isOver) return;
      isOver = true;
      if (by === undefined) {
        router.onNodeClosed(node, 0, timeline.nowMs);
        const wasPooled = connection.served > 0;
        question.onFailure(wasPooled ? FAILURE.closed : FAILURE.closedUnused, wasPooled);
        return;
      }
      const sim = nodeOf(node);
      const isProof = by !== 'foreign' && sim.kind === 'sdk';
      question.onAnswer(connection.openedAtMs, isProof ? proofOf(by, question.nonce) : '');
      if (by !== 'foreign') this.#pool(node, connection);
    });
  }
}

function headOf({ isPost, cookie }: SimRequest): { method: string; host: string; target: string; cookie: string } {
  return { method: isPost ? 'POST' : 'GET', host: 'site.example', target: '/', cookie };
}
