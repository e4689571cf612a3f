/**
 * Bounds of the nodes of one token, and of the extent of one balancer. Operators are exempt from the quotas of a token. Nodes that they
 * add stay until they remove them, and count only for the bounds of the coordinator.
 */
import { type BalancerName, type Fault, type QuotaResource, quotaText } from '@rollcall/protocol';
import { placesOf } from '../../contexts/hosted-context.ts';
import type { RegisterCommand } from '../commands.ts';
import type { AcceptedRegistration, NodeView } from '../node/node-record.ts';
import { isInFeed } from '../node/node-status.ts';
import type { RegistryState } from '../registry-state.ts';
import { ownerText } from './holder-text.ts';

/** Contexts, each path on each host, that the nodes of a token may have on average. */
const PLACES_A_NODE = 16;

/** The first bound that the registration exceeds; the message names its use, its value, and the setting that changes it. */
export function quotaFault(
  state: RegistryState,
  command: RegisterCommand,
  registration: AcceptedRegistration,
  holder: NodeView | undefined,
): Fault | undefined {
  const isPresent = holder !== undefined && holder.liveness !== 'gone';
  return (
    (isPresent ? undefined : tooManyNodes(state, command)) ??
    tooManyBalancers(state, command) ??
    tooFar(state, command, registration, isPresent ? holder : undefined)
  );
}

function tooManyNodes({ options, nodes }: RegistryState, command: RegisterCommand): Fault | undefined {
  if (nodes.present >= options.maxNodes)
    return full(
      `${quotaText({ holder: 'the coordinator has', used: nodes.present, limit: options.maxNodes, what: 'nodes' })}. Stop or remove nodes first`,
    );
  if (command.standing === 'operator') return undefined;
  const limit = nodesLimit(options, command);
  const used = command.standing === 'tokenless' ? nodes.tokenless : nodes.quotaOf(command.owner);
  if (used < limit) return undefined;
  const use = { holder: haveText(command), used, limit, what: 'nodes', quota: nodesQuota(command) };
  return full(`${quotaText(use)}. Stop or remove nodes first`);
}

function tooManyBalancers({ options, balancers, makers }: RegistryState, command: RegisterCommand): Fault | undefined {
  if (balancers.has(command.node.balancer)) return undefined;
  if (balancers.size >= options.maxBalancers)
    return full(
      `${quotaText({ holder: 'the coordinator has', used: balancers.size, limit: options.maxBalancers, what: 'balancers' })}. Use one of them`,
    );
  const limit = options.maxBalancersPerOwner;
  const used = makers.balancersOf(command.owner);
  if (command.standing === 'operator' || used < limit) return undefined;
  const use = { holder: haveText(command), used, limit, what: 'balancers', quota: 'balancers' } as const;
  return full(
    `${quotaText(use)}. Use one of them; one without nodes is forgotten after ${options.emptyBalancerMs / 60_000} min`,
  );
}

/** A registration that does not extend its balancer is accepted, also above a bound that was larger before. */
function tooFar(
  { options, contexts, nodes }: RegistryState,
  command: RegisterCommand,
  registration: AcceptedRegistration,
  holder: NodeView | undefined,
): Fault | undefined {
  const held = holder && holdsContexts(holder) ? holder : undefined;
  const { balancer } = registration;
  const now = contexts.extent(balancer);
  const next = contexts.extentWith(registration, held?.registration);
  if (next.hosts > options.maxHosts && next.hosts > now.hosts) {
    const use = { holder: `balancer ${balancer} has`, used: now.hosts, limit: options.maxHosts, next: next.hosts };
    return full(quotaText({ ...use, what: 'hosts', quota: 'balancer-hosts' }));
  }
  if (next.contexts > options.maxContexts && next.contexts > now.contexts) {
    const use = {
      holder: `balancer ${balancer} has`,
      used: now.contexts,
      limit: options.maxContexts,
      next: next.contexts,
    };
    return full(
      `${quotaText({ ...use, what: 'contexts', quota: 'balancer-contexts' })}. Each path on each host counts`,
    );
  }
  if (command.standing === 'operator') return undefined;
  const whose = { owner: command.owner, standing: command.standing ?? 'token' } as const;
  const before = nodes.placesOf(whose);
  const after =
    before - (holder?.standing === whose.standing ? placesOf(holder.registration) : 0) + placesOf(registration);
  const limit = PLACES_A_NODE * nodesLimit(options, command);
  if (after <= limit || after <= before) return undefined;
  const use = { used: before, limit, next: after, what: 'contexts of nodes', quota: nodesQuota(command) };
  return full(
    `${quotaText({ holder: haveText(command), ...use })}. The contexts of each node count; the limit is ${PLACES_A_NODE} for each node of the quota`,
  );
}

/** True when the node holds its contexts. A static member that has never answered holds no context. */
function holdsContexts({ kind, liveness }: NodeView): boolean {
  return kind !== 'static' || isInFeed(liveness);
}

/** `token shop has`. */
function haveText(command: RegisterCommand): string {
  return `${ownerText(command)} ${command.standing === 'tokenless' ? 'have' : 'has'}`;
}

function nodesLimit(options: RegistryState['options'], { standing }: RegisterCommand): number {
  return standing === 'tokenless' ? options.maxTokenlessNodes : options.maxNodesPerOwner;
}

function nodesQuota({ standing }: RegisterCommand): QuotaResource['name'] {
  return standing === 'tokenless' ? 'tokenless-nodes' : 'nodes';
}

function full(message: string): Fault {
  return { code: 'too-many-nodes', message };
}

/** The quotas of the registry, each with the largest use of it. */
export function quotaUse(state: RegistryState): QuotaResource[] {
  const { options, nodes, makers, contexts } = state;
  const [nodeOwner, ofNodes] = largest(nodes.quotas());
  const [maker, ofBalancers] = largest(makers.all());
  const [hostBalancer, ofHosts] = largest(extents(state, (name) => contexts.extent(name).hosts));
  const [contextBalancer, ofContexts] = largest(extents(state, (name) => contexts.extent(name).contexts));
  return [
    use('nodes', options.maxNodesPerOwner, ofNodes, nodeOwner),
    use('tokenless-nodes', options.maxTokenlessNodes, nodes.tokenless, undefined),
    use('balancers', options.maxBalancersPerOwner, ofBalancers, maker),
    use('balancer-hosts', options.maxHosts, ofHosts, hostBalancer),
    use('balancer-contexts', options.maxContexts, ofContexts, contextBalancer),
  ];
}

function* extents(
  { balancers }: RegistryState,
  sizeOf: (name: BalancerName) => number,
): Generator<readonly [BalancerName, number]> {
  for (const name of balancers.keys()) yield [name, sizeOf(name)];
}

function use(name: QuotaResource['name'], limit: number, used: number, by: string | undefined): QuotaResource {
  return { name, limit, used, ...(by !== undefined && { by }) };
}

function largest(counts: Iterable<readonly [string, number]>): readonly [string | undefined, number] {
  let found: readonly [string | undefined, number] = [undefined, 0];
  for (const [name, count] of counts) if (count > found[1]) found = [name, count];
  return found;
}
