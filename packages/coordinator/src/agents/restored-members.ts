import type { Cluster } from '../cluster.ts';
import type { History } from '../events/history.ts';
import { type NodeAddressPolicy, UNKNOWN_REACH } from './node-address-policy.ts';
import type { Prober } from './prober.ts';

/** Connection id of members that the registry has restored from the store, and of nodes that other coordinators report. */
const RESTORED = 0;

/**
 * Probes members without an agent that were restored from the store, and nodes that only other coordinators receive heartbeats from, until their first answer.
 * It starts once the listeners of this
 * coordinator are known. The address policy is applied again, with the rights of the client that registered them. Workers refuse the
 * same addresses at each connect, also those of restored agents.
 */
export function probeRestoredMembers(deps: {
  readonly cluster: Cluster;
  readonly policy: NodeAddressPolicy;
  readonly prober: Prober;
  readonly history: History;
  /** Resolves when all listeners of the coordinator are known. */
  readonly listening: Promise<void>;
}): void {
  const { cluster, policy, prober, history, listening } = deps;
  cluster.onEvent((event) => {
    if (event.type !== 'registered' || event.connection !== RESTORED || !event.needsProbe) return;
    const node = cluster.registry.node(event.id);
    if (!node || (node.kind === 'agent' && node.reportedBy.length === 0)) return;
    const { url } = node.registration;
    const check = listening.then(() => policy.check(url, node.reach ?? UNKNOWN_REACH));
    void check.then((address) => {
      if ('code' in address) {
        history.refused('restore', address, { node: event.id });
        cluster.apply({ type: 'address-refused', id: event.id, message: address.message });
      } else prober.watch(event.id, RESTORED, address);
    });
  });
}
