/**
 * An address belongs to one live node. The listener at an address is one program, so a second registration of it is a mistake or a new
 * program. A holder with a current heartbeat keeps the address. A suspect holder ends when another process has been reached there.
 *
 * Nodes of one process (`instance`), and static members, may share an address.
 */
import type { Fault } from '@rollcall/protocol';
import type { RegisterCommand } from '../commands.ts';
import type { AcceptedRegistration, NodeRecord, NodeView } from '../node/node-record.ts';
import type { RegistryState } from '../registry-state.ts';
import { holderText, type Owner } from './holder-text.ts';

/** Why `registration` may not have its address; `undefined` when it may. `isProved`: its process has been reached there before. */
export function addressFault(
  state: RegistryState,
  command: RegisterCommand,
  registration: AcceptedRegistration,
  isProved: boolean,
): Fault | undefined {
  if (command.kind === 'static') return undefined;
  for (const rival of rivals(state, registration)) {
    // A process that was reached here precedes one that was not.
    const holds = state.isHeard(rival) && !(isProved && rival.awaitsProbe);
    if (holds) return addressTaken(state, rival, command);
  }
  return undefined;
}

/** Whether another process is registered at the address. */
export function hasRivals(
  state: RegistryState,
  kind: RegisterCommand['kind'],
  registration: AcceptedRegistration,
): boolean {
  return kind !== 'static' && rivals(state, registration).next().done === false;
}

/**
 * Claims the address for `node`, which has been reached. Ends other nodes of the address. If one of them has a current heartbeat and was
 * reached as well, `node` came second and is gone. Returns whether `node` has the address.
 */
export function claimAddress(state: RegistryState, node: NodeRecord): boolean {
  if (node.kind === 'static') return true;
  const others = [...rivals(state, node.registration)];
  const holder = others.find((rival) => state.isHeard(rival) && !rival.awaitsProbe);
  for (const loser of holder ? [node] : others) end(state, loser, holder ?? node);
  return holder === undefined;
}

function end(state: RegistryState, loser: NodeRecord, holder: NodeView): void {
  const { id, isConnected, connection } = loser;
  state.markGone(loser, 'taken');
  if (isConnected) state.emit({ type: 'connection-refused', id, connection, ...addressTaken(state, holder, loser) });
}

function* rivals(state: RegistryState, { url, id, instance }: AcceptedRegistration): Generator<NodeRecord> {
  for (const one of state.addresses.at(url)) {
    const rival = state.nodes.get(one)!;
    if (rival.id !== id && rival.registration.instance !== instance) yield rival;
  }
}

function addressTaken(
  state: RegistryState,
  holder: NodeView,
  reader: Owner,
): Fault & { readonly code: 'address-taken' } {
  return {
    code: 'address-taken',
    holderConnected: state.isHeard(holder),
    message: `the address belongs to ${holderText(state, holder, reader)}. Announce the address where this program listens (\`run --address\`, SDK option \`url\`), or stop that node`,
  };
}
