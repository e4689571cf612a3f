/**
 * Decides which refusals are written at once and which are counted, so that the audit stays bounded and no kind of refusal hides
 * another. Refusals are grouped by refused request, code, and client. The first of a group is written at once, further ones every
 * 60 s as one entry with their count.
 *
 * Refused identities (a name that belongs to another token, process or node) are also grouped by node, and have their own bounds. So
 * other refusals, in any number, cannot hide one of them.
 */
import type { ErrorCode } from '@rollcall/protocol';
import { TokenBucket } from '../network/token-bucket.ts';

export interface RefusalNote {
  /** The refused message or request, e.g. `register`, `PUT /v1/nodes/:id`. */
  readonly what: string;
  readonly code: ErrorCode;
  readonly message: string;
  /** Name of the token. */
  readonly by?: string;
  readonly address?: string;
  readonly node?: string;
}

/** Refusals that were counted instead of written. */
export interface RefusalSum extends RefusalNote {
  readonly count: number;
  readonly overMs: number;
  /** The nodes that the refusals name, at most `MAX_NODES`, in the order of their first refusal. */
  readonly nodes: readonly string[];
}

/** Time between a first refusal and its sum, and between two sums, milliseconds. */
export const SUM_MS = 60_000;
/** Upper bound of the groups of each of the two classes within this time; further refusals are counted by code. */
const MAX_KEPT = 200;
/** Upper bound of the nodes that a sum names. */
const MAX_NODES = 100;
/** Upper bound of the first refusals that are written at once, without identities. */
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
  /** The last refusal. */
  note: RefusalNote;
  readonly sinceMs: number;
  count: number;
  readonly nodes: Set<string>;
}

export class RefusalSums {
  readonly #identities = new Map<string, Sum>();
  /** Refused identities beyond the bound, by code and client. */
  readonly #moreIdentities = new Map<string, Sum>();
  readonly #others = new Map<string, Sum>();
  /** Refusals beyond all bounds, by code. */
  readonly #byCode = new Map<string, Sum>();
  readonly #atOnce: TokenBucket;

  constructor(nowMs: number) {
    this.#atOnce = new TokenBucket(AT_ONCE, nowMs);
  }

  /** Adds a refusal. Returns true if it is to be written now; otherwise a later sum includes it. */
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

  /** The sums that are due at `nowMs`, or all at the end. */
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

  /** This group does not keep the client. */
  #byCodeOf({ by: _, address: __, ...note }: RefusalNote, nowMs: number): Sum {
    const { code } = note;
    const known = this.#byCode.get(code) ?? newSum(note, nowMs);
    this.#byCode.set(code, known);
    return known;
  }
}

interface Found {
  /** Returns `undefined` if the bound is reached. */
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
  // The client does not change: it is the key, or is not kept.
  sum.note = { ...sum.note, ...note };
  sum.count += 1;
  if (note.node !== undefined && sum.nodes.size < MAX_NODES) sum.nodes.add(note.node);
}
