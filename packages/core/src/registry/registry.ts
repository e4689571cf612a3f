/**
 * The registry: who is in the cluster, in which state, and what everybody wants. A pure state machine: commands and
 * instants go in, events or a rejection come out, and the same commands at the same instants always give the same.
 *
 * No socket, timer, clock, randomness or log is in here. `apply` never throws for anything a remote party can cause,
 * and its cost does not grow with the number of nodes: a heartbeat is a few assignments, a tick looks only at who is due.
 */
import type {
  BalancerName,
  BalancerResource,
  FailoverCount,
  FeedChange,
  NodeExplanation,
  NodeId,
  NodeRegistration,
  NodeResource,
  NodeUrl,
  PortReport,
  QuotaResource,
  UnservedContext,
} from '@rollcall/protocol';
import type { Command, WorkerJoinedCommand } from './commands.ts';
import { scale } from './copies.ts';
import type { Event, Rejection } from './events.ts';
import { changesOf, type Snapshot, snapshotOf } from './feed-view.ts';
import { addressRefused, disconnect, heartbeat, leave, nodeStatus, reachable } from './node-commands.ts';
import { explainNode } from './node-explanation.ts';
import type { NodeView } from './node-record.ts';
import { balancerResource, type Now, nodeResource } from './node-resource.ts';
import { balancerSettings, operatorStatus, patchNode, remove } from './operator-commands.ts';
import { type RegistryOptions, withDefaults } from './options.ts';
import { agentsHeld, observe, sessionsSeen, stalled, stickySeen, tick } from './passing-time.ts';
import { quotaUse } from './quotas.ts';
import { register } from './registration.ts';
import { RegistryState, rejected } from './registry-state.ts';
import type { RememberedContext } from './remembered-contexts.ts';
import { restore } from './restoration.ts';
import type { StickyFinding } from './sticky-findings.ts';
import { type RecordChanges, takeRecords } from './stored-records.ts';
import { abandonedContexts, unservedContexts } from './unserved-contexts.ts';
import { missReports, portsSeen } from './witnesses.ts';

/** How often agents are asked to speak, and what their silence means. */
export interface Pace {
  readonly heartbeatMs: number;
  readonly suspectMs: number;
  readonly leaseMs: number;
}

/** How many nodes there are of each liveness. A node that is up and that every connected worker has given up counts as suspect. */
export interface NodeCounts {
  readonly up: number;
  readonly suspect: number;
  readonly joining: number;
  readonly down: number;
  readonly gone: number;
}

export class Registry {
  readonly #options: RegistryOptions;
  #made: RegistryState | undefined;

  constructor(options: Partial<RegistryOptions> = {}) {
    this.#options = withDefaults(options);
    if (options.startedAtMs !== undefined) this.#made = new RegistryState(this.#options, options.startedAtMs);
  }

  /**
   * Carries out `command` at `nowMs` (monotonic; an earlier instant than the last one counts as the last one). Returns
   * what has happened, in order, or why nothing has.
   */
  apply(command: Command, nowMs: number): readonly Event[] | Rejection {
    this.#made ??= new RegistryState(this.#options, nowMs);
    const state = this.#made;
    state.begin(nowMs);
    const rejection = carryOut(state, command);
    state.settleWeights();
    return rejection ?? state.events;
  }

  /** Counts changes that the feed tells; 0 before the first. */
  get revision(): number {
    return this.#state.journal.revision;
  }

  /** One node, also when it is gone; `undefined` when it is not even remembered. */
  node(id: NodeId): NodeView | undefined {
    return this.#state.nodes.get(id);
  }

  /** How many nodes there are, those that are gone included. */
  get size(): number {
    return this.#state.nodes.size;
  }

  /** Nodes of the token name `owner` that are not gone. */
  presentOf(owner: string): number {
    return this.#state.nodes.quotaOf(owner);
  }

  /** All nodes, those that are gone included, in no order. */
  nodes(): IterableIterator<NodeView> {
    return this.#state.nodes.all();
  }

  /** Ids of all nodes in ascending order, those that are gone included, from the first one greater than `after`. */
  idsAfter(after?: string): IterableIterator<NodeId> {
    return this.#state.nodes.idsAfter(after);
  }

  /** Nodes of a balancer, those that are gone included, in no order. */
  nodesIn(name: BalancerName): ReadonlySet<NodeView> {
    return this.#state.nodes.inBalancer(name);
  }

  /** Nodes with an agent or a lease that are registered at the address of `url`, those that are gone left out. */
  nodesAt(url: NodeUrl): NodeId[] {
    return [...this.#state.addresses.at(url)];
  }

  /** The node as accepted, for the answer to `register`. */
  registration(id: NodeId): NodeRegistration | undefined {
    return this.#state.nodes.get(id)?.registration;
  }

  /** All that the feed says at this revision. */
  snapshot(nowMs: number): Snapshot {
    return snapshotOf(this.#state, nowMs);
  }

  /**
   * What the feed must tell since the last call, up to `revision`; a node that changed twice appears once. Empty exactly
   * when the revision has not moved since. feed-view.ts says how a consumer applies them.
   */
  takeChanges(): readonly FeedChange[] {
    return changesOf(this.#state, this.#state.journal.take());
  }

  /** Keys of the records that have changed since the last `takeRecords`. */
  get changedRecords(): ReadonlySet<string> {
    return this.#state.dirtyRecords;
  }

  /** What the store must learn since the last call; `nowUnixMs` is the wall clock now. */
  takeRecords(nowUnixMs: number): RecordChanges {
    return takeRecords(this.#state, nowUnixMs);
  }

  /** One node as operators see it; `undefined` when it is not even remembered. */
  resource(id: NodeId, now: Now): NodeResource | undefined {
    return nodeResource(this.#state, id, now);
  }

  /** Why the load factor of a node and its part of the traffic are what they are; `undefined` when it is not even remembered. */
  explainNode(id: NodeId, now: Now): NodeExplanation | undefined {
    return explainNode(this.#state, id, now);
  }

  /** One balancer as operators see it. */
  balancerResource(name: BalancerName): BalancerResource | undefined {
    return balancerResource(this.#state, name);
  }

  /** Names of all balancers known in this life of the coordinator. */
  balancers(): readonly BalancerName[] {
    return [...this.#state.balancers.keys()];
  }

  /** Sessions of a node as all workers have counted them together, and as the one worker that sees most counts. */
  countedSessions(id: NodeId): { readonly ofAll: number; readonly ofOne: number } {
    const { sessions, sessionsOfOne } = this.#state.workers.totals(id, this.#state.nowMs);
    return { ofAll: sessions, ofOne: sessionsOfOne };
  }

  /** Active sessions of all nodes that are not gone: as each reports or, where it does not, as the workers count them. */
  sessions(): number {
    const { nodes, workers, nowMs } = this.#state;
    let sessions = 0;
    for (const { id, liveness, sessions: reported } of nodes.all())
      if (liveness !== 'gone') sessions += reported ?? workers.sessions(id, nowMs);
    return sessions;
  }

  /** Whether a start is over, and how long sessions may still wait for nodes that are not back, milliseconds. */
  settling(nowMs: number): { readonly isSettled: boolean; readonly learningMs: number } {
    const { isSettled, learning } = this.#state;
    return { isSettled, learningMs: learning.remainingMs(nowMs) };
  }

  /** What each connected worker last reported of the node's port, in order of the workers' names. */
  ports(id: NodeId): readonly { readonly worker: string; readonly port: PortReport }[] {
    return this.#state.ports.of(id);
  }

  /** Sessions moved away from nodes, per balancer, node and cause; bounded. */
  failovers(): IterableIterator<FailoverCount> {
    return this.#state.failovers.all();
  }

  /** Contexts that no node can serve now, with cause and remedy; none while restored nodes are expected back. */
  unserved(): UnservedContext[] {
    return unservedContexts(this.#state);
  }

  /** Contexts that have lost their last node and are answered with 503, the oldest first; at most 1,000. */
  rememberedContexts(): RememberedContext[] {
    return this.#state.remembered.all();
  }

  /**
   * Which part of a balancer's requests of the last seconds came through each of `workers`, 1/64 … 1, in their order;
   * about equal ones while there were few.
   */
  workerShares(workers: readonly string[], balancer: BalancerName, nowMs: number): readonly number[] {
    return this.#state.traffic.sharesOf(workers, balancer, nowMs);
  }

  /** What the sticky self-check has found and is not over, of balancers that have nodes. */
  stickyFindings(): readonly StickyFinding[] {
    return this.#state.sticky.all().filter(({ balancer }) => {
      for (const { liveness } of this.#state.nodes.inBalancer(balancer)) if (liveness !== 'gone') return true;
      return false;
    });
  }

  /** The quotas that the registry keeps, each with the largest use of it. */
  quotas(): QuotaResource[] {
    return quotaUse(this.#state);
  }

  counts(): NodeCounts {
    const { nodes, ports } = this.#state;
    let givenUp = 0;
    for (const id of ports.nodes()) if (nodes.get(id)?.liveness === 'up' && ports.isGivenUp(id)) givenUp += 1;
    return {
      up: nodes.count('up') - givenUp,
      suspect: nodes.count('suspect') + givenUp,
      joining: nodes.count('joining'),
      down: nodes.count('down'),
      gone: nodes.count('gone'),
    };
  }

  /** What agents are told with `registered`. */
  pace(): Pace {
    const { heartbeatMs, suspectMs, leaseMs } = this.#options;
    return { heartbeatMs, suspectMs, leaseMs };
  }

  /** Stored records that could not be understood when they were restored, and were skipped. */
  get unreadableRecords(): number {
    return this.#state.unreadableRecords;
  }

  /** Before the first command, with no start given, nothing is known and no time has passed. */
  get #state(): RegistryState {
    return this.#made ?? new RegistryState(this.#options, 0);
  }
}

function carryOut(state: RegistryState, command: Command): Rejection | undefined {
  switch (command.type) {
    case 'register':
      return register(state, command);
    case 'heartbeat':
      return heartbeat(state, command);
    case 'node-status':
      return nodeStatus(state, command);
    case 'leave':
      return leave(state, command);
    case 'disconnect':
      disconnect(state, command);
      return undefined;
    case 'address-refused':
      addressRefused(state, command);
      return undefined;
    case 'reachable':
      reachable(state, command);
      return undefined;
    case 'operator-status':
      return operatorStatus(state, command);
    case 'patch-node':
      return patchNode(state, command);
    case 'scale':
      return scale(state, command);
    case 'forget-contexts':
      state.remembered.forget(command, abandonedContexts(state));
      state.journal.forgetContexts(command);
      return undefined;
    case 'remove':
      return remove(state, command);
    case 'balancer-settings':
      return balancerSettings(state, command);
    case 'worker-joined':
      return joinWorker(state, command);
    case 'worker-left':
      missReports(state, state.ports.leave(command.worker));
      if (command.isOver) endWorker(state, command.worker);
      else state.workers.leave(command.worker, state.nowMs);
      return undefined;
    case 'observe':
      return observe(state, command);
    case 'ports-seen':
      return portsSeen(state, command);
    case 'sessions-seen':
      return sessionsSeen(state, command);
    case 'sticky-seen':
      return stickySeen(state, command);
    case 'tick':
      tick(state);
      return undefined;
    case 'stalled':
      return stalled(state, command);
    case 'agents-held':
      return agentsHeld(state, command);
    case 'restore':
      restore(state, command);
      return undefined;
  }
}

function endWorker(state: RegistryState, worker: string): void {
  state.workers.drop(worker);
  state.failovers.end(worker);
  state.forgetWorker(worker);
}

function joinWorker(state: RegistryState, { worker, pid }: WorkerJoinedCommand): Rejection | undefined {
  const { maxWorkers } = state.options;
  if (!state.workers.has(worker) && state.workers.size >= maxWorkers)
    return rejected('conflict', `the coordinator knows ${maxWorkers} workers, as many as it may`);
  state.workers.join(worker);
  state.failovers.join(worker, pid);
  missReports(state, state.ports.join(worker));
  return undefined;
}
