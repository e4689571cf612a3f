/** The answer to an operator waits until the store has the change, or marks the change as pending. */
import { recordKey } from '@rollcall/core';
import type { BalancerResource, NodeResource } from '@rollcall/protocol';
import type { StoreSync } from '../sync/store-sync.ts';

interface Answer {
  readonly nodes?: readonly NodeResource[];
  readonly balancer?: BalancerResource;
  readonly isDryRun: boolean;
  readonly message: string;
  readonly pending?: true;
}

/**
 * Resolves with `answer` once the store has the records of its balancer and of the nodes `ids`, by default its own nodes. Adds
 * `pending` if the store is unreachable or does not answer in time.
 */
export async function storedAnswer<Result extends Answer>(
  storeSync: StoreSync,
  answer: Result,
  ids: readonly string[] = (answer.nodes ?? []).map(({ id }) => id),
): Promise<Result> {
  const { balancer, isDryRun } = answer;
  const keys = ids.flatMap((id) => [recordKey.node(id), recordKey.override(id)]);
  if (balancer) keys.push(recordKey.balancer(balancer.name));
  if (isDryRun || (await storeSync.stored(keys))) return answer;
  const { kind, lastError = 'no answer in time' } = storeSync.status;
  const message = `${answer.message}; pending: the store (${kind}) does not have it yet: ${lastError}; in force now, lost if the coordinator ends before the store has it`;
  return { ...answer, pending: true, message };
}
