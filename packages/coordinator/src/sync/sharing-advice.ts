/** Advice to the operator about the memory of all coordinators, and about coordinators that are down. */
import type { SharingResource } from '@rollcall/protocol';

export function sharingAdvice(sharing: SharingResource | undefined): string[] {
  if (sharing === undefined) return [];
  const { kind, isReachable, sinceUnixMs, lastError = 'no answer', refusal, waiting, unreadable } = sharing;
  const sentences: string[] = [];
  const meanwhile = `Requests of operators and settings of the other coordinators are not in force here, and ${waiting === 0 ? 'none' : waiting} of this one waits for them.`;
  if (refusal !== undefined) sentences.push(`Nothing is shared with other coordinators: ${refusal}. ${meanwhile}`);
  else if (!isReachable)
    sentences.push(
      `The memory of all coordinators (${kind}) does not answer since ${new Date(sinceUnixMs).toISOString()}: ${lastError}. ${meanwhile}`,
    );
  for (const { name, liveness } of sharing.coordinators)
    if (liveness === 'down')
      sentences.push(
        `Coordinator ${name} is down: it no longer writes to the shared memory. Start it again, or remove its address from ROLLCALL_URL.`,
      );
  if (unreadable > 0)
    sentences.push(`${unreadable} shared records could not be read and were skipped. They may be of a later release.`);
  return sentences;
}
