/** The nodes that a write concerns: all ids for the store, and a bounded number of nodes for the answer. */
import type { NodeId, WriteResult } from '@rollcall/protocol';
import type { Cluster } from '../cluster.ts';
import { MAX_PAGE } from './paging.ts';

export interface WriteTargets {
  /** In ascending order. */
  readonly ids: readonly NodeId[];
  /** The first `MAX_PAGE` nodes as they are now, and the number of further nodes. */
  readonly shown: Pick<WriteResult, 'nodes' | 'more'>;
}

export function writeTargets(cluster: Cluster, nodes: Iterable<{ readonly id: NodeId }>): WriteTargets {
  const ids = [...nodes].map(({ id }) => id).sort();
  const more = ids.length - MAX_PAGE;
  const shown = cluster.resources(ids.slice(0, MAX_PAGE).map((id) => ({ id })));
  return { ids, shown: { nodes: shown, ...(more > 0 && { more }) } };
}
