/**
 * Where a request goes. The life of a decision, top to bottom: `choose` looks the context up, `#decide` finds the
 * session and its node or places a new one, `#accept` fills the slip; `chooseAgain` is the same after a failure;
 * `onSend`, `onResponseHead` and `onEnd` keep the numbers that later decisions read.
 */
import {
  type AnswerSource,
  type AttemptOutcome,
  buildRouteCookie,
  DEFAULT_PARAMETERS,
  ExcludedPaths,
  editCookies,
  editParameters,
  failoverNode,
  foresee,
  hashText,
  MovedSessions,
  type NodeFacts,
  type NodeReport,
  type PickRequest,
  readLoadField,
  routeCookieId,
  type SeenAnswer,
  type ServedContext,
  type SoftStickiness,
  whyUnserved,
  withoutRoute,
} from '@rollcall/core';
import type { FailoverCause, NodeId } from '@rollcall/protocol';
import { ASSIGN_PATH, assign } from './assignment.ts';
import type { BalancerView, KnownRoute, Placement } from './balancer-view.ts';
import { ClusterNode } from './cluster-node.ts';
import type { ClusterView } from './cluster-view.ts';
import type { Ejections } from './ejections.ts';
import { FAILURE, type Failure } from './failure.ts';
import { RequestState } from './request-state.ts';
import type { Choice, OwnAnswer, RoutableHead, Router, RoutingSlip, UpstreamNode, WaitKind } from './routing.ts';
import { tlsAdvice } from './tls/node-tls.ts';

/** How long a session waits for a node that is expected back, milliseconds. */
export const LEARNING_WAIT_MS = 5_000;
/** How long a request waits when no node is eligible but one may be soon, milliseconds. */
export const NO_NODE_WAIT_MS = 1_000;
/** The same where the context has lost its last node within `LOST_LATELY_MS`: its nodes may be restarting. */
export const LOST_WAIT_MS = 10_000;
const LOST_LATELY_MS = 30_000;
/** Beyond a lease a parked request waits so much longer, milliseconds. */
const LEASE_MARGIN_MS = 5_000;
/** Ids of applications that may be written into a cookie: what a client sent goes back to it only in this form. */
const SAFE_ID = /^[A-Za-z0-9_.:~%+/=!*-]{1,512}$/;
/** Weight of the newest latency in the smoothed one. */
const LATENCY_ALPHA = 0.1;
const NOBODY: ReadonlySet<NodeId> = new Set();
const NO_COOKIES: readonly string[] = [];

export interface ClusterRouterOptions {
  readonly view: ClusterView;
  readonly ejections: Ejections;
  /** Paths that no node is asked for. */
  readonly excluded?: ExcludedPaths | undefined;
  /** Ids for new sessions in insert mode. */
  readonly newSessionId: () => string;
  /** A request's session named a route that nobody knows. */
  readonly onUnknownRoute: () => void;
  /** A session leaves a hot node. */
  readonly onMoved: () => void;
  /** A session has left its node for good. `node` is the one it left; `undefined` when only its route is known. */
  readonly onFailover: (balancer: BalancerView, node: NodeId | undefined, cause: FailoverCause) => void;
  /** A node's port did something that may change what happens to its requests. */
  readonly onSeen: (node: ClusterNode, nowMs: number) => void;
  /** Longest time for a node's response head, milliseconds. */
  readonly upstreamTimeoutMs: number;
  /** A node that takes no new sessions has come to 0 in flight. */
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
  /** Hears every choice before it is counted, while somebody watches. It may look, and must not change anything. */
  onDecision: DecisionListener | undefined;
  readonly #view: ClusterView;
  readonly #ejections: Ejections;
  readonly #excluded: ExcludedPaths;
  readonly #newSessionId: () => string;
  readonly #onUnknownRoute: () => void;
  readonly #onMoved: () => void;
  readonly #onIdle: (node: ClusterNode) => void;
  readonly #onFailover: ClusterRouterOptions['onFailover'];
  readonly #onSeen: ClusterRouterOptions['onSeen'];
  readonly #upstreamTimeoutMs: number;
  readonly #moves = new MovedSessions<ClusterNode>();
  /** Handed to algorithms; one object, because they never keep it. */
  readonly #request: { -readonly [K in keyof PickRequest]: PickRequest[K] } = { nowMs: 0, isNewSession: false };

  /** The node that a session leaves, as a set that is used again. */
  readonly #leaving = new Set<NodeId>();
  /** Like `#request`, for reports. */
  readonly #report: { -readonly [K in keyof NodeReport]: NodeReport[K] } = {
    inFlight: 0,
    serviceMs: 0,
    load: 0,
    sessions: 0,
    isBesideAnswer: true,
  };

  /** Where an answer came from; one object. */
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
    this.#onFailover = options.onFailover;
    this.#onSeen = options.onSeen;
    this.#upstreamTimeoutMs = options.upstreamTimeoutMs;
  }

  get parkMs(): number {
    return Math.max(this.#upstreamTimeoutMs, this.#view.leaseMs + LEASE_MARGIN_MS);
  }

  own(head: RoutableHead, nowMs: number): OwnAnswer | undefined {
    const { target } = head;
    return target === ASSIGN_PATH || target.startsWith(`${ASSIGN_PATH}?`)
      ? assign(this, this.#view, head, nowMs)
      : undefined;
  }

  choose(head: RoutableHead, slip: RoutingSlip, nowMs: number): Choice {
    stateOf(slip).refusals = 0;
    return this.askAgain(head, slip, nowMs);
  }

  askAgain(head: RoutableHead, slip: RoutingSlip, nowMs: number): Choice {
    const state = stateOf(slip);
    takeBack(state);
    clearSlip(slip);
    state.boundNode = slip.boundNode;
    return this.#settle(head, slip, state, this.decide(head, state, nowMs), nowMs);
  }

  chooseAgain(head: RoutableHead, slip: RoutingSlip, failure: Failure, nowMs: number): Choice {
    const state = stateOf(slip);
    if (slip.isBound) {
      if (isRefusal(failure)) countRefusal(state, nodeOf(slip));
      return this.askAgain(head, slip, nowMs);
    }
    const { context } = state;
    if (slip.node) state.tried.add(slip.node.id);
    slip.tried = state.tried;
    slip.node = undefined;
    slip.setCookie = '';
    slip.retriesLeft--;
    takeBack(state);
    if (context === undefined) return 'unavailable';
    const { retriesLeft } = slip;
    const choice = this.#settle(head, slip, state, this.#place(state, context, nowMs), nowMs);
    slip.retriesLeft = retriesLeft;
    return choice;
  }

  /** Carries a decision out: fills the slip, and counts what a choice counts. */
  #settle(
    head: RoutableHead,
    slip: RoutingSlip,
    state: RequestState,
    choice: ClusterNode | Exclude<Choice, 'forward'>,
    nowMs: number,
  ): Choice {
    const { context } = state;
    this.onDecision?.(head, state, choice, nowMs);
    if (context !== undefined) slip.balancer = context.attached.label;
    if (state.hasLostMove) this.#moves.forget(state.sessionId);
    if (choice === 'wait') {
      slip.waitFor = state.waitFor;
      slip.waitKind = state.waitKind;
      slip.waitNode = state.waitNode;
      slip.waitMs = state.waitMs;
    }
    if (typeof choice === 'string') return choice;
    slip.retriesLeft = context?.attached.balancer.settings.retries ?? 0;
    if (state.namesUnknown) this.#onUnknownRoute();
    if (state.hasCooledOff) this.#onMoved();
    if (context !== undefined) watchUrl(context.attached.balancer);
    if (state.failoverCause !== undefined && context !== undefined) {
      this.#moves.remember(state.sessionId, choice, nowMs);
      // Had it left that node before, it is back there now.
      const { routes } = context.attached.balancer;
      this.#moves.forget(`${withoutRoute(state.sessionId, routes)}.${choice.route}`);
      const { node, lost } = state.known ?? {};
      this.#onFailover(context.attached.balancer, node?.id ?? lost?.id, state.failoverCause);
    }
    this.#accept(head, slip, state, choice, nowMs);
    return 'forward';
  }

  sessionParameters(slip: RoutingSlip): readonly string[] {
    return stateOf(slip).context?.attached.balancer.settings.sticky.parameters ?? DEFAULT_PARAMETERS;
  }

  /**
   * The node for a request, or why there is none. Fills `state`, which has been cleared, and changes nothing else when the
   * state is that of a question. Otherwise the algorithm counts the pick, and a session that may leave a hot node has left it.
   */
  decide(head: RoutableHead, state: RequestState, nowMs: number): ClusterNode | Exclude<Choice, 'forward'> {
    const { table, learningUntilMs } = this.#view;
    const exclusion = this.#excluded.find(head.target);
    if (exclusion !== undefined) {
      state.because = exclusion === 'excluded' ? 'its path is excluded' : 'once decoded its path would be excluded';
      return exclusion === 'excluded' ? 'not-found' : 'ambiguous';
    }
    const isLearning = nowMs < learningUntilMs;
    const context = table.find(head.host, head.target);
    if (context === 'ambiguous') {
      state.because = 'once decoded the path would belong to another context';
      return 'ambiguous';
    }
    if (context === undefined) {
      if (isLearning) return learn(state, 'no context matches yet, and nodes are still expected back');
      state.because = table.contexts.length === 0 ? 'no node is registered' : 'no context matches host and path';
      return table.contexts.length === 0 ? 'unavailable' : 'not-found';
    }
    state.context = context;
    const { balancer } = context.attached;
    if (balancer.settings.sticky.mode === 'none') return this.#place(state, context, nowMs);
    const { search } = balancer;
    if (search.find(head.cookie, head.target, balancer.routes) && search.known !== undefined) {
      state.known = search.known;
      state.sessionId = search.id;
      return this.#keep(state, context, search.known, nowMs);
    }
    state.namesUnknown = search.namesUnknown || search.isForged;
    if (search.namesUnknown && isLearning)
      return learn(state, 'its session names a route that is not known yet, and nodes are still expected back');
    state.result = 'new';
    return this.#place(state, context, nowMs);
  }

  onSend(slip: RoutingSlip, nowMs: number): void {
    const state = stateOf(slip);
    const node = nodeOf(slip);
    state.sentTo = node;
    state.isAnswered = false;
    if (node === undefined) return;
    node.live.inFlight++;
    node.tally.requests++;
    state.watch = node.watch;
    state.watch.asked(nowMs);
    if (node.ejection.phase === 'trial') this.#ejections.observe(node, 'sent', nowMs);
    state.context?.attached.algorithm.onSend?.(node, nowMs);
  }

  onSetCookie(slip: RoutingSlip, value: string): void {
    const state = stateOf(slip);
    const { context, sentTo, known } = state;
    if (context === undefined || sentTo === undefined) return;
    const { watch, routes } = context.attached.balancer;
    const id = watch.onSetCookie(value, sentTo, known?.route ?? '', routes);
    if (id !== '') state.newSessionId = slip.rewriteRoute === '' ? id : `${id}.${slip.rewriteRoute}`;
  }

  onResponseHead(slip: RoutingSlip, status: number, latencyMs: number, loadField: string, nowMs: number): void {
    const state = stateOf(slip);
    const node = state.sentTo;
    if (node === undefined || state.isAnswered) return;
    state.isAnswered = true;
    this.#source.connectedAtMs = slip.connectedAtMs;
    state.watch?.answered(this.#source, nowMs);
    if (node.verdict !== 'forward' || node.tier === undefined) this.#onSeen(node, nowMs);
    const { live, tally } = node;
    live.latencyMs = live.latencyMs >= 0 ? live.latencyMs + LATENCY_ALPHA * (latencyMs - live.latencyMs) : latencyMs;
    if (status >= 500) tally.serverErrors++;
    if (loadField !== '' && node.readsLoadField) this.#hear(state, node, loadField, nowMs);
    this.#learn(state, node, status >= 500 ? 'server-error' : 'ok', latencyMs, nowMs);
    this.#judge(state, node, status >= 500, latencyMs, nowMs);
    if (state.newSessionId !== '') {
      node.sessions.see(state.newSessionId, nowMs);
      if (slip.setCookie !== '' && state.result === 'new') state.gaveCookieAt = state.context?.attached;
    }
    if (state.placedAt === node && state.result === 'new') tally.newSessions++;
  }

  onEnd(slip: RoutingSlip, outcome: AttemptOutcome, nowMs: number, failure?: Failure): void {
    const state = stateOf(slip);
    const node = state.sentTo;
    if (node === undefined) return;
    state.sentTo = undefined;
    node.live.inFlight--;
    if (!state.isAnswered) state.watch?.unanswered();
    if (outcome === 'failed') {
      node.tally.failures++;
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

  whyUnavailable(slip: RoutingSlip, nowMs: number): string {
    const { context } = stateOf(slip);
    if (context === undefined) return '';
    const distrusted = context.members.find(({ tlsProblem }) => tlsProblem !== undefined);
    if (distrusted) return tlsAdvice(distrusted.id, distrusted.tlsProblem ?? '');
    const { balancer } = context.attached;
    const facts: NodeFacts[] = context.members.map((node) => ({
      id: node.id,
      liveness: node.liveness,
      status: context.contextOf(node)?.status ?? 'stopped',
      port: node.watch.report(nowMs),
      isConnected: node.isConnected,
      hasAgent: node.hasAgent,
    }));
    if (facts.length === 0)
      for (const { node, lost } of balancer.routes.values())
        if (node === undefined && lost !== undefined)
          facts.push({ id: lost.id, liveness: 'gone', goneCause: lost.cause, ...GONE_FACTS });
    const why = whyUnserved(balancer.name, facts);
    return why === undefined ? '' : `${why.message}\n${why.remedy}`;
  }

  /** The session's own node, or where it has gone, as redirect, the table of the session rule, learning window and failover say. */
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

  /** What the session rule says of a request whose session is at `node`; `undefined` when the session has to leave it. */
  #stay(
    state: RequestState,
    context: ServedContext<ClusterNode, Placement>,
    node: ClusterNode,
  ): ClusterNode | 'wait' | 'failed' | undefined {
    if (node.isGone || !context.keepsSessions(node)) return undefined;
    switch (node.verdict) {
      case 'forward':
        if (state.refusals === 0 || state.refusedBy !== node.watch) return node;
        if (node.watch.isInDoubt)
          return wait(state, 'probe', this.parkMs, node, node, `${node.id} refused a connect: a probe decides`);
        if (state.refusals === 1) return node;
        state.because = `${node.id} refused its request and answers probes`;
        return 'failed';
      case 'ask':
        state.refusals = 0;
        return wait(state, 'node', this.parkMs, node, node, `${node.id} has no heartbeat: its port is being probed`);
      case 'park':
        state.refusals = 0;
        return wait(state, 'node', this.parkMs, node, node, `${node.id} does not answer: the request waits for it`);
      case 'move':
        return undefined;
    }
  }

  /** Where a session goes that may leave its hot node now; `undefined` when it stays. */
  #cooler(
    context: ServedContext<ClusterNode, Placement>,
    soft: SoftStickiness<ClusterNode>,
    home: ClusterNode,
    nowMs: number,
  ): ClusterNode | undefined {
    if (!soft.mayLeave(home, context.forNew, nowMs)) return undefined;
    this.#leaving.clear();
    this.#leaving.add(home.id);
    this.#request.nowMs = nowMs;
    this.#request.isNewSession = true;
    return context.attached.algorithm.pick(context.forNew, this.#request, this.#leaving);
  }

  /**
   * Another node for a session, for good. The choice depends on the session id and the old route alone: parallel requests of one session
   * come to the same node.
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

  /** A node for a request without a session, or for a new one. */
  #place(
    state: RequestState,
    context: ServedContext<ClusterNode, Placement>,
    nowMs: number,
  ): ClusterNode | Exclude<Choice, 'forward'> {
    const placement = context.attached;
    const isNewSession = placement.balancer.settings.sticky.mode !== 'none';
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
    state.because = isNewSession ? 'new session' : 'no sessions here';
    return node;
  }

  /** Waits for a node that does not answer at the moment, or a while for one that may come. */
  #noNode(
    state: RequestState,
    context: ServedContext<ClusterNode, Placement>,
    nowMs: number,
  ): Exclude<Choice, 'forward'> {
    const placement = context.attached;
    const isSilent = context.members.some(
      (node) => isWanted(node, context) && (node.verdict === 'park' || node.verdict === 'ask'),
    );
    if (isSilent) return wait(state, 'node', this.parkMs, placement, undefined, 'no node answers at the moment');
    const lostAtMs = Math.max(placement.lostAtMs, context.emptySinceMs ?? Number.NEGATIVE_INFINITY);
    if (nowMs - lostAtMs < LOST_LATELY_MS)
      return wait(state, 'no-node', LOST_WAIT_MS, placement, undefined, 'the context has just lost its last node');
    const isSoon = nowMs < this.#view.learningUntilMs || context.members.some((node) => isWanted(node, context));
    if (isSoon)
      return wait(state, 'no-node', NO_NODE_WAIT_MS, placement, undefined, 'no node is eligible at the moment');
    state.because = 'no node is eligible';
    return 'unavailable';
  }

  /** Forgets moves that are too old. */
  expireMoves(nowMs: number): void {
    this.#moves.expire(nowMs);
  }

  /** Fills the slip for `node` and counts what a choice counts. */
  #accept(head: RoutableHead, slip: RoutingSlip, state: RequestState, node: ClusterNode, nowMs: number): void {
    slip.node = node;
    slip.stickyResult = state.result;
    slip.hasSession = state.known !== undefined;
    slip.isBound = state.result === 'sticky' || state.result === 'moved';
    const placement = state.context!.attached;
    const { sticky } = placement.balancer.settings;
    if (state.result === 'new' || state.result === 'none') {
      node.live.placed++;
      state.placedAt = node;
    }
    slip.watchesCookies = placement.balancer.watch.watchesCookies;
    if (state.gaveCookieAt !== undefined) judgeVisitor(state, placement);
    if (sticky.mode === 'insert') this.#insert(head, slip, state, placement, node);
    if (state.known !== undefined && slip.setCookie === '') {
      const isNew = node.sessions.see(state.sessionId, nowMs);
      if (isNew && sticky.mode === 'suffix' && placement.balancer.search.place !== 'cookie')
        placement.balancer.watch.onRoutedId();
    }
    if (sticky.mode === 'rewrite') rewrite(head, slip, state, placement, node);
    if (state.result === 'moved' && sticky.remove) removeIds(head, slip, placement.balancer);
  }

  /** A cookie for new sessions and for those that have moved for good; an id of our making is kept. */
  #insert(head: RoutableHead, slip: RoutingSlip, state: RequestState, placement: Placement, node: ClusterNode): void {
    if (state.result !== 'new' && state.result !== 'moved') return;
    const id = routeCookieId(state.sessionId) ?? placement.balancer.cookieMark + this.#newSessionId();
    const attributes = head.isSecure ? placement.secureCookieAttributes : placement.cookieAttributes;
    state.newSessionId = `${id}.${node.route}`;
    slip.setCookie = buildRouteCookie(state.newSessionId, attributes, placement.balancer.seal);
  }

  /** What a node says of itself beside an answer. */
  #hear(state: RequestState, node: ClusterNode, loadField: string, nowMs: number): void {
    const report = this.#report;
    if (!readLoadField(loadField, report)) return;
    node.report(report.load, report.sessions, nowMs);
    state.context?.attached.algorithm.onReport?.(node, report, nowMs);
  }

  /** A session's request went to this node and no other; whatever it asks for, it says less of the node. */
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

/** The router's state of a request, made when the slip has none yet. */
function stateOf(slip: RoutingSlip): RequestState {
  if (slip.state instanceof RequestState) return slip.state;
  const state = new RequestState();
  slip.state = state;
  return state;
}

function nodeOf({ node }: RoutingSlip): ClusterNode | undefined {
  return node instanceof ClusterNode ? node : undefined;
}

/** Another node, or another process of this one, has not refused anything yet. */
function countRefusal(state: RequestState, node: ClusterNode | undefined): void {
  if (state.refusedBy !== node?.watch) state.refusals = 0;
  state.refusedBy = node?.watch;
  state.refusals++;
}

function clearSlip(slip: RoutingSlip): void {
  stateOf(slip).clear();
  slip.node = undefined;
  slip.setCookie = '';
  slip.setCookieUnless = '';
  slip.forwardCookie = undefined;
  slip.forwardTarget = undefined;
  slip.rewriteCookies = NO_COOKIES;
  slip.rewriteRoute = '';
  slip.watchesCookies = false;
  slip.hasSession = false;
  slip.isBound = false;
  slip.retriesLeft = 0;
  slip.tried = NOBODY;
  slip.balancer = '';
  slip.stickyResult = '';
}

/** Did the client whose connection was given our cookie send it back? */
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

/** Programs that carry the session in their links set no cookie that could be looked at. */
function watchUrl({ search, settings, watch }: BalancerView): void {
  if (search.unroutedId !== '' && search.known === undefined && settings.sticky.mode === 'suffix')
    watch.onUnroutedId(search.unroutedId, search.unroutedName);
}

/** The placement has come to nothing: the node must not look fuller than it is. */
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

/** What requests wait for whose node, or context, is expected back after a start. */
const LEARNING: object = {};

function learn(state: RequestState, because: string): 'wait' {
  return wait(state, 'learning', LEARNING_WAIT_MS, LEARNING, undefined, because);
}

function isRefusal(failure: Failure): boolean {
  return failure === FAILURE.refused || failure === FAILURE.closedUnused || failure === FAILURE.notAllowed;
}

const GONE_FACTS = { status: 'enabled', port: 'unknown', isConnected: false, hasAgent: true } as const;

/** Why a session has to leave `home`. */
function lossOf(home: ClusterNode, context: ServedContext<ClusterNode, Placement>): FailoverCause {
  if (home.isGone) return home.goneCause;
  if (!context.keepsSessions(home)) return 'stopped';
  if (home.watch.isGivenUp) return 'unresponsive';
  return home.watch.isDown ? 'expired' : 'refused';
}

/** True when the application shares its sessions: they need not wait for a node that may come back. */
function isEager(context: ServedContext<ClusterNode, Placement>): boolean {
  return context.attached.balancer.settings.sticky.failover === 'eager';
}

/** True while the node is there and its sessions are meant to stay on it. */
function isWanted(node: ClusterNode, context: ServedContext<ClusterNode, Placement>): boolean {
  return !node.isGone && context.keepsSessions(node);
}

/**
 * The application's own ids carry the route outside and are without it inside. A session that moves gets its new route with this answer, also
 * when the application adopts the id that it does not know and sets no cookie.
 */
function rewrite(
  head: RoutableHead,
  slip: RoutingSlip,
  state: RequestState,
  placement: Placement,
  node: ClusterNode,
): void {
  const { settings, routes, search } = placement.balancer;
  const { cookies, parameters } = settings.sticky;
  const strip = (id: string): string => withoutRoute(id, routes);
  slip.rewriteCookies = cookies;
  slip.rewriteRoute = node.route;
  slip.forwardCookie = editCookies(head.cookie, cookies, strip);
  slip.forwardTarget = editParameters(head.target, parameters, strip);
  if (state.result !== 'moved' || search.place !== 'cookie' || settings.sticky.remove) return;
  const id = strip(state.sessionId);
  if (!SAFE_ID.test(id)) return;
  const attributes = head.isSecure ? placement.secureCookieAttributes : placement.cookieAttributes;
  slip.setCookie = `${search.name}=${id}.${node.route}${attributes}`;
  slip.setCookieUnless = search.name;
}

/** Takes the ids of the lost session out of the request, so that the application does not look for it. */
function removeIds(head: RoutableHead, slip: RoutingSlip, { settings }: BalancerView): void {
  const { cookies, parameters } = settings.sticky;
  slip.forwardCookie = editCookies(head.cookie, cookies, drop) ?? slip.forwardCookie;
  slip.forwardTarget = editParameters(head.target, parameters, drop) ?? slip.forwardTarget;
}

function drop(): undefined {
  return undefined;
}
