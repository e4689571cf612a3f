/**
 * Algorithms that users write. The caller loads the file and passes its exports. They are checked before use and watched
 * afterwards: an error in them must not cost a request.
 */
import type { NodeId } from '@rollcall/protocol';
import { adaptive } from './adaptive.ts';
import {
  type Algorithm,
  type AlgorithmFactory,
  type AttemptOutcome,
  type Candidate,
  type NodeReport,
  newLiveNumbers,
  type PickRequest,
} from './algorithm.ts';

/** Why a value is no algorithm: one sentence without a subject, such as "has no method pick". */
export class AlgorithmProblem {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

const HOOKS = ['onSend', 'onResponse', 'onReport', 'onMembership', 'score'] as const;
const NONE: ReadonlySet<NodeId> = new Set();

/**
 * The factory that a module exports by default, checked and watched. One algorithm is made and tried with no, one and two
 * candidates. Its name is `name`, whatever its own name. `onMistake` is called for each later error.
 */
export function customAlgorithm(
  exported: unknown,
  name: string,
  onMistake: (what: string, nowMs: number) => void = () => {},
): AlgorithmFactory | AlgorithmProblem {
  if (typeof exported !== 'function')
    return new AlgorithmProblem(
      'has no function as its default export: write export default ({ rng }) => ({ pick(candidates, request, tried) { … } })',
    );
  const create = exported as AlgorithmFactory;
  try {
    const sample: unknown = create({ rng: () => 0.5 });
    const problem = shapeProblem(sample) ?? trialProblem(sample as Algorithm);
    if (problem !== undefined) return new AlgorithmProblem(problem);
  } catch (error) {
    return new AlgorithmProblem(`throws when it is tried: ${messageOf(error)}`);
  }
  return (options) => new WatchedAlgorithm(name, create(options), adaptive(options), onMistake);
}

function shapeProblem(sample: unknown): string | undefined {
  if (typeof sample !== 'object' || sample === null)
    return 'has to make an object with pick(candidates, request, tried)';
  if (typeof (sample as { readonly pick?: unknown }).pick !== 'function')
    return 'makes something without pick(candidates, request, tried)';
  for (const hook of HOOKS) {
    const method = (sample as Record<string, unknown>)[hook];
    if (method !== undefined && typeof method !== 'function') return `has ${hook}, which is no method`;
  }
  return undefined;
}

function trialProblem(algorithm: Algorithm): string | undefined {
  const request: PickRequest = { nowMs: 0, isNewSession: false };
  const [one, other] = [trialCandidate('one'), trialCandidate('other')];
  const both = [one, other];
  algorithm.onMembership?.(both);
  if (algorithm.pick([], request, NONE) !== undefined) return 'picks a node from an empty list';
  if (algorithm.pick([one], request, NONE) !== one) return 'does not pick the only candidate';
  const picked: unknown = algorithm.pick(both, request, NONE);
  if (picked !== one && picked !== other) return 'picks something that is no candidate';
  if (algorithm.pick(both, request, new Set([one.id])) !== other) return 'picks a candidate that was tried';
  return undefined;
}

function trialCandidate(id: string): Candidate {
  const live = newLiveNumbers();
  return { id: id as NodeId, weight: 1, cores: 1, upAtMs: Number.NEGATIVE_INFINITY, live };
}

/** `adaptive` receives the same calls, and chooses where the user's code throws or picks no allowed candidate. */
class WatchedAlgorithm implements Algorithm {
  readonly name: string;
  readonly #own: Algorithm;
  readonly #instead: Algorithm;
  readonly #onMistake: (what: string, nowMs: number) => void;

  constructor(name: string, own: Algorithm, instead: Algorithm, onMistake: (what: string, nowMs: number) => void) {
    this.name = name;
    this.#own = own;
    this.#instead = instead;
    this.#onMistake = onMistake;
  }

  pick<C extends Candidate>(candidates: readonly C[], request: PickRequest, tried: ReadonlySet<NodeId>): C | undefined {
    const scores = request.trace && this.#scores(candidates, request, tried);
    const own = request.trace === undefined ? request : { nowMs: request.nowMs, isNewSession: request.isNewSession };
    const picked = this.#safely(request.nowMs, () => this.#own.pick(candidates, own, tried));
    // Any value may have been returned: only a candidate is used.
    if (picked !== undefined && candidates.includes(picked) && !tried.has(picked.id)) {
      if (scores !== undefined) report(scores, picked, request);
      return picked;
    }
    const instead = this.#instead.pick(candidates, request, tried);
    if (instead !== undefined)
      this.#onMistake(
        picked === undefined ? 'it picks no node' : 'it picks a node that was not offered',
        request.nowMs,
      );
    return instead;
  }

  /** The scores before the pick, which may change them. Empty without a method `score`. */
  #scores(candidates: readonly Candidate[], request: PickRequest, tried: ReadonlySet<NodeId>): [Candidate, number][] {
    if (this.#own.score === undefined) return [];
    return candidates.flatMap((one) => (tried.has(one.id) ? [] : [[one, this.score(one, request)]]));
  }

  onSend(candidate: Candidate, nowMs: number): void {
    this.#instead.onSend?.(candidate, nowMs);
    this.#safely(nowMs, () => this.#own.onSend?.(candidate, nowMs));
  }

  onResponse(candidate: Candidate, outcome: AttemptOutcome, latencyMs: number, nowMs: number): void {
    this.#instead.onResponse?.(candidate, outcome, latencyMs, nowMs);
    this.#safely(nowMs, () => this.#own.onResponse?.(candidate, outcome, latencyMs, nowMs));
  }

  onReport(candidate: Candidate, report: NodeReport, nowMs: number): void {
    this.#instead.onReport?.(candidate, report, nowMs);
    // A copy, because other receivers get the report as well.
    this.#safely(nowMs, () => this.#own.onReport?.(candidate, { ...report }, nowMs));
  }

  onMembership(candidates: readonly Candidate[]): void {
    this.#instead.onMembership?.(candidates);
    this.#safely(0, () => this.#own.onMembership?.(candidates));
  }

  score(candidate: Candidate, request: PickRequest): number {
    const score = this.#safely(request.nowMs, () => this.#own.score?.(candidate, request));
    return typeof score === 'number' && !Number.isNaN(score) ? score : Number.MAX_VALUE;
  }

  wait(candidate: Candidate, nowMs: number): number {
    return this.#instead.wait?.(candidate, nowMs) ?? 1;
  }

  #safely<T>(nowMs: number, run: () => T): T | undefined {
    try {
      return run();
    } catch (error) {
      this.#onMistake(messageOf(error), nowMs);
      return undefined;
    }
  }
}

/** Scores that are worse for the picked node than for another one did not decide: the user's code compares other values. */
function report(scores: readonly [Candidate, number][], picked: Candidate, { trace }: PickRequest): void {
  const least = Math.min(...scores.map(([, score]) => score));
  if (scores.some(([candidate, score]) => candidate === picked && score === least))
    for (const [candidate, score] of scores) trace?.compared(candidate, score);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : `it throws a value of type ${typeof error}`;
}
