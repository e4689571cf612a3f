/** Advice to the operator about the memory of all coordinators, and about coordinators that are down. */
import type { SharingResource } from '@rollcall/protocol';
import type { Notice } from '../problems/notice.ts';

export function sharingAdvice(sharing: SharingResource | undefined): Notice[] {
  if (sharing === undefined) return [];
  const { kind, isReachable, sinceUnixMs, lastError = 'no answer', refusal, waiting, unreadable, leftOut } = sharing;
  const found: Notice[] = [];
  const add = (kind: Notice['kind'], sentence: string): void => {
    found.push({ kind, level: 'risk', sentence });
  };
  const waits = waiting === 1 ? '1 record of this coordinator waits' : `${waiting} records of this coordinator wait`;
  const rest = `Later requests of operators at the other coordinators are not in force here. ${waits} to be shared.`;
  if (refusal !== undefined) add('sharing', `Nothing is shared with other coordinators: ${refusal}. ${rest}`);
  else if (!isReachable)
    add(
      'sharing',
      `Nothing is shared through ${kind} since ${new Date(sinceUnixMs).toISOString()}: ${lastError}. ${rest}`,
    );
  for (const { name, liveness } of sharing.coordinators)
    if (liveness === 'down')
      add(
        'coordinator',
        `Coordinator ${name} is down: it no longer writes to the shared memory. Drains wait for its workers. Start it again, or run \`rollcall coordinators --forget ${name}\` if its machine is off.`,
      );
  if (unreadable > 0)
    add('sharing', `${unreadable} shared records could not be read and were skipped. They may be of a later release.`);
  if (leftOut > 0)
    add(
      'sharing',
      `${leftOut} shared records were left out, because this coordinator holds as many as it may. The log names some; another program may have written them.`,
    );
  return found;
}
