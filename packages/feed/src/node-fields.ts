/** The fields of a node of the feed in one table. The type, the codec and the comparison of nodes are derived from it. */
import type { ContextEntry, FeedLiveness, Fields, Status } from '@rollcall/protocol';
import {
  COUNT,
  DAY_MS,
  MAX_CONTEXTS,
  MAX_HOSTS,
  parseBalancerName,
  parseContextPath,
  parseForeignRoute,
  parseGroupName,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  STATUSES,
} from '@rollcall/protocol';
import {
  boolean,
  integer,
  list,
  number,
  object,
  oneOf,
  optional,
  parsed,
  placement,
  type RecordOf,
  required,
  text,
  type ValuesOf,
  withDefault,
} from './field.ts';

/**
 * How a node is probed, as the coordinator learned at registration. `proof`: `OPTIONS *`, and the answer proves the instance.
 * `options`: `OPTIONS *`. `head`: HEAD of the ready path. `connect`: a TCP connect only.
 */
export type ProbeKind = 'proof' | 'options' | 'head' | 'connect';

/**
 * Addresses that one node may have, by the origin of its registration. `isLocal`: registered from the coordinator's machine, so
 * loopback addresses are allowed. `isAnywhere`: registered by an operator; any address is allowed that is not forbidden.
 */
export interface NodeReach {
  /** Peer address of the registration; a node may always have this address. */
  readonly from?: string;
  readonly isLocal: boolean;
  readonly isAnywhere: boolean;
}

/** One context of a node with its effective status: the most restrictive of operator, node and context. */
export interface FeedContext extends ContextEntry {
  readonly status: Status;
}

const LIVENESSES: readonly FeedLiveness[] = ['up', 'suspect', 'down'];
const PROBES: readonly ProbeKind[] = ['proof', 'options', 'head', 'connect'];
/** Most contexts in `contexts`, which workers of earlier releases read. */
const MAX_FIRST = 16;
/** A context has an entry for each status. */
const MAX_MORE = MAX_CONTEXTS * STATUSES.length;

/** Everything that a worker needs to route to one node. */
export const NODE_FIELDS = {
  /** Small integer, unique among the nodes of one epoch; `loads` refers to it. Never reused within an epoch. */
  index: withDefault(integer(COUNT), 0),
  id: required(parsed(parseNodeId, 'a name', 'bad-name')),
  balancer: required(parsed(parseBalancerName, 'a name', 'bad-name')),
  url: required(parsed(parseNodeUrl, 'a node address', 'bad-address')),
  route: placement(required(parsed(parseForeignRoute, 'a route', 'bad-name'))),
  hosts: placement(required(list((fields, name) => fields.texts(name, MAX_HOSTS, parseHostPattern, 'a host')))),
  /** The first contexts on `hosts`. `contextsOf` returns all. */
  contexts: placement(
    required(list((fields, name) => fields.objects(name, MAX_FIRST, readFeedContext), isSameContext)),
  ),
  /** Contexts with hosts of their own, and further ones. A worker of an earlier release skips them. */
  moreContexts: placement(
    optional(list((fields, name) => fields.objects(name, MAX_MORE, readFeedContext), isSameContext)),
  ),
  /** Its context is taken off the path of requests. */
  stripPrefix: withDefault(boolean(), false),
  weight: placement(withDefault(number({ min: 0, max: 100 }), 1)),
  group: placement(optional(parsed(parseGroupName, 'a name'))),
  incarnation: placement(withDefault(number(COUNT), 0)),
  /** 32 hex digits of the present process: the key of its proofs. Absent for members without an agent. */
  instance: placement(optional(text(32))),
  liveness: required(oneOf(LIVENESSES)),
  /** False for members without an agent: they are `up` while they answer probes. */
  hasAgent: withDefault(boolean(), true),
  /** The agent's own connection is open at the coordinator. */
  isConnected: withDefault(boolean(), true),
  /** False: new work goes to other nodes while a ready node exists. */
  isReady: withDefault(boolean(), true),
  /** While suspect: milliseconds since the last heartbeat or registration; for members without an agent, since the last answer. */
  silentMs: optional(number(COUNT)),
  probe: withDefault(oneOf(PROBES), 'options'),
  /** Path and query of the HEAD request; with `probe: head`. */
  probePath: optional(text(256)),
  /** Chosen for new sessions only when no other node is eligible (load factor 0). */
  standby: placement(withDefault(boolean(), false)),
  /** The node has returned so often that its ramp is twice as long. Default false. */
  flapping: optional(boolean()),
  /** Milliseconds for which the node keeps idle connections open; absent when it did not report them. */
  keepAliveMs: optional(number(DAY_MS)),
  publicUrl: placement(optional(text(512))),
  cores: optional(number({ min: 0, max: 1024 })),
  loadHeader: withDefault(boolean(), false),
  /** Addresses that the node may have. Absent: unknown; then only addresses that no node may have are refused. */
  reach: optional(object(readNodeReach)),
  /** Milliseconds since its present process entered the feed; absent when unknown, for a process that was already there. */
  ageMs: optional(number(COUNT)),
  /** Last known load, 0 … 1; absent when never reported. */
  load: optional(number({ min: 0, max: 1 })),
  sessions: optional(number(COUNT)),
  /** Milliseconds since the node reported `load` and `sessions`. Default 0. */
  loadAgeMs: optional(number(COUNT)),
  /** Milliseconds until the drain or stop of the whole node reaches its deadline; 0 when it has, absent without a deadline. */
  drainMs: optional(number(COUNT)),
  /** The program of the node has requested a status other than enabled, and no operator has: `enable` does not change it. */
  isEndingItself: optional(boolean()),
  /** Sessions of this node are sent to that node instead. */
  redirectTo: placement(optional(parsed(parseNodeId, 'a name'))),
};

/** One node of the feed. */
export type FeedNode = RecordOf<typeof NODE_FIELDS>;
/** Values of a new `FeedNode`. */
export type FeedNodeValues = ValuesOf<typeof NODE_FIELDS>;

/** Reads the addresses that a node may have, also from a stored record. */
export function readNodeReach(fields: Fields | undefined): NodeReach | undefined {
  if (fields === undefined) return undefined;
  const from = fields.text('from', 64);
  return {
    ...(from !== undefined && { from }),
    isLocal: fields.boolean('isLocal') ?? false,
    isAnywhere: fields.boolean('isAnywhere') ?? false,
  };
}

function readFeedContext(fields: Fields): FeedContext | undefined {
  const path = fields.parsed('path', parseContextPath, 'a path');
  const status = fields.oneOf('status', STATUSES);
  const hosts = fields.texts('hosts', MAX_HOSTS, parseHostPattern, 'a host');
  if (path === undefined || status === undefined) return undefined;
  return hosts === undefined ? { path, status } : { path, status, hosts };
}

function isSameContext(one: FeedContext, other: FeedContext): boolean {
  return one.status === other.status && isSameEntry(one, other);
}

/** True if both are the same path on the same hosts. */
function isSameEntry(one: ContextEntry, other: ContextEntry): boolean {
  return one.path === other.path && (one.hosts === other.hosts || one.hosts?.join() === other.hosts?.join());
}

/** The fields of a node for these contexts. */
export function feedContexts(contexts: readonly FeedContext[]): Pick<FeedNode, 'contexts' | 'moreContexts'> {
  const first = contexts.filter(({ hosts }) => hosts === undefined).slice(0, MAX_FIRST);
  if (first.length === contexts.length) return { contexts, moreContexts: undefined };
  const known = new Set(first);
  return { contexts: first, moreContexts: contexts.filter((context) => !known.has(context)) };
}

/** All contexts of a node. */
export function contextsOf({
  contexts,
  moreContexts,
}: Pick<FeedNode, 'contexts' | 'moreContexts'>): readonly FeedContext[] {
  return moreContexts === undefined ? contexts : [...contexts, ...moreContexts];
}

/** True if the same contexts on the same hosts are served, in whatever status. */
export function isSameService(one: Pick<FeedNode, 'hosts' | 'contexts' | 'moreContexts'>, other: typeof one): boolean {
  const [first, second] = [contextsOf(one), contextsOf(other)];
  return (
    one.hosts.join() === other.hosts.join() &&
    first.length === second.length &&
    first.every((context, i) => isSameEntry(context, second[i]!))
  );
}
