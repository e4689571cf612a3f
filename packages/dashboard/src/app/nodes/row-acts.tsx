/** Buttons of one node: the act that is usual in its state. All acts are on the page of the node. */

import type { NodeRow } from '@rollcall/protocol';
import type { Verb } from '../../model/commands.ts';
import { canAct, dialog, isLive } from '../state.ts';

export function RowActs({ id, node }: { readonly id: string; readonly node: NodeRow }) {
  if (!canAct.value) return null;
  return (
    <>
      {usualVerbs(node).map((verb) => (
        <button
          key={verb}
          type="button"
          disabled={!isLive.value}
          aria-label={`${verb} ${id}`}
          onClick={() => {
            dialog.value = { type: 'act', act: { verb, target: { nodes: [id] } } };
          }}
        >
          {verb}
        </button>
      ))}
    </>
  );
}

/** At most two. */
export function usualVerbs({ liveness, isAcknowledged, status, operatorStatus }: NodeRow): readonly Verb[] {
  if (liveness === 'missing') return isAcknowledged ? [] : ['acknowledge'];
  if (liveness === 'gone') return [];
  if (operatorStatus !== undefined && operatorStatus.status !== 'enabled')
    return operatorStatus.status === 'draining' ? ['enable', 'stop'] : ['enable'];
  return status === 'enabled' ? ['drain', 'stop'] : ['stop'];
}
