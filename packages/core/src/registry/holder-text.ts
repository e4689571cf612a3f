/** Names the holder of an id, route or address to the one that was refused. */
import type { NodeProcess } from '@rollcall/protocol';
import type { NodeView } from './node-record.ts';
import type { RegistryState } from './registry-state.ts';

/** `node n1 at http://10.0.0.5:3000 (process 812 on web1, registered 12 s ago, connected)`. */
export function holderText(state: RegistryState, node: NodeView): string {
  const since = `registered ${ageText(state.nowMs - node.registeredAtMs)} ago`;
  const details = [...processText(node.registration.process), since, standing(state, node)];
  return `node ${node.id} at ${node.registration.url} (${details.join(', ')})`;
}

function processText({ host, pid }: NodeProcess = {}): string[] {
  if (pid === undefined) return host === undefined ? [] : [`on ${host}`];
  return [`process ${pid}${host === undefined ? '' : ` on ${host}`}`];
}

function standing(state: RegistryState, node: NodeView): string {
  if (node.liveness === 'gone') return `gone for ${ageText(state.nowMs - node.goneAtMs!)}`;
  if (node.kind !== 'agent') return `without an agent, ${node.liveness}`;
  if (!node.isConnected) return 'not connected';
  return state.isHeard(node) ? 'connected' : `connected, silent for ${ageText(state.silentMs(node))}`;
}

/** What two processes of one id can do. */
export const OWN_ID =
  'Start this process with an id of its own (`--id`, SDK option `id`) or in another directory, or stop the other process';

/** A duration for people: `3 s`, `5 min`, `2 h`, rounded down. */
function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}
