/**
 * How much the nodes of one token may hold, and how far one balancer may extend. Operators are exempt from the quotas of a token: what they
 * add stays until they remove it, and counts for the bounds of the coordinator only.
 */
import type { BalancerName, Fault, QuotaResource } from '@rollcall/protocol';
import type { RegisterCommand } from './commands.ts';
import { placesOf } from './context-ownership.ts';
import type { AcceptedRegistration, NodeView } from './node-record.ts';
import { isInFeed } from './node-status.ts';
import type { RegistryState } from './registry-state.ts';

/** Hosts times contexts that the nodes of a token may have on average. */
const PLACES_A_NODE = 16;

/** The first bound that the registration goes beyond; the message names it, its value, and the setting that changes it. */
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
    return full(`the coordinator holds ${options.maxNodes} nodes, the maximum. Stop or remove nodes first`);
  if (command.standing === 'operator') return undefined;
  const limit = nodesLimit(options, command);
  const used = command.standing === 'tokenless' ? nodes.tokenless : nodes.quotaOf(command.owner);
  if (used < limit) return undefined;
  return full(
    `${holderOf(command)} may hold at most ${limit} nodes (\`up --quota ${nodesQuota(command)}=N\`). Stop or remove nodes first`,
  );
}

function tooManyBalancers({ options, balancers, makers }: RegistryState, command: RegisterCommand): Fault | undefined {
  if (balancers.has(command.node.balancer)) return undefined;
  if (balancers.size >= options.maxBalancers)
    return full(`the coordinator knows ${options.maxBalancers} balancers, the maximum. Use one of them`);
  const limit = options.maxBalancersPerOwner;
  if (command.standing === 'operator' || makers.balancersOf(command.owner) < limit) return undefined;
  return full(
    `${holderOf(command)} may make at most ${limit} balancers (\`up --quota balancers=N\`). Use one of them; one without nodes is forgotten after ${options.emptyBalancerMs / 60_000} min`,
  );
}

/** A registration that does not extend its balancer is accepted, also where more was allowed before. */
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
  if (next.hosts > options.maxHosts && next.hosts > now.hosts)
    return full(
      `balancer ${balancer} would have ${next.hosts} hosts; the maximum is ${options.maxHosts} (\`up --quota balancer-hosts=N\`)`,
    );
  if (next.contexts > options.maxContexts && next.contexts > now.contexts)
    return full(
      `balancer ${balancer} would have ${next.contexts} contexts, each path on each host counted; the maximum is ${options.maxContexts} (\`up --quota balancer-contexts=N\`)`,
    );
  if (command.standing === 'operator') return undefined;
  const whose = { owner: command.owner, standing: command.standing ?? 'token' } as const;
  const before = nodes.placesOf(whose);
  const after =
    before - (holder?.standing === whose.standing ? placesOf(holder.registration) : 0) + placesOf(registration);
  const limit = PLACES_A_NODE * nodesLimit(options, command);
  if (after <= limit || after <= before) return undefined;
  return full(
    `the nodes of ${holderOf(command)} would serve ${after} contexts, counted for each node; the maximum is ${limit}, ${PLACES_A_NODE} for each node of the quota (\`up --quota ${nodesQuota(command)}=N\`)`,
  );
}

/** A static member that has never answered holds none. */
function holdsContexts({ kind, liveness }: NodeView): boolean {
  return kind !== 'static' || isInFeed(liveness);
}

function nodesLimit(options: RegistryState['options'], { standing }: RegisterCommand): number {
  return standing === 'tokenless' ? options.maxTokenlessNodes : options.maxNodesPerOwner;
}

function nodesQuota({ standing }: RegisterCommand): QuotaResource['name'] {
  return standing === 'tokenless' ? 'tokenless-nodes' : 'nodes';
}

function holderOf({ standing, owner }: RegisterCommand): string {
  return standing === 'tokenless' ? 'peers without a token' : `token ${owner}`;
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
