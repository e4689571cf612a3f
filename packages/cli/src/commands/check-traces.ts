/** Traces of `protocol-check` in a cluster: nodes that have left, and contexts that have lost their last node. */
import { AdminClient, type AdminTarget } from '../admin-client.ts';
import { nodesOf } from '../lists.ts';

/** The run that left them: node ids begin with `run`, and all contexts belong to `host`. */
export interface CheckRun {
  readonly run: string;
  readonly host: string;
}

/** Why traces remain, and the command that removes the contexts that `rollcall status` reports. */
export interface Traces {
  readonly host: string;
  readonly cause: string;
  readonly command: string;
}

/** Removes nodes and contexts, which needs a token of role operator. Returns `undefined` if nothing remains. */
export async function removeTraces({ run, host }: CheckRun, target: AdminTarget): Promise<Traces | undefined> {
  try {
    const client = await AdminClient.connect(target);
    const left = (await nodesOf(client, { all: true })).filter(({ id }) => id.startsWith(`${run}-`));
    if (left.length === 0) return undefined;
    const reason = 'protocol-check';
    for (const { id } of left) await client.call('removeNode', { path: { id }, body: { reason, force: true } });
    await client.call('forgetContexts', { body: { host, reason } });
    return undefined;
  } catch (error) {
    // The checks are done: a failed cleanup does not change their results.
    const cause = error instanceof Error ? error.message : String(error);
    return { host, cause, command: `rollcall forget --all --host ${host}` };
  }
}
