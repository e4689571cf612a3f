/** Everything about the cluster on one page: problems, balancers, nodes. */

import { NodeSection } from '../nodes/node-section.tsx';
import { live } from '../state.ts';
import { BalancerSection } from './balancer-section.tsx';
import { EmptyCluster } from './empty-cluster.tsx';
import { Problems } from './problems.tsx';

export function ClusterView() {
  const { cluster } = live.value;
  if (cluster === undefined) return null;
  const isEmpty = Object.keys(cluster.nodes).length === 0 && Object.keys(cluster.balancers).length === 0;
  return (
    <>
      <Problems verdict={cluster.verdict} />
      {isEmpty ? (
        cluster.verdict.level === undefined && <EmptyCluster />
      ) : (
        <>
          <BalancerSection balancers={cluster.balancers} nodes={cluster.nodes} />
          <NodeSection />
        </>
      )}
    </>
  );
}
