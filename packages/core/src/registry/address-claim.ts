/**
 * An address belongs to one live node. Two registrations of one address are a mistake, or a new tenant: the listener behind it is one
 * program. A holder that is heard keeps the address; one that is suspect ends when another process has been reached there.
 *
 * Nodes of one process (`instance`), and static members, may share an address.
 */
import type { Fault } from '@rollcall/protocol';
import type { RegisterCommand } from './commands.ts';
import { holderText } from './holder-text.ts';
import type { AcceptedRegistration, NodeRecord, NodeView } from './node-record.ts';
import type { RegistryState } from './registry-state.ts';

/** Why `registration` may not have its address; `isProved` when its process has been reached there before. */
export function addressFault(
  state: RegistryState,
  kind: RegisterCommand['kind'],
  registration: AcceptedRegistration,
  isProved: boolean,
): Fault | undefined {
  if (kind === 'static') return undefined;
  for (const rival of rivals(state, registration)) {
    // A process that was reached here precedes one that was not.
    const holds = state.isHeard(rival) && !(isProved && rival.awaitsProbe);
    if (holds) return addressTaken(state, rival);
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
 * A node has been reached. Ends other nodes of its address, unless one of them is heard and has been reached as well: then `node` has
 * come second and is gone. Returns whether `node` has the address.
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
  if (isConnected) state.emit({ type: 'connection-refused', id, connection, ...addressTaken(state, holder) });
}

function* rivals(state: RegistryState, { url, id, instance }: AcceptedRegistration): Generator<NodeRecord> {
  for (const one of state.addresses.at(url)) {
    const rival = state.nodes.get(one)!;
    if (rival.id !== id && rival.registration.instance !== instance) yield rival;
  }
}

function addressTaken(state: RegistryState, holder: NodeView): Fault & { readonly code: 'address-taken' } {
  return {
    code: 'address-taken',
    holderConnected: state.isHeard(holder),
    message: `the address belongs to ${holderText(state, holder)}. Announce the address where this program listens (\`run --address\`, SDK option \`url\`), or stop that node`,
  };
}
