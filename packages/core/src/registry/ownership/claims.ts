/** Whether a registration may have the names that it claims: id, route, contexts and address. Changes no state. */
import type { ContextEntry, Fault } from '@rollcall/protocol';
import { contextKey } from '../../contexts/hosted-context.ts';
import type { RegisterCommand } from '../commands.ts';
import { settleStart } from '../node/incarnation.ts';
import { addressKey } from '../node/node-address.ts';
import type { AcceptedRegistration, NodeRecord, NodeView, SettledStart } from '../node/node-record.ts';
import { weightFault } from '../node/weight.ts';
import type { RegistryState } from '../registry-state.ts';
import { addressFault, hasRivals } from './address-claim.ts';
import { adviceOn, shadowAdvice } from './context-ownership.ts';
import { holderText } from './holder-text.ts';
import type { Verdict } from './identity.ts';
import { judgeClaimant } from './identity.ts';
import { quotaFault } from './quotas.ts';

const MAX_LEASE_MS = 86_400_000;

/** The result for an accepted registration. */
export interface Claims {
  readonly registration: AcceptedRegistration;
  /** The node of this id, present or gone. */
  readonly holder: NodeRecord | undefined;
  readonly verdict: Verdict | undefined;
  /** No probe is needed: this very process was reached at this address, and no other node is registered there. */
  readonly isProved: boolean;
  /** The start of the process, when the coordinator's clock has set it. */
  readonly setStart: SettledStart | undefined;
}

/** Judges all names in turn. A `Fault` names the holder of the first name that is taken, and the remedy. */
export function judgeClaims(state: RegistryState, command: RegisterCommand): Claims | Fault {
  const badNumber = badNumberOf(command);
  if (badNumber) return badNumber;
  const holder = state.nodes.get(command.node.id);
  const { isSet, ...start } = settleStart(command, holder, state.options.clockAheadMs);
  const registration = { ...withoutRepeats(command.node), incarnation: start.incarnation };
  const verdict = holder && judgeHolder(state, holder, command, start.incarnation);
  if (typeof verdict === 'object') return verdict;
  const isReached = wasReached(command, registration, holder, verdict);
  const fault =
    quotaFault(state, command, registration, holder) ??
    otherPlace(state, command, registration, holder) ??
    routeFault(state, command, registration) ??
    contextFault(state, command, registration) ??
    addressFault(state, command, registration, isReached);
  if (fault) return fault;
  // With another node at its address only a probe decides which of the two listens there.
  const isProved = isReached && !hasRivals(state, command.kind, registration);
  return { registration, holder, verdict, isProved, setStart: isSet ? start : undefined };
}

function badNumberOf({ node: { weight, incarnation }, leaseMs = MAX_LEASE_MS }: RegisterCommand): Fault | undefined {
  const heavy = weightFault(weight);
  if (heavy !== undefined) return heavy;
  if (incarnation !== undefined && !(incarnation >= 0 && incarnation <= Number.MAX_SAFE_INTEGER))
    return { code: 'bad-field', message: `incarnation is ${incarnation}, not a time in Unix milliseconds` };
  if (!(leaseMs > 0 && leaseMs <= MAX_LEASE_MS))
    return { code: 'bad-field', message: `leaseMs is ${leaseMs}, not above 0 and at most ${MAX_LEASE_MS}` };
  return undefined;
}

function judgeHolder(
  state: RegistryState,
  holder: NodeView,
  command: RegisterCommand,
  incarnation: number,
): Verdict | Fault {
  const { owner, standing, kind, connection, liveness, registration } = holder;
  return judgeClaimant(
    {
      owner,
      standing,
      kind,
      connection,
      liveness,
      instance: registration.instance,
      incarnation: registration.incarnation,
      isHeard: state.isHeard(holder),
      isRemoved: liveness === 'gone' && holder.goneCause === 'removed',
      text: holderText(state, holder, command),
    },
    {
      owner: command.owner,
      standing: command.standing ?? 'token',
      kind: command.kind,
      connection: command.connection,
      instance: command.node.instance,
      incarnation,
      ...(command.isReported && { isReported: true }),
    },
  );
}

/** Whether this very process was reached at this address before. */
function wasReached(
  { kind }: RegisterCommand,
  { url }: AcceptedRegistration,
  holder: NodeView | undefined,
  verdict: Verdict | undefined,
): boolean {
  if (holder === undefined || verdict !== 'same' || holder.awaitsProbe || holder.registration.url !== url) return false;
  // A gone member without an agent may have been stopped for a long time: its registration does not show that it answers.
  return kind === 'agent' || holder.liveness !== 'gone';
}

function contextFault(
  { contexts }: RegistryState,
  { owner, mayShadow = false, standing }: RegisterCommand,
  registration: AcceptedRegistration,
): Fault | undefined {
  const conflict = contexts.conflict(registration);
  if (conflict) return { code: 'context-taken', message: adviceOn(conflict, registration.balancer) };
  if (mayShadow || standing === 'operator') return undefined;
  const shadow = contexts.shadow(registration, owner);
  return shadow && { code: 'context-taken', message: shadowAdvice(shadow) };
}

/**
 * The fault of a member without an agent whose id is registered at another address. A repeated registration of kind `lease` may move it
 * while the earlier address does not answer.
 */
function otherPlace(
  state: RegistryState,
  command: RegisterCommand,
  { url }: AcceptedRegistration,
  holder: NodeView | undefined,
): Fault | undefined {
  const { kind, isReplacing = false } = command;
  if (kind === 'agent' || isReplacing || holder === undefined || holder.liveness === 'gone') return undefined;
  const isSamePlace = addressKey(holder.registration.url) === addressKey(url);
  if (isSamePlace || (kind === 'lease' && !state.isHeard(holder))) return undefined;
  return {
    code: 'conflict',
    holderConnected: state.isHeard(holder),
    message: `the id belongs to ${holderText(state, holder, command)}. Use another id, or replace that node with --replace (\`replace: true\`)`,
  };
}

/** The route of a gone node is held against other tokens only. It is released when an operator removes the node. */
function routeFault(
  state: RegistryState,
  command: RegisterCommand,
  { id, balancer, route }: AcceptedRegistration,
): Fault | undefined {
  const { owner, standing = 'token' } = command;
  const holder = state.routeHolder(balancer, route);
  if (holder === undefined || holder.id === id) return undefined;
  const isGone = holder.liveness === 'gone';
  const isOfNobody = holder.standing === 'tokenless' && standing === 'token';
  if (isGone && (holder.owner === owner || isOfNobody || holder.goneCause === 'removed')) return undefined;
  const advice = isGone
    ? `Its sessions are remembered for its token: use another --route, or release the route with \`rollcall remove ${holder.id}\``
    : 'Give each node a --route of its own, or none: then its id is its route';
  return {
    code: 'route-taken',
    holderConnected: state.isHeard(holder),
    message: `route ${route} of balancer ${balancer} belongs to ${holderText(state, holder, command)}. ${advice}`,
  };
}

/** Each context on each host once. A context keeps its own hosts unless they are those of the node. */
function withoutRepeats(node: RegisterCommand['node']): RegisterCommand['node'] {
  const hosts = [...new Set(node.hosts)];
  const known = new Set<string>();
  const contexts: ContextEntry[] = [];
  for (const { path, hosts: own = hosts } of node.contexts) {
    const fresh = [...new Set(own)].filter((host) => !known.has(contextKey({ host, path })));
    for (const host of fresh) known.add(contextKey({ host, path }));
    const isOfNode = fresh.length === hosts.length && fresh.every((host, i) => host === hosts[i]);
    if (fresh.length > 0) contexts.push(isOfNode ? { path } : { path, hosts: fresh });
  }
  return { ...node, contexts, hosts };
}
