/**
 * Which refusals are written at once and which are summed up, so that the audit stays bounded and no kind of refusal
 * hides another. Refusals are kept apart by what was refused, by code, and by who asked. The first of each is written at
 * once, the others as one entry with their count every 60 s.
 *
 * Refused identities (a name that belongs to another token, process or node) are kept apart by node as well and have
 * bounds of their own: no number of other refusals keeps one of them out.
 */
import type { ErrorCode } from '@rollcall/protocol';
import { TokenBucket } from '../network/token-bucket.ts';

export interface RefusalNote {
  /** What was refused, e.g. `register`, `PUT /v1/nodes/:id`. */
  readonly what: string;
  readonly code: ErrorCode;
  readonly message: string;
  /** Name of the token. */
  readonly by?: string;
  readonly address?: string;
  readonly node?: string;
}

/** Refusals that were not written one by one. */
export interface RefusalSum extends RefusalNote {
  readonly count: number;
  readonly overMs: number;
  /** The nodes that they name, at most `MAX_NODES`, in the order of their first refusal. */
  readonly nodes: readonly string[];
}

/** Between a first refusal and its sum, and between two sums, milliseconds. */
export const SUM_MS = 60_000;
/** Refusals kept apart within this time, of each of the two classes; beyond it they are summed up by code. */
const MAX_KEPT = 200;
/** Nodes that a sum names. */
const MAX_NODES = 100;
/** First refusals that are written at once, identities not included. */
const AT_ONCE = { burst: 50, perSecond: 5 };

const IDENTITY_CODES: ReadonlySet<ErrorCode> = new Set([
  'superseded',
  'id-taken',
  'id-owned',
  'address-taken',
  'wrong-program',
  'route-taken',
  'context-taken',
  'not-this-node',
  'removed',
  'forbidden',
]);

interface Sum {
  /** The last one. */
  note: RefusalNote;
  readonly sinceMs: number;
  count: number;
  readonly nodes: Set<string>;
}

export class RefusalSums {
  readonly #identities = new Map<string, Sum>();
  /** Identities beyond the bound, by code and who asked. */
  readonly #moreIdentities = new Map<string, Sum>();
  readonly #others = new Map<string, Sum>();
  /** Beyond all bounds, by code. */
  readonly #byCode = new Map<string, Sum>();
  readonly #atOnce: TokenBucket;

  constructor(nowMs: number) {
    this.#atOnce = new TokenBucket(AT_ONCE, nowMs);
  }

  /** Takes a refusal in. True when it is to be written now; otherwise it is in a later sum. */
  isWrittenNow(note: RefusalNote, nowMs: number): boolean {
    const { what, code, by = '', address = '', node = '' } = note;
    const who = `${code} ${by} ${address}`;
    if (IDENTITY_CODES.has(code)) {
      const { sum, isNew } = sumOf(this.#identities, `${who} ${node}`, note, nowMs);
      if (isNew) return true;
      add(sum ?? sumOf(this.#moreIdentities, who, note, nowMs).sum ?? this.#byCodeOf(note, nowMs), note);
      return false;
    }
    const { sum, isNew } = sumOf(this.#others, `${what} ${who}`, note, nowMs);
    if (isNew && this.#atOnce.take(nowMs)) return true;
    add(sum ?? this.#byCodeOf(note, nowMs), note);
    return false;
  }

  /** The sums that are to be written at `nowMs`: those whose time is over, or all at the end. */
  due(nowMs: number, isEnd = false): RefusalSum[] {
    const due: RefusalSum[] = [];
    for (const sums of [this.#identities, this.#moreIdentities, this.#others, this.#byCode])
      for (const [key, { note, sinceMs, count, nodes }] of sums) {
        const overMs = nowMs - sinceMs;
        if (overMs < SUM_MS && !isEnd) continue;
        if (count > 0) due.push({ ...note, count, overMs, nodes: [...nodes] });
        if (count === 0) sums.delete(key);
        else sums.set(key, newSum(note, nowMs));
      }
    return due;
  }

  /** Who asked is not kept there. */
  #byCodeOf({ by: _, address: __, ...note }: RefusalNote, nowMs: number): Sum {
    const { code } = note;
    const known = this.#byCode.get(code) ?? newSum(note, nowMs);
    this.#byCode.set(code, known);
    return known;
  }
}

interface Found {
  /** `undefined` when the bound is reached. */
  readonly sum: Sum | undefined;
  readonly isNew: boolean;
}

function sumOf(sums: Map<string, Sum>, key: string, note: RefusalNote, nowMs: number): Found {
  const known = sums.get(key);
  if (known !== undefined || sums.size >= MAX_KEPT) return { sum: known, isNew: false };
  const sum = newSum(note, nowMs);
  sums.set(key, sum);
  return { sum, isNew: true };
}

function newSum(note: RefusalNote, sinceMs: number): Sum {
  return { note, sinceMs, count: 0, nodes: new Set() };
}

function add(sum: Sum, { by: _, address: __, ...note }: RefusalNote): void {
  // Who asked stays as it is: it is the key, or is not kept.
  sum.note = { ...sum.note, ...note };
  sum.count += 1;
  if (note.node !== undefined && sum.nodes.size < MAX_NODES) sum.nodes.add(note.node);
}
