/**
 * Decides where a request is sent. The steps of a decision, top to bottom: `choose` looks up the context. `#decide` finds the
 * session and its node, or places a new one. `#accept` fills the decision. `chooseAgain` is the same after a failure. `onSend`,
 * `onResponseHead` and `onEnd` update the counters that later decisions read.
 */
import {
  type AnswerSource,
  type AttemptOutcome,
  contextFor,
  DEFAULT_PARAMETERS,
  ExcludedPaths,
  editCookies,
  editParameters,
  failoverNode,
  foresee,
  type HeldSession,
  hashText,
  MovedSessions,
  type NodeFacts,
  type NodeReport,
  type PickRequest,
  type RequestLimits,
  readLoadField,
  routeCookieId,
  type SeenAnswer,
  type ServedContext,
  type SoftStickiness,
  whyUnserved,
  withoutRoute,
} from '@rollcall/core';
import type { FeedJoiningContext } from '@rollcall/feed';
import type { FailoverCause, NodeId, TimeLimitKey } from '@rollcall/protocol';
import type { BalancerView, KnownRoute, Placement } from '../cluster/balancer-view.ts';
import { ClusterNode } from '../cluster/cluster-node.ts';
import type { ClusterView } from '../cluster/cluster-view.ts';
import type { Ejections } from '../cluster/ejections.ts';
import { FAILURE, type Failure } from '../engine/failure.ts';
import type {
  Choice,
  FailedAnswer,
  OwnAnswer,
  RoutableHead,
  Router,
  RoutingDecision,
  UpstreamNode,
  WaitKind,
} from '../engine/router.ts';
import { removesCookie } from '../http1/cookie-removal.ts';
import { tlsAdvice } from '../tls/node-tls.ts';
import { ASSIGN_PATH, assign } from './assignment.ts';
import { operatorDetail } from './operator-detail.ts';
import type { PickRecord } from './pick-record.ts';
import { RequestState } from './request-state.ts';

/** Time limit for a session that waits for a node that is expected back, milliseconds. */
export const LEARNING_WAIT_MS = 5_000;
/** Time limit for a request that waits while no node is eligible but one may be soon, milliseconds. */
export const NO_NODE_WAIT_MS = 1_000;
/** The same if the context has lost its last node within `LOST_LATELY_MS`: its nodes may be restarting. */
export const LOST_WAIT_MS = 10_000;
const LOST_LATELY_MS = 30_000;
/** Additional wait of a parked request beyond a lease, milliseconds. */
const LEASE_MARGIN_MS = 5_000;
/** Ids of applications that may be written into a cookie. Values of clients are sent back only in this form. */
const SAFE_ID = /^[A-Za-z0-9_.:~%+/=!*-]{1,512}$/;
/** Weight of the newest latency in the smoothed latency. */
const LATENCY_ALPHA = 0.1;
const NO_COOKIES: readonly string[] = [];

export interface ClusterRouterOptions {
  readonly view: ClusterView;
  readonly ejections: Ejections;
  /** Paths that are never forwarded. */
  readonly excluded?: ExcludedPaths | undefined;
  /** Makes ids for new sessions in insert mode. */
  readonly newSessionId: () => string;
  /** The session id of a request named an unknown route. */
  readonly onUnknownRoute: () => void;
  /** A session leaves a hot node. */
  readonly onMoved: () => void;
  /** A session has left its node permanently. `node` is the node that it left; `undefined` when only its route is known. */
  readonly onFailover: (balancer: BalancerView, node: NodeId | undefined, cause: FailoverCause) => void;
  /** An observation of a node's port may change the handling of its requests. */
  readonly onSeen: (node: ClusterNode, nowMs: number) => void;
  /** Wall clock, for cookies with a lifetime. */
  readonly nowUnixMs: () => number;
  /** A node that takes no new sessions has reached 0 in flight. */
  readonly onIdle: (node: ClusterNode) => void;
}

export type DecisionListener = (
  head: RoutableHead,
  state: RequestState,
  choice: ClusterNode | Exclude<Choice, 'forward'>,
  nowMs: number,
) => void;

export class ClusterRouter implements Router {
  onChange: (waitFor?: object) => void = () => {};
  onNodeLost: (node: UpstreamNode) => void = () => {};
  onNodeGone: (node: UpstreamNode) => void = () => {};
  /**
   * Receives each decision before it is counted, while an operator watches. It may read the state, and must not change
   * anything.
   */
  onDecision: DecisionListener | undefined;
  /** The comparison of the last pick, while an operator watches. */
  pickRecord: PickRecord | undefined;
  readonly #view: ClusterView;
  readonly #ejections: Ejections;
  readonly #excluded: ExcludedPaths;
  readonly #newSessionId: () => string;
  readonly #onUnknownRoute: () => void;
  readonly #onMoved: () => void;
  readonly #onIdle: (node: ClusterNode) => void;
  readonly #nowUnixMs: () => number;
  readonly #onFailover: ClusterRouterOptions['onFailover'];
  readonly #onSeen: ClusterRouterOptions['onSeen'];
  readonly #moves = new MovedSessions<ClusterNode>();
  /** The argument of algorithms; one object, because they never keep it. */
  readonly #request: { -readonly [K in keyof PickRequest]: PickRequest[K] } = {
    nowMs: 0,
    isNewSession: false,
    trace: undefined,
  };

  /** The node that a session leaves, as a set that is reused. */
  readonly #leaving = new Set<NodeId>();
  /** Like `#request`, for reports. */
  readonly #report: { -readonly [K in keyof NodeReport]: NodeReport[K] } = {
    inFlight: 0,
    serviceMs: 0,
    load: 0,
    sessions: 0,
    isBesideAnswer: true,
  };

  /** Source of an answer; one reused object. */
  readonly #source: { -readonly [K in keyof AnswerSource]: AnswerSource[K] } = {
    connectedAtMs: 0,
    isProbe: false,
    isProof: false,
  };

  /** And for answers. */
  readonly #answer: { -readonly [K in keyof SeenAnswer]: SeenAnswer[K] } = {
    isError: false,
    isBound: false,
    latencyMs: 0,
  };

  constructor(options: ClusterRouterOptions) {
    this.#view = options.view;
    this.#ejections = options.ejections;
    this.#excluded = options.excluded ?? new ExcludedPaths([]);
    this.#newSessionId = options.newSessionId;
    this.#onUnknownRoute = options.onUnknownRoute;
    this.#onMoved = options.onMoved;
    this.#onIdle = options.onIdle;
    this.#nowUnixMs = options.nowUnixMs;
    this.#onFailover = options.onFailover;
    this.#onSeen = options.onSeen;
  }

  /** A request without a limit for its answer is parked as long as one with a short limit, because a parked request holds memory. */
  parkMs({ upstreamTimeoutMs }: RequestLimits): number {
    const leastMs = this.#view.leaseMs + LEASE_MARGIN_MS;
    return upstreamTimeoutMs === Number.POSITIVE_INFINITY ? leastMs : Math.max(upstreamTimeoutMs, leastMs);
  }

  #parkMs(state: RequestState): number {
    return this.parkMs(state.limits ?? this.#view.limits);
  }

  own(head: RoutableHead, nowMs: number): OwnAnswer | undefined {
    const { target } = head;
    return target === ASSIGN_PATH || target.startsWith(`${ASSIGN_PATH}?`)
      ? assign(this, this.#view, head, nowMs)
      : undefined;
  }

  choose(head: RoutableHead, decision: RoutingDecision, nowMs: number): Choice {
    const state = stateOf(decision);
    state.refusals = 0;
    state.unansweredAttempts = 0;
    state.limits = undefined;
    return this.askAgain(head, decision, nowMs);
  }

  askAgain(head: RoutableHead, decision: RoutingDecision, nowMs: number): Choice {
    const state = stateOf(decision);
    takeBack(state);
    if (mayBeTheCause(state)) return 'failed';
    clearDecision(decision);
    state.boundNode = decision.boundNode;
    return this.#settle(head, decision, state, this.decide(head, state, nowMs), nowMs);
  }

  chooseAgain(head: RoutableHead, decision: RoutingDecision, failure: Failure, nowMs: number): Choice {
    const state = stateOf(decision);
    if (decision.isBound) {
      if (isRefusal(failure)) countRefusal(state, nodeOf(decision));
      return this.askAgain(head, decision, nowMs);
    }
    const { context } = state;
    if (decision.node) state.tried.add(decision.node.id);
    decision.node = undefined;
    decision.setCookie = '';
    decision.removeCookie = '';
    decision.retriesLeft--;
    takeBack(state);
    if (context === undefined) return 'unavailable';
    if (mayBeTheCause(state)) return 'failed';
    const { retriesLeft } = decision;
    const choice = this.#settle(head, decision, state, this.#place(state, context, nowMs), nowMs);
    decision.retriesLeft = retriesLeft;
    return choice;
  }

  /** Fills the decision and updates the counters. */
  #settle(
    head: RoutableHead,
    decision: RoutingDecision,
    state: RequestState,
    choice: ClusterNode | Exclude<Choice, 'forward'>,
    nowMs: number,
  ): Choice {
    const { context } = state;
    this.onDecision?.(head, state, choice, nowMs);
    if (context !== undefined) {
      decision.balancer = context.attached.label;
      decision.balancerCounters = context.attached.balancer.counters;
    }
    if (state.limits !== undefined) decision.limits = state.limits;
    if (state.hasLostMove) this.#moves.forget(state.sessionId);
    if (choice === 'wait') {
      decision.waitFor = state.waitFor;
      decision.waitKind = state.waitKind;
      decision.waitNode = state.waitNode;
      decision.waitMs = state.waitMs;
    }
    if (typeof choice === 'string') return choice;
    decision.retriesLeft = context?.attached.balancer.settings.retries ?? 0;
    if (state.namesUnknown) this.#onUnknownRoute();
    if (state.hasCooledOff) {
      this.#onMoved();
      choice.counters.balancer.moved++;
    }
    if (context !== undefined) watchUrl(context.attached.balancer);
    if (state.failoverCause !== undefined && context !== undefined) {
      this.#moves.remember(state.sessionId, choice, nowMs);
      // If the session had left this node before, it has returned.
      const { routes } = context.attached.balancer;
      this.#moves.forget(`${withoutRoute(state.sessionId, routes)}.${choice.route}`);
      const { node, lost } = state.known ?? {};
      context.attached.balancer.counters.failovers++;
      this.#onFailover(context.attached.balancer, node?.id ?? lost?.id, state.failoverCause);
    }
    this.#accept(head, decision, state, choice, nowMs);
    return 'forward';
  }

  sessionParameters(decision: RoutingDecision): readonly string[] {
    return stateOf(decision).context?.attached.balancer.settings.sticky.parameters ?? DEFAULT_PARAMETERS;
  }

  prefixAt(decision: RoutingDecision, authority: string): string | undefined {
    const { context } = stateOf(decision);
    const sentTo = nodeOf(decision);
    if (context === undefined || sentTo === undefined) return undefined;
    const node = sentTo.comparable === authority ? sentTo : context.attached.balancer.nodeAt(authority);
    if (node === undefined || !node.stripsPrefix) return node && '';
    // A node that does not serve the context of the request is public under its own.
    const { path } = context.contextOf(node) ?? node.contexts[0] ?? context;
    return node.prefixUnder(path);
  }

  /**
   * Finds the node for a request, or the reason why there is none. Fills `state`, which has been cleared, and changes nothing
   * else when the state is that of a question. Otherwise the algorithm counts the pick, and a session that may leave a hot
   * node has left it.
   */
  decide(head: RoutableHead, state: RequestState, nowMs: number): ClusterNode | Exclude<Choice, 'forward'> {
    const { table, learningUntilMs } = this.#view;
    const exclusion = this.#excluded.find(head.target);
    if (exclusion !== undefined) {
      state.refusedPath = 'excluded';
      state.because =
        exclusion === 'excluded' ? 'its path is excluded' : 'a node could read its path as an excluded one';
      return exclusion === 'excluded' ? 'not-found' : 'ambiguous';
    }
    const isLearning = nowMs < learningUntilMs;
    const context = table.find(head.host, head.target);
    if (context === 'ambiguous') {
      state.refusedPath = 'ambiguous';
      state.because = 'a node could read its path as one of another context';
      return 'ambiguous';
    }
    if (context === undefined) {
      if (isLearning) return learn(state, 'no context matches yet, and nodes are still expected back');
      state.because = table.contexts.length === 0 ? 'no node is registered' : 'no context matches host and path';
      return table.contexts.length === 0 ? 'unavailable' : 'not-found';
    }
    state.context = context;
    const { balancer } = context.attached;
    state.limits ??= balancer.limits.of(head.target);
    if (balancer.settings.sticky.mode === 'none') return this.#place(state, context, nowMs);
    const { search } = balancer;
    const isFound = search.find(head.cookie, head.target, balancer.routes);
    const isOver = search.timeS >= 0 && context.attached.cookie.isOver(search.timeS, this.#nowUnixMs());
    if (isFound && search.known !== undefined && !isOver) {
      state.cookieTimeS = search.timeS;
      state.known = search.known;
      state.sessionId = search.id;
      state.sessionPlace = search.place;
      state.sessionName = search.name;
      return this.#keep(state, context, search.known, nowMs);
    }
    state.namesUnknown = search.namesUnknown || search.isForged;
    if (search.namesUnknown && isLearning)
      return learn(state, 'its session names a route that is not known yet, and nodes are still expected back');
    state.result = opensSession(head) ? 'new' : 'none';
    return this.#place(state, context, nowMs);
  }

  onSend(decision: RoutingDecision, nowMs: number): void {
    const state = stateOf(decision);
    const node = nodeOf(decision);
    state.sentTo = node;
    state.isAnswered = false;
    if (node === undefined) return;
    node.live.inFlight++;
    node.counters.requests++;
    state.watch = node.watch;
    state.watch.asked(nowMs);
    if (node.ejection.phase === 'trial') this.#ejections.observe(node, 'sent', nowMs);
    state.context?.attached.algorithm.onSend?.(node, nowMs);
  }

  onSetCookie(decision: RoutingDecision, value: string): void {
    const state = stateOf(decision);
    const { context, sentTo, known } = state;
    if (context === undefined || sentTo === undefined) return;
    const { watch, routes, endsWithApplication } = context.attached.balancer;
    if (endsWithApplication) this.#follow(decision, state, context.attached, value);
    if (!watch.watchesCookies) return;
    const id = watch.onSetCookie(value, sentTo, known?.route ?? '', routes);
    if (id !== '') state.newSessionId = decision.rewriteRoute === '' ? id : `${id}.${decision.rewriteRoute}`;
  }

  /** The route cookie ends when the answer removes a session cookie of the application and sets none. */
  #follow(decision: RoutingDecision, state: RequestState, placement: Placement, value: string): void {
    const name = value.slice(0, Math.max(0, value.indexOf('='))).trim();
    if (!placement.balancer.settings.sticky.cookies.includes(name)) return;
    if (removesCookie(value, this.#nowUnixMs())) state.hasRemovedSession = true;
    else state.hasSetSession = true;
    if (!state.hasRemovedSession) return;
    if (!state.hasSetSession) {
      state.setCookieBefore ??= decision.setCookie;
      // A client without the cookie needs no removal.
      decision.setCookie = state.known === undefined ? '' : placement.cookie.removal(state.isSecure);
    } else if (state.setCookieBefore !== undefined) decision.setCookie = state.setCookieBefore;
  }

  onResponseHead(decision: RoutingDecision, status: number, latencyMs: number, loadField: string, nowMs: number): void {
    const state = stateOf(decision);
    const node = state.sentTo;
    if (node === undefined || state.isAnswered) return;
    state.isAnswered = true;
    this.#source.connectedAtMs = decision.connectedAtMs;
    state.watch?.answered(this.#source, nowMs);
    if (node.verdict !== 'forward' || node.tier === undefined) this.#onSeen(node, nowMs);
    const { live, counters } = node;
    live.latencyMs = live.latencyMs >= 0 ? live.latencyMs + LATENCY_ALPHA * (latencyMs - live.latencyMs) : latencyMs;
    if (status >= 500) counters.serverErrors++;
    if (loadField !== '' && node.readsLoadField) this.#hear(state, node, loadField, nowMs);
    this.#learn(state, node, status >= 500 ? 'server-error' : 'ok', latencyMs, nowMs);
    this.#judge(state, node, status >= 500, latencyMs, nowMs);
    const isEnded = state.hasRemovedSession && !state.hasSetSession;
    if (state.newSessionId !== '' && !isEnded) {
      if (state.known === undefined) node.sessions.open(state.newSessionId, nowMs);
      else node.sessions.see(state.newSessionId, nowMs);
      if (decision.setCookie !== '' && state.result === 'new') state.gaveCookieAt = state.context?.attached;
    }
    counters.balancer.stickyResults[state.result]++;
    if (state.placedAt === node && state.result === 'new') counters.newSessions++;
  }

  holdSession(decision: RoutingDecision, nowMs: number): HeldSession | undefined {
    const state = stateOf(decision);
    const isEnded = state.hasRemovedSession && !state.hasSetSession;
    const id = state.newSessionId || state.sessionId;
    return id === '' || isEnded ? undefined : state.sentTo?.sessions.hold(id, nowMs);
  }

  onEnd(decision: RoutingDecision, outcome: AttemptOutcome, nowMs: number, failure?: Failure): void {
    const state = stateOf(decision);
    const node = state.sentTo;
    if (node === undefined) return;
    state.sentTo = undefined;
    node.live.inFlight--;
    if (!state.isAnswered) state.watch?.unanswered();
    if (outcome === 'failed') {
      node.counters.failures++;
      node.counters.balancer.failures++;
      if (!state.isAnswered && failure?.retry !== 'unsent') state.unansweredAttempts++;
      this.#learn(state, node, 'failed', Number.NaN, nowMs);
      const watch = state.context?.attached.balancer.outliers;
      if (watch !== undefined)
        this.#ejections.failed(node, failure ?? FAILURE.cut, state.known !== undefined, watch, nowMs);
    } else if (!state.isAnswered) this.#ejections.observe(node, 'abandoned', nowMs);
    if (node.live.inFlight === 0 && node.isLeaving) this.#onIdle(node);
  }

  onConnectFailure(node: UpstreamNode, failure: Failure, askedAtMs: number, nowMs: number): void {
    if (!(node instanceof ClusterNode)) return;
    if (isRefusal(failure)) node.watch.refused(nowMs);
    else node.watch.connectTimedOut(askedAtMs);
    this.#onSeen(node, nowMs);
  }

  onNodeClosed(node: UpstreamNode, idleMs: number, nowMs: number): void {
    if (node instanceof ClusterNode) node.watch.closed(idleMs, nowMs);
  }

  /**
   * Reason why no node of the context is eligible, and the remedy; `''` when a node is eligible or the reason is unknown. For
   * operators, not for clients.
   */
  whyUnavailable({ context }: RequestState, nowMs: number): string {
    if (context === undefined) return '';
    const distrusted = context.members.find(({ tlsProblem }) => tlsProblem !== undefined);
    if (distrusted) return tlsAdvice(distrusted.id, distrusted.tlsProblem ?? '');
    const { balancer } = context.attached;
    const facts: NodeFacts[] = context.members.map((node) => ({
      id: node.id,
      liveness: node.feedNode.liveness,
      status: context.contextOf(node)?.status ?? 'stopped',
      port: node.watch.report(nowMs),
      isConnected: node.feedNode.isConnected,
      hasAgent: node.feedNode.hasAgent,
      isEndingItself: node.feedNode.isEndingItself === true,
    }));
    if (facts.length === 0)
      for (const { node, lost } of balancer.routes.values())
        if (node === undefined && lost !== undefined)
          facts.push({ id: lost.id, liveness: 'gone', goneCause: lost.cause, ...GONE_FACTS });
    const why = whyUnserved(context, facts);
    return why === undefined ? '' : `${why.message}; to do: ${why.remedy}`;
  }

  limitPath(decision: RoutingDecision, key: TimeLimitKey): string {
    return stateOf(decision).context?.attached.balancer.limits.pathOf(decision.limits, key) ?? '';
  }

  /** The context that a request would have if a joining node were up; `undefined` without one. */
  joiningContext(request: { readonly host: string; readonly target: string }): FeedJoiningContext | undefined {
    return contextFor(this.#view.joining, request);
  }

  operatorDetail(decision: RoutingDecision, { status, head, limit, nowMs }: FailedAnswer): string {
    const state = stateOf(decision);
    const { refusedPath, because } = state;
    const why = status === 503 ? this.whyUnavailable(state, nowMs) : '';
    const joining = this.joiningContext(head);
    const isCause = joining !== undefined && joining.path.length >= (state.context?.path.length ?? 0);
    return operatorDetail({
      status,
      refusedPath,
      because,
      why,
      joining: isCause ? joining.message : '',
      limit,
      node: decision.node,
      contexts: this.#view.table.contexts,
    });
  }

  /** The session's node or its replacement, by redirect, the table of the session rule, learning window and failover. */
  #keep(
    state: RequestState,
    context: ServedContext<ClusterNode, Placement>,
    known: KnownRoute,
    nowMs: number,
  ): ClusterNode | Exclude<Choice, 'forward'> {
    const home = known.node;
    const moved = this.#moves.find(state.sessionId, nowMs);
    if (moved !== undefined && moved !== home) {
      const there = this.#stay(state, context, moved);
      if (there !== undefined) {
        state.result = 'moved';
        state.because = `its session has moved to ${moved.id}`;
        return there;
      }
      state.hasLostMove = true;
    }
    if (home === undefined) {
      if (known.isExpected && nowMs < this.#view.learningUntilMs)
        return learn(state, `its session lives on route ${known.route}, whose node is expected back`);
      return this.#failOver(state, context, known, known.lost?.cause ?? 'unknown', nowMs);
    }
    if (home.redirectTo !== undefined) {
      const target = this.#view.nodes.get(home.redirectTo);
      if (target !== undefined && context.keepsSessions(target) && target.verdict === 'forward') {
        state.result = 'moved';
        state.failoverCause = 'redirected';
        state.because = `sessions of ${home.id} are redirected to ${target.id}`;
        return target;
      }
    }
    const there = this.#stay(state, context, home);
    if (there === undefined) return this.#failOver(state, context, known, lossOf(home, context), nowMs);
    if (there === 'wait' && state.waitKind === 'node' && isEager(context)) {
      const other = this.#failOver(state, context, known, 'eager', nowMs);
      if (typeof other !== 'string') return other;
    }
    if (typeof there === 'string') return there;
    const { soft } = context.attached;
    const cooler = soft === undefined || state.isQuestion ? undefined : this.#cooler(context, soft, home, nowMs);
    if (cooler !== undefined) {
      state.result = 'moved';
      state.hasCooledOff = true;
      state.because = `${home.id} stays hot, and its sessions are movable: this one moves to ${cooler.id}`;
      return cooler;
    }
    state.result = 'sticky';
    state.because = 'its session lives there';
    return home;
  }

  /** Applies the session rule to a request whose session is on `node`; `undefined` when the session must leave it. */
  #stay(
    state: RequestState,
    context: ServedContext<ClusterNode, Placement>,
    node: ClusterNode,
  ): ClusterNode | 'wait' | 'failed' | undefined {
    if (node.isGone || !context.keepsSessions(node)) return undefined;
    const { verdict } = node;
    switch (verdict) {
      case 'forward':
        if (state.refusals === 0 || state.refusedBy !== node.watch) return node;
        if (node.watch.isInDoubt)
          return wait(state, 'probe', this.#parkMs(state), node, node, `${node.id} refused a connect: a probe decides`);
        if (state.refusals === 1) return node;
        state.because = `${node.id} refused its request and answers probes`;
        return 'failed';
      case 'ask':
      case 'park': {
        state.refusals = 0;
        const why =
          verdict === 'ask'
            ? `${node.id} has no heartbeat: its port is being probed`
            : `${node.id} does not answer: the request waits for it`;
        return wait(state, 'node', this.#parkMs(state), node, node, why);
      }
      case 'move':
        return undefined;
    }
  }

  /** The new node of a session that may leave its hot node; `undefined` when the session stays. */
  #cooler(
    context: ServedContext<ClusterNode, Placement>,
    soft: SoftStickiness<ClusterNode>,
    home: ClusterNode,
    nowMs: number,
  ): ClusterNode | undefined {
    if (!soft.mayLeave(home, context.forNew, nowMs)) return undefined;
    this.#leaving.clear();
    this.#leaving.add(home.id);
    this.#request.trace = undefined;
    this.#request.nowMs = nowMs;
    this.#request.isNewSession = true;
    return context.attached.algorithm.pick(context.forNew, this.#request, this.#leaving);
  }

  /**
   * Another node for a session, permanently. The choice depends only on the session id and the old route, so parallel requests
   * of one session get the same node.
   */
  #failOver(
    state: RequestState,
    context: ServedContext<ClusterNode, Placement>,
    known: KnownRoute,
    cause: FailoverCause,
    nowMs: number,
  ): ClusterNode | Exclude<Choice, 'forward'> {
    const { failover } = context.attached.balancer.settings.sticky;
    const home = known.node?.id ?? known.lost?.id ?? known.route;
    if (failover === 'none') {
      const because = `its session's node ${home} is lost (${cause}), and failover is none`;
      if (known.node !== undefined && cause !== 'stopped')
        return wait(state, 'no-node', NO_NODE_WAIT_MS, context.attached, undefined, because);
      state.because = because;
      return 'unavailable';
    }
    const session = { failover, group: known.group, hash: hashText(state.sessionId, 0) };
    for (const candidates of context.byTier) {
      const node = failoverNode(candidates, session, state.tried);
      if (node === undefined || node === known.node) continue;
      state.result = 'moved';
      state.failoverCause = cause;
      state.because = `its session's node ${home} is lost (${cause}): ${node.id} takes over`;
      return node;
    }
    return this.#noNode(state, context, nowMs);
  }

  /** A node for a request without a session, or for a new session. */
  #place(
    state: RequestState,
    context: ServedContext<ClusterNode, Placement>,
    nowMs: number,
  ): ClusterNode | Exclude<Choice, 'forward'> {
    const placement = context.attached;
    const isNewSession = state.result === 'new';
    this.#request.trace = this.pickRecord?.cleared();
    this.#request.nowMs = nowMs;
    this.#request.isNewSession = isNewSession;
    const candidates = context.beside(state.tried);
    const { boundNode } = state;
    if (boundNode !== undefined) {
      const node = candidates.find((one) => one === boundNode && !state.tried.has(one.id));
      state.because = 'its client connection is authenticated there';
      if (node !== undefined) return node;
    }
    const node = state.isQuestion
      ? foresee(placement.algorithm, candidates, this.#request, state.tried)
      : placement.algorithm.pick(candidates, this.#request, state.tried);
    if (node === undefined) return this.#noNode(state, context, nowMs);
    state.because = isNewSession ? 'new session' : withoutSession(placement.balancer);
    return node;
  }

  /** Waits for a node that does not answer now, or for a limited time for a node that may join. */
  #noNode(
    state: RequestState,
    context: ServedContext<ClusterNode, Placement>,
    nowMs: number,
  ): Exclude<Choice, 'forward'> {
    const placement = context.attached;
    const isSilent = context.members.some(
      (node) => isWanted(node, context) && (node.verdict === 'park' || node.verdict === 'ask'),
    );
    if (isSilent)
      return wait(state, 'node', this.#parkMs(state), placement, undefined, 'no node answers at the moment');
    const lostAtMs = Math.max(placement.lostAtMs, context.emptySinceMs ?? Number.NEGATIVE_INFINITY);
    if (nowMs - lostAtMs < LOST_LATELY_MS)
      return wait(state, 'no-node', LOST_WAIT_MS, placement, undefined, 'the context has just lost its last node');
    const isSoon = nowMs < this.#view.learningUntilMs || context.members.some((node) => isWanted(node, context));
    if (isSoon)
      return wait(state, 'no-node', NO_NODE_WAIT_MS, placement, undefined, 'no node is eligible at the moment');
    state.because = 'no node is eligible';
    return 'unavailable';
  }

  /** Fills the decision for `node` and updates the counters of a choice. */
  #accept(head: RoutableHead, decision: RoutingDecision, state: RequestState, node: ClusterNode, nowMs: number): void {
    decision.node = node;
    decision.stickyResult = state.result;
    decision.isBound = state.result === 'sticky' || state.result === 'moved';
    const placement = state.context!.attached;
    decision.prefix = node.stripsPrefix ? node.prefixUnder(placement.path) : '';
    const { sticky } = placement.balancer.settings;
    if (state.result === 'new' || state.result === 'none') {
      node.live.placed++;
      state.placedAt = node;
    }
    decision.watchesCookies = placement.balancer.watch.watchesCookies || placement.balancer.endsWithApplication;
    state.isSecure = head.isSecure === true;
    const isRouteless =
      state.result === 'new' && sticky.mode === 'insert' && isFirstAttempt(state) && !state.namesUnknown;
    const hasSession = isRouteless && placement.balancer.watch.onNewSession(head.cookie);
    if (hasSession) state.gaveCookieAt = undefined;
    if (state.gaveCookieAt !== undefined) judgeVisitor(state, placement);
    if (sticky.mode === 'insert') this.#insert(head, decision, state, placement, node);
    if (state.known !== undefined && decision.setCookie === '') {
      const isNew = node.sessions.see(state.sessionId, nowMs);
      if (isNew && sticky.mode === 'suffix' && placement.balancer.search.place !== 'cookie')
        placement.balancer.watch.onRoutedId();
    }
    if (sticky.mode === 'rewrite') rewrite(head, decision, state, placement, node);
    if (state.result === 'moved' && sticky.remove) removeIds(head, decision, placement.balancer);
  }

  /** A cookie for new sessions and for sessions that have moved permanently. An id that the proxy has made is kept. */
  #insert(
    head: RoutableHead,
    decision: RoutingDecision,
    state: RequestState,
    placement: Placement,
    node: ClusterNode,
  ): void {
    const { result, sessionId, cookieTimeS } = state;
    const { balancer, cookie } = placement;
    if (result === 'none') return;
    const { isOwn, name } = balancer.search;
    // Without a time in the cookie the clock decides nothing.
    const timeUnixMs = cookieTimeS >= 0 ? this.#nowUnixMs() : 0;
    if (result === 'sticky' && !(isOwn && cookie.isDue(name, cookieTimeS, timeUnixMs))) return;
    const kept = routeCookieId(sessionId);
    if (result === 'sticky' && kept === undefined) return;
    const isSecure = head.isSecure === true;
    state.newSessionId = `${kept ?? balancer.cookieMark + this.#newSessionId()}.${node.route}`;
    decision.setCookie = cookie.write(state.newSessionId, cookieTimeS, this.#nowUnixMs(), isSecure);
    if (result === 'new' || !isOwn) return;
    if (name !== balancer.settings.sticky.routeCookie.name) decision.removeCookie = cookie.removalOf(name, isSecure);
  }

  /** Applies the load field of an answer. */
  #hear(state: RequestState, node: ClusterNode, loadField: string, nowMs: number): void {
    const report = this.#report;
    if (!readLoadField(loadField, report)) return;
    node.report(report.load, report.sessions, nowMs);
    state.context?.attached.algorithm.onReport?.(node, report, nowMs);
  }

  /** Requests of sessions are bound to their node, so errors that depend on the request are weaker evidence against the node. */
  #judge(state: RequestState, node: ClusterNode, isError: boolean, latencyMs: number, nowMs: number): void {
    const answer = this.#answer;
    answer.isError = isError;
    answer.isBound = state.known !== undefined;
    answer.latencyMs = latencyMs;
    const watch = state.context?.attached.balancer.outliers;
    if (watch !== undefined) this.#ejections.answered(node, answer, watch, nowMs);
  }

  #learn(state: RequestState, node: ClusterNode, outcome: AttemptOutcome, latencyMs: number, nowMs: number): void {
    state.context?.attached.algorithm.onResponse?.(node, outcome, latencyMs, nowMs);
  }
}

/** The router's state of a request. It is created with the first request of a decision. */
function stateOf(decision: RoutingDecision): RequestState {
  if (decision.state instanceof RequestState) return decision.state;
  const state = new RequestState();
  decision.state = state;
  return state;
}

function nodeOf({ node }: RoutingDecision): ClusterNode | undefined {
  return node instanceof ClusterNode ? node : undefined;
}

/** Another node, or another process of this node, has not refused the request yet. */
function countRefusal(state: RequestState, node: ClusterNode | undefined): void {
  if (state.refusedBy !== node?.watch) state.refusals = 0;
  state.refusedBy = node?.watch;
  state.refusals++;
}

/**
 * The request has reached a node more often than the balancer allows retries, and at least twice, and has had no answer. It may be what ends
 * the programs, so it is not sent to another one, nor to one that has started again.
 */
function mayBeTheCause({ context, unansweredAttempts }: RequestState): boolean {
  if (unansweredAttempts < 2) return false;
  return unansweredAttempts > (context?.attached.balancer.settings.retries ?? 0);
}

function clearDecision(decision: RoutingDecision): void {
  stateOf(decision).clear();
  decision.node = undefined;
  decision.setCookie = '';
  decision.removeCookie = '';
  decision.setCookieUnless = '';
  decision.forwardCookie = undefined;
  decision.forwardTarget = undefined;
  decision.rewriteCookies = NO_COOKIES;
  decision.rewriteRoute = '';
  decision.prefix = '';
  decision.watchesCookies = false;
  decision.isBound = false;
  decision.retriesLeft = 0;
  decision.balancer = '';
  decision.balancerCounters = undefined;
  decision.stickyResult = '';
}

/** Counts whether a client that has received the route cookie on this connection sends it back. */
function judgeVisitor(state: RequestState, placement: Placement): void {
  const { gaveCookieAt, result, namesUnknown, hasRefused } = state;
  state.gaveCookieAt = undefined;
  if (gaveCookieAt !== placement || namesUnknown) return;
  if (result !== 'new') placement.balancer.watch.onVisitor(true);
  else if (!hasRefused) {
    state.hasRefused = true;
    placement.balancer.watch.onVisitor(false);
  }
}

/**
 * False for requests whose client keeps no cookie, or that no visitor makes: CORS preflights, and HEAD requests of monitors.
 */
function opensSession(head: RoutableHead): boolean {
  if (head.method === 'OPTIONS') return head.isPreflight !== true;
  return head.method !== 'HEAD' || head.cookie !== '';
}

function withoutSession({ settings }: BalancerView): string {
  return settings.sticky.mode === 'none' ? 'no sessions here' : 'no visitor: a preflight, or HEAD without cookies';
}

function isFirstAttempt({ tried }: RequestState): boolean {
  return tried.size === 0;
}

/** Programs that carry the session in links set no cookie that could be checked. */
function watchUrl({ search, settings, watch }: BalancerView): void {
  if (search.unroutedId !== '' && search.known === undefined && settings.sticky.mode === 'suffix')
    watch.onUnroutedId(search.unroutedId, search.unroutedName);
}

/** Reverts the placement of a request that failed, so that the node does not look fuller than it is. */
function takeBack(state: RequestState): void {
  if (state.placedAt !== undefined && state.placedAt.live.placed > 0) state.placedAt.live.placed--;
  state.placedAt = undefined;
  state.newSessionId = '';
}

function wait(
  state: RequestState,
  kind: WaitKind,
  waitMs: number,
  waitFor: object,
  waitNode: ClusterNode | undefined,
  because: string,
): 'wait' {
  state.waitKind = kind;
  state.waitMs = waitMs;
  state.waitFor = waitFor;
  state.waitNode = waitNode;
  state.because = because;
  return 'wait';
}

/** The object that requests wait for when their node, or context, is expected back after a start. */
const LEARNING: object = {};

function learn(state: RequestState, because: string): 'wait' {
  return wait(state, 'learning', LEARNING_WAIT_MS, LEARNING, undefined, because);
}

function isRefusal(failure: Failure): boolean {
  return failure === FAILURE.refused || failure === FAILURE.closedUnused || failure === FAILURE.notAllowed;
}

const GONE_FACTS = { status: 'enabled', port: 'unknown', isConnected: false, hasAgent: true } as const;

/** Reason why a session must leave `home`. */
function lossOf(home: ClusterNode, context: ServedContext<ClusterNode, Placement>): FailoverCause {
  if (home.isGone) return home.goneCause;
  if (!context.keepsSessions(home)) return 'stopped';
  if (home.watch.isGivenUp) return 'unresponsive';
  return home.watch.isDown ? 'expired' : 'refused';
}

/** True when the application shares its sessions between nodes: they need not wait for a node that may return. */
function isEager(context: ServedContext<ClusterNode, Placement>): boolean {
  return context.attached.balancer.settings.sticky.failover === 'eager';
}

/** True while the node is present and its sessions are meant to stay on it. */
function isWanted(node: ClusterNode, context: ServedContext<ClusterNode, Placement>): boolean {
  return !node.isGone && context.keepsSessions(node);
}

/**
 * Ids of the application have the route outside and none inside. A session that moves gets its new route with this answer.
 * This includes an application that adopts an unknown id and sets no cookie.
 */
function rewrite(
  head: RoutableHead,
  decision: RoutingDecision,
  state: RequestState,
  placement: Placement,
  node: ClusterNode,
): void {
  const { settings, routes, search } = placement.balancer;
  const { cookies, parameters } = settings.sticky;
  const strip = (id: string): string => withoutRoute(id, routes);
  decision.rewriteCookies = cookies;
  decision.rewriteRoute = node.route;
  decision.forwardCookie = editCookies(head.cookie, cookies, strip);
  decision.forwardTarget = editParameters(head.target, parameters, strip);
  if (state.result !== 'moved' || search.place !== 'cookie' || settings.sticky.remove) return;
  const id = strip(state.sessionId);
  if (!SAFE_ID.test(id)) return;
  const attributes = placement.cookie.attributes(head.isSecure === true);
  decision.setCookie = `${search.name}=${id}.${node.route}${attributes}`;
  decision.setCookieUnless = search.name;
}

/** Removes the ids of the lost session from the request, so that the application does not look them up. */
function removeIds(head: RoutableHead, decision: RoutingDecision, { settings }: BalancerView): void {
  const { cookies, parameters } = settings.sticky;
  decision.forwardCookie = editCookies(head.cookie, cookies, drop) ?? decision.forwardCookie;
  decision.forwardTarget = editParameters(head.target, parameters, drop) ?? decision.forwardTarget;
}

function drop(): undefined {
  return undefined;
}
