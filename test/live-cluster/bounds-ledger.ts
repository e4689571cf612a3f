/** Requests that run into a bound of the proxy: the record that the client writes of each, and the verdict on all. */
import { readFileSync } from 'node:fs';
import type { NodeLine } from './ledger.ts';

/**
 * `stream`: `text/event-stream` without an event. `stalled`: another answer that falls silent after its first octets.
 * `poll`: an answer later than `upstream-timeout`. `fields`: a response head above the bound on fields. `upload`: 8 MB
 * that the node refuses with 413 while the client still sends.
 */
export const BOUNDS_KINDS = ['stream', 'stalled', 'poll', 'fields', 'upload'] as const;
export type BoundsKind = (typeof BOUNDS_KINDS)[number];

/** Prefix of the ids of these requests, in the ledgers of client and nodes. */
export const BOUNDS_ID_PREFIX = 'bounds-';

/** One such request as the client saw it. Instants are on the machine's monotonic clock. */
export interface BoundsAnswer {
  readonly id: string;
  readonly kind: BoundsKind;
  readonly sentMs: number;
  readonly doneMs: number;
  /** `whole`: complete. `cut`: broken off after the head. `failed`: no head. `left`: closed by the client at the end. */
  readonly end: 'whole' | 'cut' | 'failed' | 'left';
  /** Absent when no response head came. */
  readonly status?: number;
  /** The process that answered; absent when the proxy itself did. */
  readonly instance?: string;
  /** Error code of the client's socket, when `end` is `failed`. */
  readonly error?: string;
}

export interface BoundsVerdict {
  /** Requests by kind and outcome; an outcome reads `504`, `200 cut` or `ECONNRESET`. */
  readonly outcomes: Readonly<Record<BoundsKind, ReadonlyMap<string, number>>>;
  /** Requests whose outcome is not one that their kind may have. */
  readonly unexpected: readonly string[];
  /** Requests that another process than `target` received or answered. */
  readonly strayed: readonly string[];
}

/** Outcomes that each kind may have. Requests that the client closed at the end are not judged by their outcome. */
const EXPECTED: Readonly<Record<BoundsKind, readonly string[]>> = {
  stream: ['200 cut'],
  stalled: ['200 cut'],
  poll: ['200', '504'],
  fields: ['502'],
  // The reset that follows the 413 may arrive before the 413 was read.
  upload: ['413', '502', '502 cut', '413 cut', 'ECONNRESET', 'EPIPE'],
};

/** Judges requests whose sessions are all at the process `target`. Pure. */
export function judgeBounds(
  answers: readonly BoundsAnswer[],
  nodeLines: readonly NodeLine[],
  target: string,
): BoundsVerdict {
  const outcomes = Object.fromEntries(BOUNDS_KINDS.map((kind) => [kind, new Map<string, number>()])) as Record<
    BoundsKind,
    Map<string, number>
  >;
  const unexpected: string[] = [];
  const strayed = nodeLines
    .filter(({ id, instance }) => id.startsWith(BOUNDS_ID_PREFIX) && instance !== target)
    .map(({ id, instance }) => `${id} reached ${instance}`);
  for (const answer of answers) {
    const { id, kind, instance } = answer;
    const outcome = outcomeOf(answer);
    outcomes[kind].set(outcome, (outcomes[kind].get(outcome) ?? 0) + 1);
    if (instance !== undefined && instance !== target) strayed.push(`${id} was answered by ${instance}`);
    if (answer.end !== 'left' && !EXPECTED[kind].includes(outcome)) unexpected.push(`${id} ${kind}: ${outcome}`);
  }
  return { outcomes, unexpected, strayed };
}

function outcomeOf({ status, end, error }: BoundsAnswer): string {
  if (end === 'failed') return error ?? 'failed';
  const head = status === undefined ? 'no head' : `${status}`;
  return end === 'whole' ? head : `${head} ${end}`;
}

/** The answers in a file that the bounds client wrote, in the order of their ends. */
export function readBoundsAnswers(file: string): BoundsAnswer[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  // The text after the last line end is empty.
  lines.pop();
  return lines.map((line) => JSON.parse(line) as BoundsAnswer);
}
