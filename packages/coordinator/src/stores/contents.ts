/** The records on disk: the snapshot, with its journal applied. */
import { rm } from 'node:fs/promises';
import { besideOf } from '../files/whole-file.ts';
import { type JournalContent, readJournal } from './journal.ts';
import type { JournalPoint } from './journal-point.ts';
import { moveAside, type RecordLines, readSnapshot } from './snapshot.ts';

export interface StorePaths {
  readonly snapshot: string;
  readonly journal: string;
}

export interface Contents {
  readonly lines: RecordLines;
  /** The snapshot lacks records that `lines` contain. */
  readonly isJournaled: boolean;
  /** The point that a new journal must follow; absent if the next write must be a snapshot. */
  readonly follows?: JournalPoint;
  /** End of the journal; absent if no journal can be appended to. */
  readonly end?: JournalPoint;
}

/** `PATH.journal` for `PATH.json`. */
export function storePaths(path: string): StorePaths {
  return { snapshot: path, journal: `${path.replace(/\.json$/, '')}.journal` };
}

/**
 * Reads both files. A file that cannot be parsed is moved aside and reported. Rejects if the system cannot read a file now: after an
 * empty start the next write would replace it.
 */
export async function readContents(paths: StorePaths, onProblem: (message: string) => void): Promise<Contents> {
  // Removes drafts that a crash has left; on a read-only disk they stay.
  for (const path of [paths.snapshot, paths.journal]) await rm(besideOf(path), { force: true }).catch(() => undefined);
  const snapshot = await readSnapshot(paths.snapshot);
  const journal = await readJournal(paths.journal);
  const isDamaged = snapshot !== undefined && 'reason' in snapshot;
  const lines: RecordLines = snapshot === undefined || isDamaged ? new Map() : snapshot.lines;
  const point = snapshot === undefined || isDamaged ? undefined : snapshot.point;
  // Without its snapshot a journal still contains the latest changes.
  const start = isDamaged && typeof journal === 'object' ? 0 : startIn(journal, point);
  let isJournaled = false;
  if (typeof journal === 'object' && start !== undefined)
    for (const { startsAt, change } of journal.changes) {
      if (startsAt < start) continue;
      isJournaled = true;
      if ('remove' in change) lines.delete(change.remove);
      else lines.set(change.key, { record: change, text: JSON.stringify(change) });
    }
  if (isDamaged) {
    const left = lines.size === 0 ? 'empty' : `with the ${lines.size} records of the journal`;
    onProblem(
      `cannot read ${paths.snapshot}: ${snapshot.reason}; ${await moveAside(paths.snapshot)} and started ${left}`,
    );
  } else if (snapshot && snapshot.skipped > 0)
    onProblem(`skipped ${snapshot.skipped} records of ${paths.snapshot} that cannot be read`);
  if (journal !== undefined && start === undefined)
    onProblem(`${paths.journal} does not belong to ${paths.snapshot}; ${await moveAside(paths.journal)}`);
  else if (typeof journal === 'object' && journal.skipped > 0)
    onProblem(`skipped ${journal.skipped} lines of ${paths.journal} that cannot be read`);
  const base = { lines, isJournaled };
  if (point === undefined) return base;
  if (typeof journal !== 'object' || start === undefined) return { ...base, follows: point };
  // The journal is shorter than the point in the snapshot: appended lines would not be read.
  return start > journal.bytes ? base : { ...base, follows: point, end: { id: journal.id, bytes: journal.bytes } };
}

/** The byte from which a journal applies to a snapshot with `point`; `undefined` if it belongs to another snapshot. */
function startIn(
  journal: JournalContent | 'unreadable' | undefined,
  point: JournalPoint | undefined,
): number | undefined {
  if (journal === undefined || journal === 'unreadable' || point === undefined) return undefined;
  if (point.id === journal.id) return point.bytes;
  return point.id === journal.follows?.id && point.bytes === journal.follows.bytes ? 0 : undefined;
}
