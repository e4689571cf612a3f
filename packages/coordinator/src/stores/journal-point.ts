import { isObject } from '@rollcall/protocol';

/** A position in a journal. A snapshot with this point contains the records of the journal before it. */
export interface JournalPoint {
  /** Random id of the journal. */
  readonly id: string;
  readonly bytes: number;
}

/** Reads a point from decoded JSON; `undefined` if it is invalid. */
export function readPoint(item: unknown): JournalPoint | undefined {
  if (!isObject(item)) return undefined;
  const { id, bytes } = item;
  return typeof id === 'string' && typeof bytes === 'number' ? { id, bytes } : undefined;
}
