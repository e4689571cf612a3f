/**
 * Which process holds an id. Pure comparison of the holder with a process that claims the id; changes no state.
 *
 * - another token: only once the holder is gone, and an operator has removed it or it had registered without a token;
 * - the same process (`instance`): its newest connection holds the id;
 * - without an agent (`lease`, `static`) processes cannot be distinguished: a repeated registration is the same;
 * - the holder is gone or has no current heartbeat: any process of the same owner, with any incarnation. Clocks may be wrong, and a
 *   process that died with its host cannot leave;
 * - the holder has a current heartbeat: the process with the higher incarnation (the later start); equal: the holder stays.
 */
import type { Fault, Liveness } from '@rollcall/protocol';
import type { ConnectionId, QuotaStanding } from '../commands.ts';
import type { NodeKind } from '../node/node-record.ts';
import { OWN_ID, ownerText } from './holder-text.ts';

/** The facts about either side that the comparison needs. */
export interface Claimant {
  readonly kind: NodeKind;
  readonly owner: string;
  readonly standing: QuotaStanding;
  readonly connection: ConnectionId;
  readonly instance: string;
  readonly incarnation: number;
  /** Another coordinator has accepted it. Default false. */
  readonly isReported?: boolean;
}

export interface Holder extends Claimant {
  readonly liveness: Liveness;
  /** Connected, with a current heartbeat; a member without an agent: answers. */
  readonly isHeard: boolean;
  /** An operator has removed this instance. */
  readonly isRemoved: boolean;
  /** Id, address, age of the registration, connected or not; for messages. */
  readonly text: string;
}

/** `same`: the process that held the id. `other`: another process takes it over. */
export type Verdict = 'same' | 'other';

/** Judges a process that claims the id. A `Fault` names the holder, the reason and the remedy; the holder then stays unchanged. */
export function judgeClaimant(holder: Holder, claimant: Claimant): Verdict | Fault {
  const { isHeard, text } = holder;
  if (holder.owner !== claimant.owner && !isReleased(holder, claimant))
    return {
      code: 'id-owned',
      message: `the id belongs to ${ownerText(holder)}. Use another id, or the token that registered it, or release the id with \`rollcall remove\``,
    };
  const isAgent = holder.kind === 'agent' && claimant.kind === 'agent';
  if (isAgent && holder.instance === claimant.instance) return judgeSameInstance(holder, claimant);
  if (holder.liveness === 'gone') return holder.kind === claimant.kind && !isAgent ? 'same' : 'other';
  if (holder.kind === claimant.kind && !isAgent) return 'same';
  if (!isHeard) return 'other';
  if (!isAgent)
    return {
      code: 'id-taken',
      holderConnected: true,
      message: `the id is held by ${text}, registered as ${holder.kind}. Use another id, or stop that node and \`rollcall remove\` it`,
    };
  if (claimant.incarnation > holder.incarnation) return 'other';
  if (claimant.incarnation < holder.incarnation)
    return {
      code: 'superseded',
      holderConnected: true,
      message: `a process that was started later holds the id: ${text}. ${OWN_ID}`,
    };
  return {
    code: 'id-taken',
    holderConnected: true,
    message: `a process that was started at the same time holds the id: ${text}. ${OWN_ID}`,
  };
}

/** A gone node that registered without a token may be an earlier process of the claimant, from before tokens were created. */
function isReleased({ liveness, isRemoved, standing }: Holder, claimant: Claimant): boolean {
  return liveness === 'gone' && (isRemoved || (standing === 'tokenless' && claimant.standing === 'token'));
}

function judgeSameInstance(holder: Holder, claimant: Claimant): Verdict | Fault {
  if (holder.isRemoved)
    return {
      code: 'removed',
      message: `an operator has removed this process: ${holder.text}. A new process may register`,
    };
  if (claimant.connection < holder.connection && !claimant.isReported)
    return {
      code: 'superseded',
      holderConnected: holder.isHeard,
      message: `a newer connection of this process speaks for ${holder.text}`,
    };
  return 'same';
}
