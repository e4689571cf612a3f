/** The registration of a node of the book, and the commands that bring the registry to the state of the book. */
import type { Command, RegisterCommand } from '@rollcall/core';
import { contextKey, mostRestrictive } from '@rollcall/core';
import type { NodeRegistration, Status } from '@rollcall/protocol';
import { parseBalancerName, parseForeignRoute, parseGroupName, parseNodeId, parseNodeUrl } from '@rollcall/protocol';
import { type FaultAnswer, faults } from '../answers/answer.ts';
import type { NodeConfig } from '../messages/node-config.ts';
import { encodeName, isCookieText } from '../names/node-name.ts';
import type { BookNode, Registered, RequestedStatuses } from './book-node.ts';
import type { Peer } from './registry-port.ts';
import { type RoutedPlace, type RoutedPlaces, routedPlaces } from './routed-places.ts';

/** STATUS comes every 10 s: two may be late or lost. */
export const SUSPECT_MS = 25_000;
export const LEASE_MS = 60_000;

/** Would be decoded when a session id is read. */
const PERCENT = /%[0-9A-Fa-f]{2}/;

export type Names = Pick<NodeRegistration, 'id' | 'balancer' | 'url' | 'route' | 'group'>;

/** The names of a node in our alphabets, or the fault for a name that has none. */
export function namesOf({ route, balancer, group, scheme, host, port }: NodeConfig): Names | FaultAnswer {
  if (!isCookieText(route) || PERCENT.test(route)) return faults.unreadable;
  const id = parseNodeId(encodeName(route) ?? '');
  const ownRoute = parseForeignRoute(route);
  if (id === undefined || ownRoute === undefined) return faults.tooBig('JVMRoute');
  const balancerName = parseBalancerName(encodeName(balancer) ?? '');
  if (balancerName === undefined) return faults.tooBig('Balancer');
  const groupName = group === '' ? undefined : parseGroupName(encodeName(group) ?? '');
  if (groupName === undefined && group !== '') return faults.tooBig('LBGroup');
  const url = parseNodeUrl(`${scheme}://${host}:${port}`);
  if (url === undefined) return faults.badValue('Host');
  return { id, balancer: balancerName, url, route: ownRoute, ...(groupName !== undefined && { group: groupName }) };
}

/** A registration with all that the node proposes for its balancer. */
type McmpRegistration = NodeRegistration & Pick<NodeConfig, 'hint'>;

function registrationOf(node: BookNode, { contexts, hosts }: RoutedPlaces): McmpRegistration | FaultAnswer {
  const names = namesOf(node.config);
  if ('type' in names) return names;
  const { sticky, group, hint } = node.config;
  return {
    ...names,
    contexts,
    hosts,
    weight: 1,
    loadHeader: false,
    sticky: {
      mode: sticky.isSticky ? 'suffix' : 'none',
      cookies: [sticky.cookie],
      parameters: [sticky.path],
      failover: !sticky.isForced ? 'any' : group === '' ? 'none' : 'group',
      remove: sticky.isRemoved,
    },
    meta: {},
    hint,
  };
}

/** Commands in order, and the node's registration after them. */
export interface Steps {
  readonly commands: readonly Command[];
  readonly registered: Registered | undefined;
}

/** The commands from the present registration of `node` to the contexts that it has now. */
export function stepsTo(
  node: BookNode,
  peer: Peer,
  { nowUnixMs, hasAliases }: { readonly nowUnixMs: number; readonly hasAliases: boolean },
): Steps | FaultAnswer {
  const { id, connection, registered } = node;
  const routed = routedPlaces(node.hosts, hasAliases);
  const { places } = routed;
  if (places.size === 0)
    return { commands: registered ? [{ type: 'leave', id, connection }] : [], registered: undefined };
  const registration = registrationOf(node, routed);
  if ('type' in registration) return registration;
  const text = JSON.stringify(registration);
  const commands: Command[] = text === registered?.text ? [] : [registerCommand(node, registration, peer, nowUnixMs)];
  const requested = requestedBefore(node, places);
  const next = request(node, requested, places);
  return {
    commands: [...commands, ...next.commands],
    registered: { text, keys: new Set(places.keys()), requested: next.requested },
  };
}

const NOTHING_REQUESTED: RequestedStatuses = { whole: 'enabled', single: new Map() };

/** What the registry has after the registration: it drops requests for contexts that are not served. `undefined`: unknown. */
function requestedBefore(
  { registered, hasLeft }: BookNode,
  places: ReadonlyMap<string, RoutedPlace>,
): RequestedStatuses | undefined {
  if (registered === undefined) return hasLeft ? undefined : NOTHING_REQUESTED;
  const { whole, single } = registered.requested;
  return { whole, single: new Map([...single].filter(([key]) => places.has(key))) };
}

interface Request {
  readonly commands: readonly Command[];
  readonly requested: RequestedStatuses;
}

/**
 * The commands that request `wanted`. One status for all contexts is that of the node. Different ones are those of contexts, under an
 * enabled node.
 */
function request(
  { id, connection }: BookNode,
  before: RequestedStatuses | undefined,
  wanted: ReadonlyMap<string, RoutedPlace>,
): Request {
  if (before !== undefined && [...wanted].every(([key, { status }]) => statusIn(before, key) === status))
    return { commands: [], requested: before };
  const [first, ...others] = new Set(Array.from(wanted.values(), ({ status }) => status));
  const forNode = (status: Status): Command => ({ type: 'node-status', id, connection, status });
  if (first !== undefined && others.length === 0)
    return { commands: [forNode(first)], requested: { whole: first, single: new Map() } };
  const commands: Command[] = [];
  let start = before;
  if (start?.whole !== 'enabled') {
    commands.push(forNode('enabled'));
    start = NOTHING_REQUESTED;
  }
  for (const status of ['enabled', 'draining', 'stopped'] as const) {
    const changed = [...wanted.values()].filter(
      (place) => place.status === status && statusIn(start, contextKey(place)) !== status,
    );
    const places = changed.map(({ host, path }) => ({ host, path }));
    if (places.length > 0) commands.push({ type: 'node-status', id, connection, status, places });
  }
  return {
    commands,
    requested: {
      whole: 'enabled',
      single: new Map(
        [...wanted].map(([key, { status }]) => [key, status] as const).filter(([, one]) => one !== 'enabled'),
      ),
    },
  };
}

function statusIn({ whole, single }: RequestedStatuses, key: string): Status {
  return mostRestrictive(whole, single.get(key) ?? 'enabled');
}

function registerCommand(
  { process, connection }: BookNode,
  registration: McmpRegistration,
  { owner, reach, standing, mayShadow }: Peer,
  nowUnixMs: number,
): RegisterCommand {
  return {
    type: 'register',
    node: { ...registration, ...process! },
    nowUnixMs,
    connection,
    owner,
    kind: 'agent',
    leaseMs: LEASE_MS,
    suspectMs: SUSPECT_MS,
    ...(reach !== undefined && { reach }),
    ...(standing !== undefined && { standing }),
    ...(mayShadow !== undefined && { mayShadow }),
  };
}
