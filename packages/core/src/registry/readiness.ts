/** Whether a node wants new work: by its heartbeats, or by the answers of its ready path if it has no agent. */
import { UNKNOWN_LOAD } from '../balancing/adaptive.ts';
import type { ReadyPathCommand } from './commands.ts';
import { NodeHistory } from './node/load-history.ts';
import type { NodeRecord } from './node/node-record.ts';
import type { RegistryState } from './registry-state.ts';

/** As of a registration: ready until something else is known. */
export function resetReady(node: NodeRecord): void {
  node.isReady = true;
  node.readyReason = undefined;
  node.isReadyLate = false;
}

/** `reason`: why it is not ready, if that is known. */
export function setReady(state: RegistryState, node: NodeRecord, isReady: boolean, reason?: string): void {
  node.readyReason = reason;
  if (isReady === node.isReady) return;
  node.isReady = isReady;
  state.touchFeed(node);
  state.emit({ type: 'ready', id: node.id, isReady, ...(reason !== undefined && { detail: reason }) });
}

/** An answer of the ready path is no sign of life: the workers are the witness of a member without an agent. */
export function readyPath(state: RegistryState, { id, connection, problem, isLate }: ReadyPathCommand): void {
  const node = state.nodes.get(id);
  if (!node || node.kind === 'agent' || node.liveness === 'gone' || node.connection !== connection) return;
  setReady(state, node, problem === undefined, problem);
  if (!isLate && !node.isReadyLate) return;
  if (!isLate) node.history = new NodeHistory();
  node.isReadyLate = isLate;
  node.load = isLate ? 1 : UNKNOWN_LOAD;
  node.history.add(node.load, undefined, state.nowMs);
  node.toldAtMs = state.nowMs;
  state.emit({ type: 'load', id });
}
