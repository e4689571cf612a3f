/**
 * Requests, settings and claims of this coordinator that lost against another coordinator's, which was made without knowledge of them. A
 * later change by a coordinator that knew the earlier one is no conflict.
 *
 * The coordinator that wrote the loser reports it, so that each conflict is one event in the cluster. At most `MAX_REPORTS` in a minute are
 * reported; further ones are counted, and the last of them is reported at the end of the minute.
 */
import { type EndedInstance, endedInstances } from './node-merge.ts';
import { isDeletion, type SharedRecord } from './shared-record.ts';
import { compareVersions, isVersion, type Version } from './version.ts';

/** A value that lost and the one that stands. */
export interface LostConflict {
  readonly key: string;
  readonly what: 'request' | 'settings' | 'id' | 'route' | 'context';
  readonly own: ConflictSide;
  readonly other: ConflictSide;
  /** Further conflicts that were not reported. Absent: none. */
  readonly more?: number;
}

export interface ConflictSide {
  /** Name of the coordinator; its id if the name is not known. */
  readonly coordinator: string;
  /** For people: JSON, or `none`. At most `MAX_TEXT` characters. */
  readonly value: string;
}

const MAX_REPORTS = 20;
const WINDOW_MS = 60_000;
const MAX_TEXT = 256;

/** What lost when `theirs` replaced `mine`, a record of the coordinator `own`; `undefined` if that is no conflict. */
export function lostKind(mine: SharedRecord, theirs: SharedRecord, own: string): LostConflict['what'] | undefined {
  const [kind] = mine.key.split('/');
  if (kind === 'node') return isLostClaim(mine, theirs, own) ? 'id' : undefined;
  const what = kind === 'override' ? 'request' : kind === 'balancer' ? 'settings' : undefined;
  const isOwn = mine.version[1] === own && theirs.version[1] !== own;
  const wasKnown = theirs.after !== undefined && compareVersions(theirs.after, mine.version) >= 0;
  return isOwn && !wasKnown && effectOf(mine) !== effectOf(theirs) ? what : undefined;
}

/** Two processes of one id, accepted apart. A process that ended, or was replaced by one that knew it, has not lost. */
function isLostClaim(mine: SharedRecord, theirs: SharedRecord, own: string): boolean {
  if (isDeletion(mine) || isDeletion(theirs) || claimOf(mine)[1] !== own) return false;
  const { instance } = mine.value as Partial<EndedInstance>;
  const ended = [...endedInstances(mine.value), ...endedInstances(theirs.value)];
  return (
    (theirs.value as Partial<EndedInstance>).instance !== instance && ended.every((one) => one.instance !== instance)
  );
}

/** Without requester and reason: two operators may request the same. */
function effectOf({ value }: SharedRecord): string {
  const { by: _, reason: __, ...effect } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return JSON.stringify(effect);
}

/** The version by which the process first claimed its names. */
export function claimOf({ value, version }: SharedRecord): Version {
  const { claim } = (value ?? {}) as { readonly claim?: unknown };
  return isVersion(claim) ? claim : version;
}

/** The value of a side. Of a node: its process. */
export function conflictText({ key, value }: SharedRecord): string {
  if (isDeletion({ value })) return 'none';
  const { instance, incarnation, registration } = value as Readonly<Record<string, unknown>>;
  const { url } = (registration ?? {}) as { readonly url?: unknown };
  const text = JSON.stringify(key.startsWith('node/') ? { instance, incarnation, url } : value);
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text;
}

/** Bounds the reports. */
export class ConflictReports {
  #windowAtMs = Number.NEGATIVE_INFINITY;
  #count = 0;
  #skipped = 0;
  #last: LostConflict | undefined;

  /** The conflicts to report now. */
  take(conflicts: readonly LostConflict[], nowMs: number): LostConflict[] {
    const reported = this.due(nowMs);
    for (const conflict of conflicts) {
      if (this.#count < MAX_REPORTS) {
        this.#count += 1;
        reported.push(conflict);
      } else {
        this.#skipped += 1;
        this.#last = conflict;
      }
    }
    return reported;
  }

  /** The report on conflicts that were counted only, at the end of their minute. */
  due(nowMs: number): LostConflict[] {
    if (nowMs - this.#windowAtMs < WINDOW_MS) return [];
    const more = this.#skipped - 1;
    const due = this.#last === undefined ? [] : [{ ...this.#last, ...(more > 0 && { more }) }];
    this.#windowAtMs = nowMs;
    this.#count = due.length;
    this.#skipped = 0;
    this.#last = undefined;
    return due;
  }
}
