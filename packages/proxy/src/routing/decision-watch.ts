/**
 * The next decisions of this worker, for an operator: the candidates, their scores, the chosen node and the reason. The router
 * reports decisions only during a watch.
 */
import {
  type Decision,
  type DecisionsAnswer,
  type ExplainedCandidate,
  type FeedQuestion,
  MAX_DECISIONS,
} from '@rollcall/feed';
import { ClusterNode } from '../cluster/cluster-node.ts';
import type { Delay } from '../cluster/node-probes.ts';
import { pathOnly, type RoutableHead } from '../engine/router.ts';
import type { ClusterRouter } from './cluster-router.ts';
import { withWhy } from './explanation.ts';
import type { RequestState } from './request-state.ts';

/** Maximum number of watches at a time; a further one gets no decisions. */
const MAX_WATCHERS = 4;
const MAX_CANDIDATES = 10;

type DecisionsQuestion = Extract<FeedQuestion, { readonly type: 'decisions' }>;

interface Watcher {
  readonly decisions: Decision[];
  readonly count: number;
  readonly onlyPicks: boolean;
  readonly end: () => void;
}

export class DecisionWatch {
  readonly #router: ClusterRouter;
  readonly #delay: Delay;
  readonly #nowUnixMs: () => number;
  readonly #watchers = new Set<Watcher>();

  constructor(options: { readonly router: ClusterRouter; readonly delay: Delay; readonly nowUnixMs: () => number }) {
    this.#router = options.router;
    this.#delay = options.delay;
    this.#nowUnixMs = options.nowUnixMs;
  }

  /**
   * Resolves with the next `count` decisions, or with the decisions of the next `forMs`. With `onlyPicks` only decisions of an
   * algorithm count.
   */
  watch({ count, forMs, onlyPicks }: Omit<DecisionsQuestion, 'type'>): Promise<DecisionsAnswer> {
    return new Promise((resolve) => {
      const decisions: Decision[] = [];
      if (this.#watchers.size >= MAX_WATCHERS) {
        // The watch ends only at its time limit, so that a client that repeats its request is limited in its rate.
        this.#delay(() => resolve({ type: 'decisions', decisions }), forMs);
        return;
      }
      const end = (): void => {
        cancel();
        this.#watchers.delete(watcher);
        if (this.#watchers.size === 0) this.#router.onDecision = undefined;
        resolve({ type: 'decisions', decisions });
      };
      const watcher = { decisions, count: Math.min(count, MAX_DECISIONS), onlyPicks, end };
      const cancel = this.#delay(end, forMs);
      this.#watchers.add(watcher);
      this.#router.onDecision = (head, state, choice, nowMs) => this.#take(head, state, choice, nowMs);
    });
  }

  /** Ends all watching. */
  close(): void {
    for (const { end } of this.#watchers) end();
  }

  #take(head: RoutableHead, state: RequestState, choice: ClusterNode | string, nowMs: number): void {
    const isPick = choice instanceof ClusterNode && (state.result === 'new' || state.result === 'none');
    let decision: Decision | undefined;
    for (const { decisions, count, onlyPicks, end } of this.#watchers) {
      if (onlyPicks && !isPick) continue;
      decision ??= this.#decision(head, state, choice, nowMs);
      decisions.push(decision);
      if (decisions.length >= count) end();
    }
  }

  #decision(head: RoutableHead, state: RequestState, choice: ClusterNode | string, nowMs: number): Decision {
    const { context, result, because } = state;
    const chosen = choice instanceof ClusterNode ? choice : undefined;
    const isPicked = chosen !== undefined && (result === 'new' || result === 'none');
    return {
      atUnixMs: this.#nowUnixMs(),
      method: head.method,
      host: head.host,
      path: pathOnly(head.target),
      ...(context && { balancer: context.balancer, context: context.path }),
      result: chosen ? result : '',
      ...(chosen && { chosen: chosen.id }),
      because: isPicked
        ? `${because}, placed by ${context!.attached.algorithm.name}`
        : withWhy(because, this.#router, choice, state, nowMs),
      candidates: isPicked ? best(state, chosen, nowMs) : [],
      candidateCount: isPicked ? context!.forNew.length : 0,
    };
  }
}

/** The best candidates by score; the chosen node is first among equals. */
function best(state: RequestState, chosen: ClusterNode, nowMs: number): ExplainedCandidate[] {
  const { algorithm } = state.context!.attached;
  const request = { nowMs, isNewSession: state.result === 'new' };
  const all = state.context!.forNew.map((node) => {
    const isTried = state.tried.has(node.id);
    const score = isTried ? undefined : algorithm.score?.(node, request);
    return {
      id: node.id,
      isEligible: !isTried,
      reason: isTried ? 'it was tried and failed' : '',
      ...(score !== undefined && Number.isFinite(score) && { score }),
    };
  });
  const rank = ({ score = Number.MAX_VALUE }: ExplainedCandidate): number => score;
  const order = ({ id }: ExplainedCandidate): number => (id === chosen.id ? 0 : 1);
  all.sort((one, other) => Math.sign(rank(one) - rank(other)) || order(one) - order(other));
  return all.slice(0, MAX_CANDIDATES);
}
