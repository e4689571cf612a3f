/** The answer to an operator waits until the store and the other coordinators have the change, or names those without it. */
import { recordKey } from '@rollcall/core';
import type { AppliedResource, BalancerResource, NodeResource } from '@rollcall/protocol';
import type { Dependencies } from './dependencies.ts';

interface Answer {
  readonly nodes?: readonly NodeResource[];
  readonly balancer?: BalancerResource;
  readonly isDryRun: boolean;
  readonly message: string;
  readonly pending?: true;
  readonly coordinators?: AppliedResource;
}

/** Time that an answer waits for the other coordinators, milliseconds. */
const APPLIED_WITHIN_MS = 1_000;

/**
 * Resolves with `answer` once the store has the records of its balancer and of the nodes `ids`, by default its own nodes. The other
 * coordinators have then put them in force. Adds `pending` if the store does not answer in time, and `coordinators`.
 */
export async function storedAnswer<Result extends Answer>(
  { storeSync, sharedSync }: Pick<Dependencies, 'storeSync' | 'sharedSync'>,
  answer: Result,
  ids: readonly string[] = (answer.nodes ?? []).map(({ id }) => id),
): Promise<Result> {
  const { balancer, isDryRun } = answer;
  if (isDryRun) return answer;
  const keys = ids.flatMap((id) => [recordKey.node(id), recordKey.override(id)]);
  if (balancer) keys.push(recordKey.balancer(balancer.name));
  const [isStored, coordinators] = await Promise.all([
    storeSync.stored(keys),
    sharedSync?.applied(keys, APPLIED_WITHIN_MS),
  ]);
  const { kind, lastError = 'no answer in time' } = storeSync.status;
  const message = [
    answer.message,
    ...(isStored
      ? []
      : [
          `pending: the store (${kind}) does not have it yet: ${lastError}; in force now, lost if the coordinator ends before the store has it`,
        ]),
    ...elsewhere(coordinators),
  ].join('; ');
  return { ...answer, ...(!isStored && { pending: true }), ...(coordinators && { coordinators }), message };
}

/** The same for a change that the store of this coordinator does not have, such as that of a token: only the other coordinators count. */
export async function sharedAnswer<Result extends Pick<Answer, 'message' | 'coordinators'>>(
  { sharedSync }: Pick<Dependencies, 'sharedSync'>,
  answer: Result,
  keys: readonly string[],
): Promise<Result> {
  const coordinators = await sharedSync?.applied(keys, APPLIED_WITHIN_MS);
  if (coordinators === undefined) return answer;
  return { ...answer, coordinators, message: [answer.message, ...elsewhere(coordinators)].join('; ') };
}

function elsewhere(coordinators: AppliedResource | undefined): string[] {
  const { pending = [], absent = [] } = coordinators ?? {};
  return [
    ...(pending.length === 0 ? [] : [`pending: not known to be in force at ${pending.join(', ')}`]),
    ...(absent.length === 0 ? [] : [`${absent.join(', ')} ${absent.length === 1 ? 'is' : 'are'} down`]),
  ];
}

/** Whether a running coordinator may not have the change of an answer yet: its status is then 202. */
export function isPendingAnswer(payload: unknown): boolean {
  const { coordinators } = (payload ?? {}) as Partial<Answer>;
  return Array.isArray(coordinators?.pending) && coordinators.pending.length > 0;
}
