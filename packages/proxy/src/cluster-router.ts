/**
 * Where a request goes. The life of a decision, top to bottom: `choose` looks the context up, `#decide` finds the
 * session and its node or places a new one, `#accept` fills the slip; `chooseAgain` is the same after a failure;
 * `onSend`, `onResponseHead` and `onEnd` keep the numbers that later decisions read.
 */
import {
  type AttemptOutcome,
  buildRouteCookie,
  DEFAULT_PARAMETERS,
  ExcludedPaths,
  editCookies,
  editParameters,
  failoverNode,
  hashText,
  type NodeReport,
  type PickRequest,
  readLoadField,
  routeCookieId,
  type SeenAnswer,
  type ServedContext,
  type SoftStickiness,
  withoutRoute,
} from '@rollcall/core';
import type { NodeId } from '@rollcall/protocol';
import { ASSIGN_PATH, assign } from './assignment.ts';
import type { BalancerView, KnownRoute, Placement } from './balancer-view.ts';
import { ClusterNode } from './cluster-node.ts';
import type { ClusterView } from './cluster-view.ts';
import type { Ejections } from './ejections.ts';
import { isIdempotent } from './http1/request-head.ts';
import { RequestState } from './request-state.ts';
import type { AttemptFailure, Choice, OwnAnswer, RoutableHead, Router, RoutingSlip, UpstreamNode } from './routing.ts';

/** How long a session waits for a node that is expected back, milliseconds. */
export const LEARNING_WAIT_MS = 5_000;
/** How long a request waits when nobody is eligible but somebody may be soon, milliseconds. */
export const NOBODY_WAIT_MS = 1_000;
/** A context whose last node went longer ago than this is not waited for, milliseconds. */
const EMPTY_WAIT_MS = 15_000;
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
  onChange: () => void = () => {};
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
  }

  own(head: RoutableHead, nowMs: number): OwnAnswer | undefined {
    const { target } = head;
    return target === ASSIGN_PATH || target.startsWith(`${ASSIGN_PATH}?`)
      ? assign(this, this.#view, head, nowMs)
      : undefined;
  }

  choose(head: RoutableHead, slip: RoutingSlip, nowMs: number): Choice {
    const state = stateOf(slip);
    clearSlip(slip);
    const choice = this.decide(head, state, nowMs);
    const { context } = state;
    this.onDecision?.(head, state, choice, nowMs);
    if (context !== undefined) slip.balancer = context.attached.label;
    if (typeof choice === 'string') return choice;
    slip.retriesLeft = context?.attached.balancer.settings.retries ?? 0;
    if (state.namesUnknown) this.#onUnknownRoute();
    if (state.hasCooledOff) this.#onMoved();
    if (context !== undefined) watchUrl(context.attached.balancer);
    this.#accept(head, slip, state, choice, nowMs);
    return 'forward';
  }

  chooseAgain(head: RoutableHead, slip: RoutingSlip, _failure: AttemptFailure, nowMs: number): Choice {
    const state = stateOf(slip);
    const { context } = state;
    if (slip.node) state.tried.add(slip.node.id);
    slip.tried = state.tried;
    slip.node = undefined;
    slip.setCookie = '';
    slip.retriesLeft--;
    takeBack(state);
    if (context === undefined) return 'unavailable';
    const choice =
      state.known === undefined
        ? this.#place(state, context, nowMs)
        : this.#failOver(state, context, state.known, nowMs);
    this.onDecision?.(head, state, choice, nowMs);
    if (typeof choice === 'string') return choice;
    this.#accept(head, slip, state, choice, nowMs);
    return 'forward';
  }

  waitMs(slip: RoutingSlip): number {
    return stateOf(slip).waitMs;
  }

  sessionParameters(slip: RoutingSlip): readonly string[] {
    return stateOf(slip).context?.attached.balancer.settings.sticky.parameters ?? DEFAULT_PARAMETERS;
  }

  /**
   * The node for a request, or why there is none. Fills `state`, which has been cleared, and changes nothing else, so
   * that `explain` may ask as well; only an algorithm that goes by turns counts the question as a turn, and a session that
   * may leave a hot node has left it.
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
      if (isLearning) return wait(state, LEARNING_WAIT_MS, 'no context matches yet, and nodes are still expected back');
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
      return this.#keep(head, state, context, search.known, nowMs);
    }
    state.namesUnknown = search.namesUnknown || search.isForged;
    if (search.namesUnknown && isLearning)
      return wait(
        state,
        LEARNING_WAIT_MS,
        'its session names a route that is not known yet, and nodes are still expected back',
      );
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

  onEnd(slip: RoutingSlip, outcome: AttemptOutcome, nowMs: number): void {
    const state = stateOf(slip);
    const node = state.sentTo;
    if (node === undefined) return;
    state.sentTo = undefined;
    node.live.inFlight--;
    if (outcome === 'failed') {
      node.tally.failures++;
      this.#learn(state, node, 'failed', Number.NaN, nowMs);
      this.#ejections.observe(node, 'failed', nowMs);
    } else if (!state.isAnswered) this.#ejections.observe(node, 'abandoned', nowMs);
    if (node.live.inFlight === 0 && node.isLeaving) this.#onIdle(node);
  }

  onConnectFailure(node: UpstreamNode, failure: AttemptFailure, nowMs: number): void {
    if (node instanceof ClusterNode)
      this.#ejections.observe(node, failure === 'refused' ? 'refused' : 'unreachable', nowMs);
  }

  /** The session's own node while it is eligible; otherwise as redirect, learning window and failover say. */
  #keep(
    head: RoutableHead,
    state: RequestState,
    context: ServedContext<ClusterNode, Placement>,
    known: KnownRoute,
    nowMs: number,
  ): ClusterNode | Exclude<Choice, 'forward'> {
    const home = known.node;
    if (home?.redirectTo !== undefined) {
      const target = this.#view.nodes.get(home.redirectTo);
      if (target !== undefined && context.keepsSessions(target)) {
        state.result = 'moved';
        state.because = `sessions of ${home.id} are redirected to ${target.id}`;
        return target;
      }
    }
    if (home !== undefined && context.keepsSessions(home)) {
      if (home.liveness !== 'up' && isEager(context) && isIdempotent(head.method)) {
        const other = this.#failOver(state, context, known, nowMs);
        if (typeof other !== 'string') return other;
      }
      const cooler = context.attached.soft && this.#cooler(context, context.attached.soft, home, nowMs);
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
    if (home === undefined && known.isExpected && nowMs < this.#view.learningUntilMs)
      return wait(state, LEARNING_WAIT_MS, `its session lives on route ${known.route}, whose node is expected back`);
    return this.#failOver(state, context, known, nowMs);
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
   * Another node for a session. While its own may come back, nothing tells the client, so that it returns. The choice
   * depends on the route and session id alone: parallel requests of one session come to the same node.
   */
  #failOver(
    state: RequestState,
    context: ServedContext<ClusterNode, Placement>,
    known: KnownRoute,
    nowMs: number,
  ): ClusterNode | Exclude<Choice, 'forward'> {
    const { failover } = context.attached.balancer.settings.sticky;
    const home = known.node;
    const isAway = home !== undefined && isWanted(home, context);
    if (failover === 'none') {
      const because = `its session's node ${home?.id ?? known.route} is not eligible, and failover is none`;
      if (home !== undefined && isExpectedBack(home, context)) return wait(state, NOBODY_WAIT_MS, because);
      state.because = because;
      return 'unavailable';
    }
    const session = { failover, group: known.group, hash: hashText(state.sessionId, 0) };
    const node = failoverNode(context.forNew, session, state.tried);
    if (node === undefined) return this.#nobody(state, context, nowMs);
    state.result = isAway ? 'away' : 'moved';
    state.because = `its session's node ${home?.id ?? known.route} is not eligible: ${node.id} takes over`;
    return node;
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
    const node = placement.algorithm.pick(context.forNew, this.#request, state.tried);
    if (node === undefined) return this.#nobody(state, context, nowMs);
    state.because = isNewSession ? 'new session' : 'no sessions here';
    return node;
  }

  /** Waits a moment when somebody may be eligible soon. */
  #nobody(
    state: RequestState,
    context: ServedContext<ClusterNode, Placement>,
    nowMs: number,
  ): Exclude<Choice, 'forward'> {
    const isEmptyOfLate = context.emptySinceMs !== undefined && nowMs - context.emptySinceMs < EMPTY_WAIT_MS;
    const isSoon =
      isEmptyOfLate ||
      nowMs < this.#view.learningUntilMs ||
      context.members.some((node) => isExpectedBack(node, context));
    if (isSoon) return wait(state, NOBODY_WAIT_MS, 'no node is eligible at the moment');
    state.because = 'no node is eligible';
    return 'unavailable';
  }

  /** Fills the slip for `node` and counts what a choice counts. */
  #accept(head: RoutableHead, slip: RoutingSlip, state: RequestState, node: ClusterNode, nowMs: number): void {
    slip.node = node;
    slip.stickyResult = state.result;
    slip.hasSession = state.known !== undefined;
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
    if (sticky.mode === 'rewrite') rewrite(head, slip, placement.balancer, node);
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

function clearSlip(slip: RoutingSlip): void {
  stateOf(slip).clear();
  slip.node = undefined;
  slip.setCookie = '';
  slip.forwardCookie = undefined;
  slip.forwardTarget = undefined;
  slip.rewriteCookies = NO_COOKIES;
  slip.rewriteRoute = '';
  slip.watchesCookies = false;
  slip.hasSession = false;
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

function wait(state: RequestState, waitMs: number, because: string): 'wait' {
  state.waitMs = waitMs;
  state.because = because;
  return 'wait';
}

/** True for a node that is not eligible at the moment, but that nobody wants to be gone. */
function isExpectedBack(node: ClusterNode, context: ServedContext<ClusterNode, Placement>): boolean {
  return isWanted(node, context) && (node.isEjected || node.liveness !== 'up');
}

/** True when the application shares its sessions: they need not wait for a node that may come back. */
function isEager(context: ServedContext<ClusterNode, Placement>): boolean {
  return context.attached.balancer.settings.sticky.failover === 'eager';
}

/** True while the node is there and its sessions are meant to stay on it. */
function isWanted(node: ClusterNode, context: ServedContext<ClusterNode, Placement>): boolean {
  const served = context.contextOf(node);
  return served !== undefined && served.status !== 'stopped' && !node.isGone;
}

/** The application's own ids carry the route outside and are without it inside. */
function rewrite(head: RoutableHead, slip: RoutingSlip, { settings, routes }: BalancerView, node: ClusterNode): void {
  const { cookies, parameters } = settings.sticky;
  const strip = (id: string): string => withoutRoute(id, routes);
  slip.rewriteCookies = cookies;
  slip.rewriteRoute = node.route;
  slip.forwardCookie = editCookies(head.cookie, cookies, strip);
  slip.forwardTarget = editParameters(head.target, parameters, strip);
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
