/** Text that names the holder of an id, route or address to the process that was refused. */
import { ageText, type NodeProcess } from '@rollcall/protocol';
import type { QuotaStanding } from '../commands.ts';
import type { NodeView } from '../node/node-record.ts';
import type { RegistryState } from '../registry-state.ts';

/** The owner of registrations: the name of a token, or peers without one. */
export interface Owner {
  readonly owner: string;
  readonly standing?: QuotaStanding;
}

/**
 * `node n1 at http://10.0.0.5:3000 (process 812 on web1, registered 12 s ago, connected)`. Another token than the holder's gets only
 * `node n1 of token shop`: addresses and processes are for its own team and operators.
 */
export function holderText(state: RegistryState, node: NodeView, reader: Owner): string {
  if (reader.owner !== node.owner && reader.standing !== 'operator') return `node ${node.id} of ${ownerText(node)}`;
  const since = `registered ${ageText(state.nowMs - node.registeredAtMs)} ago`;
  const details = [...processText(node.registration.process), since, standing(state, node)];
  return `node ${node.id} at ${node.registration.url} (${details.join(', ')})`;
}

export function ownerText({ owner, standing }: Owner): string {
  return standing === 'tokenless' ? 'peers without a token' : `token ${owner}`;
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

/** The remedy for two processes of one id. */
export const OWN_ID =
  'Start this process with an id of its own (`--id`, SDK option `id`) or in another directory, or stop the other process';
