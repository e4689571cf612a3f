/**
 * The last requests of this worker with their decisions, for an operator who has the id of a request. A ring of parallel arrays of a fixed
 * size: recording a request allocates nothing. Texts that a client has sent are copied, because a slice of a request head would keep the
 * whole head in memory. Cookies, query strings and path parameters are never recorded.
 */
import type { PastDecisionsAnswer } from '@rollcall/feed';
import {
  type BalancerName,
  type ContextPath,
  MAX_PAST_DECISIONS,
  type NodeId,
  type PastAttempt,
  type PastDecision,
} from '@rollcall/protocol';
import type { FailedAttempt, FinishedRequest, RequestRecorder } from '../engine/finished-request.ts';
import type { RoutableHead } from '../engine/router.ts';
import { RequestState } from './request-state.ts';

/** Requests that are kept. At 1,000 requests a second they go back ten seconds. */
export const RING_SIZE = 10_000;

/** Octets of the texts in one record: request id, method, host and path, one behind the other. 5 MB in all. */
const ID_OCTETS = 128;
const METHOD_OCTETS = 16;
const HOST_OCTETS = 112;
const PATH_OCTETS = 256;
const METHOD_AT = ID_OCTETS;
const HOST_AT = METHOD_AT + METHOD_OCTETS;
const PATH_AT = HOST_AT + HOST_OCTETS;
const RECORD_OCTETS = PATH_AT + PATH_OCTETS;
/** Attempts of one request that are reported. */
const MAX_ATTEMPTS = 20;
const QUESTION_MARK = 0x3f;
const SEMICOLON = 0x3b;
/** Status of a request whose client left before the answer was complete. */
const CLIENT_LEFT = 499;

/** Which records are wanted; all given ones must match. */
export interface PastDecisionsFilter {
  readonly requestId?: string;
  /** The chosen node, or one that was tried. */
  readonly node?: NodeId;
  readonly balancer?: BalancerName;
  /** A status, or a class of them from 1 to 5. */
  readonly status?: number;
  readonly limit: number;
}

export class DecisionRing implements RequestRecorder {
  readonly #texts: Buffer;
  /** Octets of the four texts of each record. */
  readonly #lengths: Uint16Array;
  readonly #startedMs: Float64Array;
  readonly #durationMs: Float64Array;
  readonly #upstreamMs: Float64Array;
  readonly #waitedMs: Float64Array;
  readonly #status: Uint16Array;
  readonly #attempts: Uint8Array;
  readonly #balancers: (BalancerName | undefined)[];
  readonly #contexts: (ContextPath | undefined)[];
  readonly #nodes: (NodeId | undefined)[];
  readonly #results: string[];
  readonly #because: string[];
  readonly #places: string[];
  readonly #names: string[];
  readonly #failed: (readonly FailedAttempt[] | undefined)[];
  readonly #size: number;
  #next = 0;
  #kept = 0;

  constructor(size: number = RING_SIZE) {
    this.#size = size;
    this.#texts = Buffer.alloc(size * RECORD_OCTETS);
    this.#lengths = new Uint16Array(size * 4);
    this.#startedMs = new Float64Array(size);
    this.#durationMs = new Float64Array(size);
    this.#upstreamMs = new Float64Array(size);
    this.#waitedMs = new Float64Array(size);
    this.#status = new Uint16Array(size);
    this.#attempts = new Uint8Array(size);
    this.#balancers = new Array<BalancerName | undefined>(size).fill(undefined);
    this.#contexts = new Array<ContextPath | undefined>(size).fill(undefined);
    this.#nodes = new Array<NodeId | undefined>(size).fill(undefined);
    this.#results = new Array<string>(size).fill('');
    this.#because = new Array<string>(size).fill('');
    this.#places = new Array<string>(size).fill('');
    this.#names = new Array<string>(size).fill('');
    this.#failed = new Array<readonly FailedAttempt[] | undefined>(size).fill(undefined);
  }

  finished(request: FinishedRequest, status: number, nowMs: number): void {
    const { head, decision, startedMs } = request;
    const at = this.#record(request.requestId, head, status, startedMs);
    this.#durationMs[at] = nowMs - startedMs;
    this.#upstreamMs[at] = request.upstreamMs;
    this.#waitedMs[at] = request.waitedMs;
    this.#attempts[at] = request.attempts;
    this.#failed[at] = request.failedAttempts;
    this.#nodes[at] = decision.node?.id;
    this.#results[at] = decision.stickyResult;
    const { state } = decision;
    if (!(state instanceof RequestState)) return;
    this.#balancers[at] = state.context?.balancer;
    this.#contexts[at] = state.context?.path;
    this.#because[at] = state.because;
    this.#places[at] = state.sessionPlace;
    this.#names[at] = state.sessionName;
  }

  refused(requestId: string, head: RoutableHead | undefined, status: number, why: string, nowMs: number): void {
    const at = this.#record(requestId, head, status, nowMs);
    this.#durationMs[at] = 0;
    this.#upstreamMs[at] = -1;
    this.#waitedMs[at] = 0;
    this.#attempts[at] = 0;
    this.#failed[at] = undefined;
    this.#nodes[at] = undefined;
    this.#results[at] = '';
    this.#balancers[at] = undefined;
    this.#contexts[at] = undefined;
    this.#because[at] = why;
    this.#places[at] = '';
    this.#names[at] = '';
  }

  /** The records that match, newest first, at most `limit`. `now`: the same instant on both clocks. */
  find(
    filter: PastDecisionsFilter,
    now: { readonly nowMs: number; readonly nowUnixMs: number },
  ): Omit<PastDecisionsAnswer, 'type' | 'worker'> {
    const toUnixMs = (atMs: number): number => Math.round(now.nowUnixMs - (now.nowMs - atMs));
    const decisions: PastDecision[] = [];
    const limit = Math.min(filter.limit, MAX_PAST_DECISIONS);
    for (let back = 1; back <= this.#kept && decisions.length < limit; back++) {
      const at = (this.#next - back + this.#size) % this.#size;
      if (this.#matches(at, filter)) decisions.push(this.#read(at, toUnixMs(this.#startedMs[at]!)));
    }
    const oldest = (this.#next - this.#kept + this.#size) % this.#size;
    return {
      decisions,
      kept: this.#kept,
      ...(this.#kept > 0 && { sinceUnixMs: toUnixMs(this.#startedMs[oldest]!) }),
    };
  }

  /** Begins the next record, over the oldest one. Returns its place. */
  #record(requestId: string, head: RoutableHead | undefined, status: number, startedMs: number): number {
    const at = this.#next;
    this.#next = at + 1 === this.#size ? 0 : at + 1;
    if (this.#kept < this.#size) this.#kept++;
    const start = at * RECORD_OCTETS;
    const lengths = at * 4;
    const texts = this.#texts;
    this.#lengths[lengths] = copyText(texts, start, requestId, ID_OCTETS);
    this.#lengths[lengths + 1] = copyText(texts, start + METHOD_AT, head?.method ?? '', METHOD_OCTETS);
    this.#lengths[lengths + 2] = copyText(texts, start + HOST_AT, head?.host ?? '', HOST_OCTETS);
    this.#lengths[lengths + 3] = copyPath(texts, start + PATH_AT, head?.target ?? '');
    this.#status[at] = status;
    this.#startedMs[at] = startedMs;
    return at;
  }

  #text(at: number, field: 0 | 1 | 2 | 3, offset: number): string {
    const start = at * RECORD_OCTETS + offset;
    return this.#texts.toString('latin1', start, start + this.#lengths[at * 4 + field]!);
  }

  #matches(at: number, { requestId, node, balancer, status }: PastDecisionsFilter): boolean {
    if (balancer !== undefined && this.#balancers[at] !== balancer) return false;
    const own = this.#status[at]!;
    if (status !== undefined && own !== status && Math.floor(own / 100) !== status) return false;
    if (node !== undefined && this.#nodes[at] !== node && !this.#failed[at]?.some((one) => one.node === node))
      return false;
    return requestId === undefined || this.#hasId(at, requestId);
  }

  #hasId(at: number, requestId: string): boolean {
    if (this.#lengths[at * 4] !== Math.min(requestId.length, ID_OCTETS)) return false;
    return this.#text(at, 0, 0) === requestId;
  }

  #read(at: number, atUnixMs: number): PastDecision {
    const balancer = this.#balancers[at];
    const context = this.#contexts[at];
    const node = this.#nodes[at];
    const upstreamMs = this.#upstreamMs[at]!;
    const place = this.#places[at]!;
    return {
      requestId: this.#text(at, 0, 0),
      atUnixMs,
      method: this.#text(at, 1, METHOD_AT),
      host: this.#text(at, 2, HOST_AT),
      path: this.#text(at, 3, PATH_AT),
      ...(balancer !== undefined && { balancer }),
      ...(context !== undefined && { context }),
      ...(place !== '' && { sessionFrom: `${place} ${this.#names[at]}` }),
      result: this.#results[at]!,
      ...(node !== undefined && { chosen: node }),
      because: this.#because[at]!,
      attempts: this.#attemptsOf(at, node),
      waitedMs: rounded(this.#waitedMs[at]!),
      status: this.#status[at]!,
      ...(upstreamMs >= 0 && { upstreamMs: rounded(upstreamMs) }),
      durationMs: rounded(this.#durationMs[at]!),
    };
  }

  /** Failed attempts in order of time, and the last one with its answer. */
  #attemptsOf(at: number, node: NodeId | undefined): PastAttempt[] {
    const failed = this.#failed[at] ?? [];
    const attempts: PastAttempt[] = failed
      .slice(0, MAX_ATTEMPTS)
      .map(({ node: id, how, afterMs }) => ({ node: id, outcome: how, afterMs: rounded(afterMs) }));
    if (node === undefined || this.#attempts[at]! <= failed.length) return attempts;
    const upstreamMs = this.#upstreamMs[at]!;
    if (upstreamMs >= 0) attempts.push({ node, outcome: 'answered', afterMs: rounded(upstreamMs) });
    else attempts.push({ node, outcome: this.#status[at] === CLIENT_LEFT ? 'client left' : 'ended by the proxy' });
    return attempts;
  }
}

/** Copies at most `most` characters of `text`; most texts are shorter than a native copy is worth. Returns their number. */
function copyText(into: Buffer, start: number, text: string, most: number): number {
  const length = Math.min(text.length, most);
  for (let i = 0; i < length; i++) into[start + i] = text.charCodeAt(i);
  return length;
}

/** The same for the path of a target, without query and parameters. */
function copyPath(into: Buffer, start: number, target: string): number {
  const length = Math.min(target.length, PATH_OCTETS);
  for (let i = 0; i < length; i++) {
    const code = target.charCodeAt(i);
    if (code === QUESTION_MARK || code === SEMICOLON) return i;
    into[start + i] = code;
  }
  return length;
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
