import type { Cluster } from '../cluster.ts';
import type { History } from '../events/history.ts';
import type { NodeAddressPolicy } from './node-address-policy.ts';
import type { Prober } from './prober.ts';

/** Connection of members that the registry has restored from the store. */
const RESTORED = 0;

/**
 * Probes members without an agent that the store remembered, until their first answer. Their addresses were allowed when they were
 * announced; the never-list of the policy applies again.
 */
export function probeRestoredMembers(deps: {
  readonly cluster: Cluster;
  readonly policy: NodeAddressPolicy;
  readonly prober: Prober;
  readonly history: History;
}): void {
  const { cluster, policy, prober, history } = deps;
  cluster.onEvent((event) => {
    if (event.type !== 'registered' || event.connection !== RESTORED || !event.needsProbe) return;
    const node = cluster.registry.node(event.id);
    if (!node || node.kind === 'agent') return;
    void policy.check(node.registration.url, { peer: undefined, mayNameAnywhere: true }).then((address) => {
      if ('code' in address) history.refused('restore', address, { node: event.id });
      else prober.watch(event.id, RESTORED, address);
    });
  });
}
