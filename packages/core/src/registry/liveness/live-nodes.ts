/**
 * The contexts that have a live node, as of one instant. They are computed by one pass over all nodes, at most once per tick, and only
 * when they are needed.
 */
import { contextKey, hostedContexts } from '../../contexts/hosted-context.ts';
import type { NodeView } from '../node/node-record.ts';
import type { RegistryState } from '../registry-state.ts';

export class LiveNodes {
  readonly #state: RegistryState;
  #served: Set<string> | undefined;

  constructor(state: RegistryState) {
    this.#state = state;
  }

  /** Whether in every context of `node`, which is not live itself, some node is. */
  areOthersLive(node: NodeView): boolean {
    this.#served ??= this.#contexts();
    for (const context of hostedContexts(node.registration)) if (!this.#served.has(contextKey(context))) return false;
    return true;
  }

  #contexts(): Set<string> {
    const served = new Set<string>();
    for (const node of this.#state.nodes.all())
      if (isLive(this.#state, node))
        for (const context of hostedContexts(node.registration)) served.add(contextKey(context));
    return served;
  }
}

/** Up, and not given up by every connected worker; or suspect and answering one of them. */
function isLive({ ports }: RegistryState, { id, liveness }: NodeView): boolean {
  if (liveness === 'up') return !ports.isGivenUp(id);
  return liveness === 'suspect' && ports.counts(id).answers > 0;
}
