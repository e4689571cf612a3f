/**
 * Merges two records of one node id.
 *
 * - The same instance: the record with the higher version stands, with the lowest incarnation and the first claim that either has.
 * - Two instances: each was accepted by a coordinator that did not know the other one. An instance that has left loses. Else the higher
 *   incarnation stands; else the one that claimed the id first, by version, then by coordinator id.
 * - Instances that have left stay known, so that a record from before does not bring one back. The same applies to a silent instance that
 *   another one has replaced. Its successor may have the lower incarnation, because a clock was set back.
 */
import { isDeletion, type Merged, type SharedRecord } from './shared-record.ts';
import { compareVersions, isVersion, type Version } from './version.ts';

/** One start of a node's program that has left, was removed, or was replaced while it was silent. */
export interface EndedInstance {
  readonly instance: string;
  readonly incarnation: number;
  /** `removed`: by an operator. Absent: another process has replaced it. A process that has not left ends everywhere, also where it is connected. */
  readonly end?: 'left' | 'removed';
}

/** The part of a node's value that the rules read. */
interface NodeClaim {
  readonly instance: string;
  /** The lowest value that a coordinator has recorded for the instance. */
  readonly incarnation: number;
  /** Version of the record by which the instance first claimed the id. The first record itself has none. */
  readonly claim: Version;
  /** In order; at most `MAX_ENDED`. */
  readonly ended: readonly EndedInstance[];
}

/** Ended instances that a node's record keeps, those with the highest incarnations. */
export const MAX_ENDED = 16;

export function mergeNodes(mine: SharedRecord, theirs: SharedRecord): Merged {
  const higher = compareVersions(mine.version, theirs.version) > 0 ? 'mine' : 'theirs';
  const [one, other] = [claimOf(mine), claimOf(theirs)];
  // A deletion, or a value of a later release.
  if (one === undefined || other === undefined) return higher;
  const ended = endedOf([...one.ended, ...other.ended]);
  const isSameStart = one.instance === other.instance;
  const standing = isSameStart ? higher : compareClaims(one, other, ended) > 0 ? 'mine' : 'theirs';
  const [winner, loser] = standing === 'mine' ? [one, other] : [other, one];
  const merged: NodeClaim = {
    instance: winner.instance,
    incarnation: isSameStart ? Math.min(winner.incarnation, loser.incarnation) : winner.incarnation,
    claim: isSameStart && compareVersions(loser.claim, winner.claim) < 0 ? loser.claim : winner.claim,
    ended,
  };
  if (JSON.stringify(merged) === JSON.stringify(winner)) return standing;
  const { claim: _claim, ended: _ended, ...value } = (standing === 'mine' ? mine : theirs).value as Partial<NodeClaim>;
  const { claim, instance, incarnation } = merged;
  // In the order in which coordinators write these fields, so that equal values have equal texts.
  return { value: { ...value, instance, incarnation, claim, ...(ended.length > 0 && { ended }) } };
}

/** Positive if `one` keeps the id, negative if `other` does. */
function compareClaims(one: NodeClaim, other: NodeClaim, ended: readonly EndedInstance[]): number {
  const isOver = ({ instance }: NodeClaim): number => (ended.some((start) => start.instance === instance) ? 1 : 0);
  return (
    isOver(other) - isOver(one) ||
    one.incarnation - other.incarnation ||
    compareVersions(other.claim, one.claim) ||
    (one.instance < other.instance ? 1 : -1)
  );
}

/** In the order of incarnations, without repeats; of one instance the lowest incarnation. */
export function endedOf(starts: readonly EndedInstance[]): EndedInstance[] {
  const byInstance = new Map<string, EndedInstance>();
  for (const start of starts) {
    const { instance } = start;
    const known = byInstance.get(instance) ?? start;
    const end = [start.end, known.end].includes('removed') ? 'removed' : (start.end ?? known.end);
    byInstance.set(instance, {
      instance,
      incarnation: Math.min(start.incarnation, known.incarnation),
      ...(end !== undefined && { end }),
    });
  }
  return [...byInstance.values()]
    .sort((one, other) => one.incarnation - other.incarnation || (one.instance < other.instance ? -1 : 1))
    .slice(-MAX_ENDED);
}

/** Ended processes of a node's value; empty for any other value. */
export function endedInstances(value: unknown): EndedInstance[] {
  const { ended } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return Array.isArray(ended) ? endedOf(ended.filter(isEnded)) : [];
}

function claimOf(record: SharedRecord): NodeClaim | undefined {
  if (isDeletion(record) || typeof record.value !== 'object') return undefined;
  const { instance, incarnation, claim } = record.value as Readonly<Record<string, unknown>>;
  if (typeof instance !== 'string' || !Number.isSafeInteger(incarnation)) return undefined;
  return {
    instance,
    incarnation: incarnation as number,
    claim: isVersion(claim) ? claim : record.version,
    ended: endedInstances(record.value),
  };
}

function isEnded(value: unknown): value is EndedInstance {
  const { instance, incarnation } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return typeof instance === 'string' && Number.isSafeInteger(incarnation);
}
