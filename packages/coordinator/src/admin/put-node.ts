/**
 * Registration without an agent: with a lease that a repeat of the request renews, or permanently by an operator. The answer
 * waits for the first probe, so that it can report a wrong address.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { RegisterCommand } from '@rollcall/core';
import type { Fault, NodeId, NodePut, NodeRegistration, NodeResource, NodeUrl, WriteResult } from '@rollcall/protocol';
import { FaultBox, Fields, readRegistration } from '@rollcall/protocol';
import { type Identity, ownerOf, peerOf, standingOf } from '../auth/gate.ts';
import { registrationRights } from '../auth/registration-rights.ts';
import type { Cluster, Origin } from '../cluster.ts';
import { PROBE_TIMEOUT_MS } from '../network/connect-probe.ts';
import type { Dependencies } from './dependencies.ts';
import { nodeTag, unmatched } from './record-tags.ts';

/** Time that the answer waits for the result of the probe, milliseconds; a little longer than one probe. */
const ANSWER_WITHIN_MS = PROBE_TIMEOUT_MS + 500;

/** Nodes that one note names. */
const MAX_NAMED = 3;

/** Events that end the wait. */
const VERDICTS: ReadonlySet<string> = new Set(['up', 'unreachable', 'blocked', 'gone']);

/** Registers or renews. Returns the same faults as a registration by an agent. */
export async function putNode(
  { cluster, tokens, policy, prober, readyPaths, registrations }: Dependencies,
  id: string,
  body: NodePut,
  identity: Identity,
  request: IncomingMessage,
): Promise<WriteResult | Fault> {
  const standing = standingOf(identity);
  const isStatic = body.ttlMs === undefined;
  if (isStatic && standing !== 'operator') return mayNotStay(identity);
  const node = registrationOf(id, body);
  if ('code' in node) return node;
  const peer = peerOf(request);
  const reach = policy.reachOf({ peer, mayNameAnywhere: identity.role !== 'join' });
  const address = await policy.check(node.url, reach);
  if ('code' in address) return address;

  const known = cluster.registry.node(node.id);
  const stale = unmatched(request.headers['if-match'], `node ${node.id}`, known && nodeTag(known));
  if (stale) return stale;
  const rights = registrationRights({ tokens, registry: cluster.registry }, identity, node);
  if ('code' in rights) return rights;

  const { ttlMs, load, sessions, replace = false, dryRun = false } = body;
  const kind = isStatic ? 'static' : 'lease';
  const connection = cluster.nextConnection();
  const command: RegisterCommand = {
    type: 'register',
    node: { ...node, ...processOf(cluster, node.id) },
    connection,
    owner: ownerOf(identity),
    reach,
    standing,
    kind,
    nowUnixMs: cluster.clocks.nowUnixMs(),
    isReplacing: replace,
    mayShadow: rights.mayShadow,
    ...(ttlMs !== undefined && { leaseMs: ttlMs }),
  };
  if (dryRun) return cluster.registry.registrationFault(command) ?? foreseen(cluster, command);
  const isFree = standing === 'operator' || isRenewal(cluster, node);
  if (!isFree && !(await registrations.turn(ownerOf(identity), node.id))) return registrations.refusal(node.id);
  const { revision } = cluster;
  const origin: Origin = peer === undefined ? {} : { address: peer.toString() };
  const outcome = cluster.apply(command, origin);
  if ('type' in outcome) return outcome;
  if (load !== undefined || sessions !== undefined)
    cluster.apply({
      type: 'heartbeat',
      id: node.id,
      connection,
      ...(load !== undefined && { load }),
      ...(sessions !== undefined && { sessions }),
    });
  const needsProbe = outcome.some((event) => event.type === 'registered' && event.needsProbe);
  const withinMs = ANSWER_WITHIN_MS + (node.readyPath === undefined ? 0 : PROBE_TIMEOUT_MS);
  const verdict = needsProbe ? verdictOn(cluster, node.id, withinMs) : undefined;
  if (needsProbe) prober.watch(node.id, connection, address);
  else await readyPaths.watch(node.id, address);
  await verdict;
  return result(cluster, node, cluster.revision !== revision, ttlMs);
}

function mayNotStay({ name, role, by }: Identity): Fault {
  const remedy = 'a static member, without ttlMs, needs a token of role operator; with ttlMs role join is enough';
  if (by === 'loopback') return { code: 'unauthenticated', message: remedy };
  return { code: 'forbidden', message: `the token ${name} has the role ${role}; ${remedy}` };
}

/** True if only the lease is renewed and nothing else changes. */
function isRenewal({ registry }: Cluster, node: NodeRegistration): boolean {
  const known = registry.node(node.id);
  if (known === undefined || known.kind !== 'lease' || known.liveness === 'gone') return false;
  const { incarnation: _, instance: __, ...registered } = known.registration;
  return JSON.stringify(registered) === JSON.stringify(node);
}

function registrationOf(
  id: string,
  { contexts, ttlMs: _, load: __, sessions: ___, replace: ____, dryRun: _____, ...rest }: NodePut,
): NodeRegistration | Fault {
  const box = new FaultBox();
  const fields = new Fields(
    {
      balancer: 'default',
      ...rest,
      id,
      ...(contexts !== undefined && { contexts: contexts.map(contextEntry) }),
    },
    '',
    box,
  );
  const node = readRegistration(fields);
  return node ?? box.fault ?? { code: 'bad-field', message: 'the node cannot be read' };
}

/** Other fields of an object are ignored, as in a registration. Answers have a `status`, which is no field of a registration. */
function contextEntry(context: NonNullable<NodePut['contexts']>[number]): object {
  return typeof context === 'string' ? { path: context } : context;
}

/** The process is unknown, so a repeat keeps the incarnation and instance of the first registration. */
function processOf(cluster: Cluster, id: NodeId): { readonly incarnation: number; readonly instance: string } {
  const known = cluster.registry.node(id);
  if (known && known.kind !== 'agent' && known.liveness !== 'gone') {
    const { incarnation, instance } = known.registration;
    return { incarnation, instance };
  }
  return { incarnation: Math.floor(cluster.clocks.nowUnixMs()), instance: randomBytes(16).toString('hex') };
}

/** Resolves when the node is up, unreachable or gone, or after the time limit. */
function verdictOn(cluster: Cluster, id: NodeId, withinMs: number): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      stop();
      resolve();
    };
    const timer = setTimeout(end, withinMs);
    const stop = cluster.onEvent((event) => {
      if (VERDICTS.has(event.type) && 'id' in event && event.id === id) end();
    });
  });
}

/** The answer to an accepted dry run: the node before the change. The address is not probed. */
function foreseen(cluster: Cluster, { node: { id, url }, leaseMs }: RegisterCommand): WriteResult {
  const before = cluster.resource(id);
  const isPresent = before !== undefined && before.liveness !== 'gone';
  const message = `would ${isPresent ? 'replace the registration of' : 'register'} node ${id} at ${url} ${termText(leaseMs)}`;
  return { nodes: before ? [before] : [], isChanged: true, isDryRun: true, message };
}

function termText(ttlMs: number | undefined): string {
  return ttlMs === undefined ? 'as a static member' : `for ${ttlMs} ms, repeat to renew`;
}

function result(
  cluster: Cluster,
  { id, url }: NodeRegistration,
  isChanged: boolean,
  ttlMs: number | undefined,
): WriteResult {
  const node = cluster.resource(id);
  const note = sameAddress(cluster, id, url);
  return {
    nodes: node ? [node] : [],
    isChanged,
    isDryRun: false,
    message: `node ${id} is registered ${termText(ttlMs)}${troubleText(id, node, ttlMs === undefined)}`,
    ...(note !== undefined && { note }),
  };
}

/** Other nodes at the address: the program behind it is several nodes, and gets as many shares. */
function sameAddress({ registry }: Cluster, id: NodeId, url: NodeUrl): string | undefined {
  const others = registry.nodesAt(url).filter((other) => other !== id);
  if (others.length > 0)
    return `${others.join(', ')} registers this address itself, so its program is two nodes now; remove one of them`;
  const balancer = registry.node(id)?.registration.balancer;
  if (balancer === undefined) return undefined;
  const members = [...registry.nodesIn(balancer)].filter(
    (one) => one.id !== id && one.kind === 'static' && one.liveness !== 'gone' && one.registration.url === url,
  );
  if (members.length === 0) return undefined;
  const named = members.map((one) => one.id).slice(0, MAX_NAMED);
  const more = members.length - named.length;
  return `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''} of balancer ${balancer} has this address too, so its program gets the share of ${members.length + 1} nodes; remove one of them: rollcall remove ${id}`;
}

/** Why the node gets no new sessions, and what ends that; empty if it is up and ready. */
function troubleText(id: NodeId, node: NodeResource | undefined, isStatic: boolean): string {
  if (node?.liveness === 'up')
    return node.readyReason === undefined
      ? ''
      : `, but it is not ready: it ${node.readyReason}; it gets new sessions when that page answers below 500`;
  const removal = isStatic ? `; if the address is wrong: rollcall remove ${id}` : '';
  return `, but it is ${node?.liveness ?? 'gone'}: ${node?.livenessReason ?? 'not yet reached'}; the coordinator keeps trying${removal}`;
}
