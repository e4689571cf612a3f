import { ineligibleReason } from '@rollcall/core';
import type { ExplainAnswer, ExplainedCandidate, FeedQuestion } from '@rollcall/feed';
import { ClusterNode } from '../cluster/cluster-node.ts';
import { hostOf } from '../http1/field-rules.ts';
import { tlsAdvice } from '../tls/node-tls.ts';
import type { ClusterRouter } from './cluster-router.ts';
import { RequestState } from './request-state.ts';

/** Maximum number of candidates in one answer. */
const MAX_CANDIDATES = 1_000;

/**
 * The decision of the router for a request now, and the reason. Nothing is sent, set or counted, and later decisions are
 * unaffected. The answer has no values of cookies or parameters. A new session is placed on the node with the best score; if
 * the algorithm draws among nodes, its choice may differ.
 */
export function explain(
  router: ClusterRouter,
  { host, target, cookie }: Extract<FeedQuestion, { type: 'explain' }>,
  nowMs: number,
): ExplainAnswer {
  const state = new RequestState(true);
  const head = { method: 'GET', host: hostOf(host), target, cookie };
  const decision = router.decide(head, state, nowMs);
  const { context, known } = state;
  const chosen = decision instanceof ClusterNode ? decision : undefined;
  const { search } = context?.attached.balancer ?? {};
  return {
    type: 'explain',
    outcome: outcomeOf(decision),
    ...(context && { balancer: context.balancer, context: context.path, contextHost: context.host }),
    ...(known && search && { routeFrom: `${search.place} ${search.name}`, route: known.route }),
    ...(chosen && { chosen: chosen.id }),
    because: becauseOf(router, decision, state, head, nowMs),
    candidates: candidatesOf(state, nowMs),
    ...(context && { limits: context.attached.balancer.limits.explain(target) }),
  };
}

/** A joining node of the same context is the cause, and not the end of the context's earlier nodes. */
function becauseOf(
  router: ClusterRouter,
  decision: ReturnType<ClusterRouter['decide']>,
  state: RequestState,
  request: { readonly host: string; readonly target: string },
  nowMs: number,
): string {
  const because = withWhy(sentence(decision, state), router, decision, state, nowMs);
  const joining = state.refusedPath !== undefined ? undefined : router.joiningContext(request);
  const length = state.context?.path.length ?? 0;
  if (joining === undefined || joining.path.length < length) return because;
  if (joining.path !== state.context?.path) return `${because}; ${joining.message}`;
  return decision instanceof ClusterNode ? because : joining.message;
}

/** A decision without a node also has the state of the nodes, and the remedy. The client gets neither. */
export function withWhy(
  because: string,
  router: ClusterRouter,
  decision: ClusterNode | string,
  state: RequestState,
  nowMs: number,
): string {
  const why = decision === 'wait' || decision === 'unavailable' ? router.whyUnavailable(state, nowMs) : '';
  return why === '' ? because : `${because}: ${why}`;
}

function outcomeOf(decision: ReturnType<ClusterRouter['decide']>): ExplainAnswer['outcome'] {
  if (decision instanceof ClusterNode) return 'forward';
  switch (decision) {
    case 'ambiguous':
      return 'bad-request';
    case 'not-found':
      return 'not-found';
    default:
      return 'unavailable';
  }
}

function sentence(
  decision: ReturnType<ClusterRouter['decide']>,
  { because, waitMs, namesUnknown, context, result }: RequestState,
): string {
  const unknown = namesUnknown ? 'its session names no known route; ' : '';
  const wait = decision === 'wait' ? ` (waits up to ${waitMs} ms, then 503)` : '';
  const placement = context?.attached;
  const isPicked = decision instanceof ClusterNode && (result === 'new' || result === 'none');
  return `${unknown}${because}${isPicked ? `, placed by ${placement?.algorithm.name}` : ''}${wait}`;
}

function candidatesOf({ context, known, result }: RequestState, nowMs: number): ExplainedCandidate[] {
  if (context === undefined) return [];
  const { algorithm } = context.attached;
  const isChoosing = result === 'new' || result === 'none';
  const request = { nowMs, isNewSession: result === 'new' };
  return context.members.slice(0, MAX_CANDIDATES).map((node) => {
    const served = context.contextOf(node) ?? { status: 'stopped' as const };
    const isHome = known?.node === node && node.verdict === 'forward' && served.status !== 'stopped';
    const reason = isHome ? 'it has the session' : ineligibleReason(node, served);
    const isReserve = reason === '' && !context.forNew.includes(node);
    const isEligible = isHome || (reason === '' && !isReserve);
    const score = isChoosing && isEligible ? algorithm.score?.(node, request) : undefined;
    const rank = score === undefined ? '' : (algorithm.scoreReason?.(node, request) ?? '');
    return {
      id: node.id,
      isEligible,
      reason: tlsReason(node) || (isReserve ? reserveReason(node) : reason || rank),
      // Algorithms from files may have no score.
      ...(score !== undefined && Number.isFinite(score) && { score }),
    };
  });
}

function tlsReason({ id, tlsProblem }: ClusterNode): string {
  return tlsProblem === undefined ? '' : tlsAdvice(id, tlsProblem);
}

function reserveReason({ tier, isEjected, ejectionReason }: ClusterNode): string {
  switch (tier) {
    case 'reserve':
      return `${isEjected ? `ejected, because ${ejectionReason}` : 'standby'}: chosen only when no ready node is eligible`;
    case 'not-ready':
      return 'not ready: chosen only when no ready node is eligible';
    case 'suspect':
      return 'no heartbeat, but its port answers: chosen only when no node with heartbeats is eligible';
    default:
      return 'refused connections before: chosen only when no other node is eligible';
  }
}
