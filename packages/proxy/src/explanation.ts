import { ineligibleReason } from '@rollcall/core';
import type { ExplainAnswer, ExplainedCandidate, FeedQuestion } from '@rollcall/protocol';
import { ClusterNode } from './cluster-node.ts';
import type { ClusterRouter } from './cluster-router.ts';
import { RequestState } from './request-state.ts';
import { tlsAdvice } from './tls/node-tls.ts';

/** Candidates that one answer names. */
const MAX_CANDIDATES = 1_000;

/**
 * What the router would do with a request right now, and why. Nothing is sent, set or counted, and no later choice changes;
 * the values of cookies and parameters are not in the answer. A new session goes to the node with the best score; where the
 * algorithm draws among nodes, its choice may be another one.
 */
export function explain(
  router: ClusterRouter,
  { host, target, cookie }: Extract<FeedQuestion, { type: 'explain' }>,
  nowMs: number,
): ExplainAnswer {
  const state = new RequestState(true);
  const head = { method: 'GET', host: withoutPort(host), target, cookie };
  const decision = router.decide(head, state, nowMs);
  const { context, known } = state;
  const chosen = decision instanceof ClusterNode ? decision : undefined;
  const { search } = context?.attached.balancer ?? {};
  return {
    type: 'explain',
    outcome: outcomeOf(decision),
    ...(context && { balancer: context.balancer, context: context.path }),
    ...(known && search && { routeFrom: `${search.place} ${search.name}`, route: known.route }),
    ...(chosen && { chosen: chosen.id }),
    because: sentence(decision, state),
    candidates: candidatesOf(state, nowMs),
  };
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
  return context.members.slice(0, MAX_CANDIDATES).map((node) => {
    const served = context.contextOf(node) ?? { status: 'stopped' as const };
    const isHome = known?.node === node && node.verdict === 'forward' && served.status !== 'stopped';
    const reason = isHome ? '' : ineligibleReason(node, served);
    const isReserve = reason === '' && !isHome && !context.forNew.includes(node);
    const isEligible = reason === '' && !isReserve;
    const score = isChoosing && isEligible ? algorithm.score?.(node, { nowMs, isNewSession: true }) : undefined;
    return {
      id: node.id,
      isEligible,
      reason: tlsReason(node) || (isReserve ? reserveReason(node) : reason),
      // An algorithm of the operator's may have none.
      ...(score !== undefined && Number.isFinite(score) && { score }),
    };
  });
}

function tlsReason({ id, tlsProblem }: ClusterNode): string {
  return tlsProblem === undefined ? '' : tlsAdvice(id, tlsProblem).replace('\n', '; to do: ');
}

function reserveReason({ tier, isEjected }: ClusterNode): string {
  switch (tier) {
    case 'reserve':
      return `${isEjected ? 'ejected for failed requests, errors or slow answers' : 'standby'}: chosen only when no ready node is eligible`;
    case 'not-ready':
      return 'says that it is not ready: chosen only when no ready node is eligible';
    case 'suspect':
      return 'no heartbeat, but its port answers: chosen only when no heard node is eligible';
    default:
      return 'refused connections before: chosen only when no other node is eligible';
  }
}

function withoutPort(host: string): string {
  return host.toLowerCase().replace(/:[0-9]*$/, '');
}
