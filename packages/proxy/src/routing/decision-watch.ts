/**
 * The next decisions of this worker, for an operator: the candidates, their scores, the chosen node and the reason. The router
 * reports decisions only during a watch.
 */
import { type Decision, type DecisionsAnswer, type FeedQuestion, MAX_DECISIONS } from '@rollcall/feed';
import { ClusterNode } from '../cluster/cluster-node.ts';
import type { Delay } from '../cluster/node-probes.ts';
import { pathOnly, type RoutableHead } from '../engine/router.ts';
import type { ClusterRouter } from './cluster-router.ts';
import { withWhy } from './explanation.ts';
import { PickRecord } from './pick-record.ts';
import type { RequestState } from './request-state.ts';

/** Maximum number of watches at a time; a further one gets no decisions. */
const MAX_WATCHERS = 4;

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
  readonly #picks = new PickRecord();

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
        if (this.#watchers.size === 0) {
          this.#router.onDecision = undefined;
          this.#router.pickRecord = undefined;
        }
        resolve({ type: 'decisions', decisions });
      };
      const watcher = { decisions, count: Math.min(count, MAX_DECISIONS), onlyPicks, end };
      const cancel = this.#delay(end, forMs);
      this.#watchers.add(watcher);
      this.#router.pickRecord = this.#picks;
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
      candidates: isPicked ? this.#picks.candidates(chosen.id, state.tried) : [],
      candidateCount: isPicked ? context!.forNew.length : 0,
    };
  }
}
