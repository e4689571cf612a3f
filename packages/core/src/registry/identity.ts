/**
 * Who may speak for an id. Pure comparison of the holder with a newcomer; nothing is changed here.
 *
 * - the same process (`instance`): its newest connection speaks;
 * - another process: the higher incarnation (the later start) speaks; equal: the holder stays while it is connected;
 * - the holder is gone: anybody of the same owner;
 * - without an agent (`lease`, `static`) there is no process to tell apart: a repeat is the same.
 */
import type { Fault, Liveness } from '@rollcall/protocol';
import type { ConnectionId } from './commands.ts';
import type { NodeKind } from './node-record.ts';

/** What the comparison needs of either side. */
export interface Claimant {
  readonly kind: NodeKind;
  readonly owner: string;
  readonly connection: ConnectionId;
  readonly instance: string;
  readonly incarnation: number;
}

export interface Holder extends Claimant {
  readonly id: string;
  readonly liveness: Liveness;
  readonly isConnected: boolean;
  /** An operator has removed this instance. */
  readonly isRemoved: boolean;
}

/** `same`: the process that held the id. `other`: another one takes it over. */
export type Verdict = 'same' | 'other';

/** Judges a newcomer. A `Fault` says why it may not have the id; the holder is not harmed then. */
export function judgeNewcomer(holder: Holder, newcomer: Claimant): Verdict | Fault {
  if (holder.owner !== newcomer.owner)
    return { code: 'id-owned', message: `node ${holder.id} belongs to another token` };
  if (newcomer.kind !== holder.kind) {
    if (holder.liveness === 'gone') return 'other';
    return { code: 'id-taken', message: `node ${holder.id} is registered as ${holder.kind} and is present` };
  }
  if (holder.kind !== 'agent') return 'same';
  if (holder.instance === newcomer.instance) return judgeSameInstance(holder, newcomer);
  if (holder.liveness === 'gone' || newcomer.incarnation > holder.incarnation) return 'other';
  if (newcomer.incarnation < holder.incarnation)
    return {
      code: 'superseded',
      message: `node ${holder.id} was started again at ${holder.incarnation}, after this process at ${newcomer.incarnation}`,
    };
  if (!holder.isConnected) return 'other';
  return { code: 'id-taken', message: `node ${holder.id} is held by another process that started at the same time` };
}

function judgeSameInstance(holder: Holder, newcomer: Claimant): Verdict | Fault {
  if (holder.isRemoved)
    return { code: 'removed', message: `node ${holder.id} was removed by an operator; a new process may register` };
  if (newcomer.connection < holder.connection)
    return { code: 'superseded', message: `a newer connection of this process speaks for node ${holder.id}` };
  return 'same';
}
