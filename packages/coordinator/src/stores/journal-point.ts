import { isObject } from '@rollcall/protocol';

/** A place in a journal. The snapshot that names it holds what the journal says before it. */
export interface JournalPoint {
  /** Random id of the journal. */
  readonly id: string;
  readonly bytes: number;
}

/** A point in decoded JSON; `undefined` when it is none. */
export function readPoint(item: unknown): JournalPoint | undefined {
  if (!isObject(item)) return undefined;
  const { id, bytes } = item;
  return typeof id === 'string' && typeof bytes === 'number' ? { id, bytes } : undefined;
}
