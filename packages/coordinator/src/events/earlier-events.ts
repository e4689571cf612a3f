/** Events of the previous coordinator process, from the audit files. */
import type { EventResource } from '@rollcall/protocol';
import { readEntries } from './audit-reader.ts';
import { EVENT_LOG_SIZE } from './event-log.ts';

/** Oldest first, at most `EVENT_LOG_SIZE`; none if the file cannot be read. */
export async function earlierEvents(path: string): Promise<EventResource[]> {
  try {
    const { entries } = await readEntries(path, {
      limit: EVENT_LOG_SIZE,
      beforeId: Number.POSITIVE_INFINITY,
      isWanted: ({ isEvent }) => isEvent === true,
    });
    return entries.reverse().map((entry) => {
      const { id, atUnixMs, what, message, node, balancer, by } = entry;
      return {
        id,
        atUnixMs,
        type: what,
        message,
        ...(typeof node === 'string' && { node }),
        ...(typeof balancer === 'string' && { balancer }),
        ...(typeof by === 'string' && { by }),
      } as EventResource;
    });
  } catch {
    // The audit reports its own failures.
    return [];
  }
}
