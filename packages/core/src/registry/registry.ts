/**
 * The registry: the nodes of the cluster, their states, and the requested statuses. A pure state machine: commands and
 * instants go in, events or a rejection come out. The same commands at the same instants always give the same result.
 *
 * It has no socket, timer, clock, randomness or log. `apply` never throws for anything that a remote party can cause. Its
 * cost does not grow with the number of nodes: a heartbeat is a few assignments, a tick visits only nodes that are due.
 */
import type { EjectionCause, FailoverCount, FeedChange, WorkerSessions } from '@rollcall/feed';
import type {
  BalancerName,
  BalancerPatch,
  BalancerResource,
  ClusterProblem,
  CopiesResource,
  DrainResource,
  Fault,
  NodeExplanation,
  NodeId,
  NodeRegistration,
  NodeResource,
  NodeUrl,
  PortReport,
  QuotaResource,
  UnservedContext,
  WritePreview,
} from '@rollcall/protocol';
import { contextKey, type RememberedContext } from '../contexts/hosted-context.ts';
import type { Disruption } from '../liveness/eligible-left.ts';
import type { DrainUse } from '../replication/shared-store.ts';
import type { Command, RegisterCommand, WorkerJoinedCommand } from './commands.ts';
import { operatorContextStatus } from './context-requests.ts';
import { endedByScale, scale } from './copies.ts';
import type { Event, Rejection } from './events.ts';
import { copiesResource } from './failing-copies.ts';
import { changesOf, type Snapshot, snapshotOf } from './feed/feed-view.ts';
import { missReports, portsSeen } from './liveness/witnesses.ts';
import type { Usage } from './node/drain.ts';
import type { NodeView } from './node/node-record.ts';
import { type SessionNumbers, sessionNumbers } from './node/session-numbers.ts';
import { addressRefused, disconnect, heartbeat, leave, nodeStatus, reachable } from './node-commands.ts';
import {
  acknowledge,
  balancerSettings,
  forgetContexts,
  operatorStatus,
  patchNode,
  remove,
  settingsMistakeOf,
} from './operator-commands.ts';
import { type RegistryOptions, withDefaults } from './options.ts';
import { judgeClaims } from './ownership/claims.ts';
import { quotaUse } from './ownership/quotas.ts';
import { agentsHeld, observe, sessionsSeen, stalled, stickySeen, tick } from './passing-time.ts';
import { readyPath } from './readiness.ts';
import { restore } from './records/restoration.ts';
import type { SharedChange } from './records/shared-change.ts';
import { hasEndedElsewhere, nodeChange } from './records/shared-nodes.ts';
import { allShared, mergeShared, takeShared } from './records/shared-records.ts';
import { type RecordChanges, takeRecords } from './records/stored-records.ts';
import { register } from './registration.ts';
import { RegistryState, rejected } from './registry-state.ts';
import { undo } from './undo.ts';
import { type BalancerCounts, balancerCounts } from './views/balancer-counts.ts';
import { disruptionPreview, type SessionsEnd } from './views/disruption-preview.ts';
import { drainingNodes, drainResource } from './views/drain-resource.ts';
import { explainNode } from './views/node-explanation.ts';
import { nodeProblems } from './views/node-problems.ts';
import { balancerResource, nodeResource } from './views/node-resource.ts';
import type { Now } from './views/now.ts';
import { type ContextChoice, isChosen } from './views/remembered-contexts.ts';
import { abandonedContexts, type BrokenBudget, brokenBudgets, unservedContexts } from './views/unserved-contexts.ts';
import { type BalancerFigures, balancerFigures, type NodeFigures, nodeFigures } from './views/watch-rows.ts';
import type { StickyFinding } from './workers/sticky-findings.ts';
import { drainUse } from './workers/use-elsewhere.ts';
import type { NodeCounterSums } from './workers/worker-counters.ts';

/** The heartbeat interval of agents, and the timeouts for missing heartbeats. */
export interface Pace {
  readonly heartbeatMs: number;
  readonly suspectMs: number;
  readonly leaseMs: number;
}

/** Number of nodes by liveness. An up node that every connected worker has given up counts as suspect. */
export interface NodeCounts {
  readonly up: number;
  readonly suspect: number;
  readonly joining: number;
  readonly down: number;
  /** Gone without leave, as after a crash. */
  readonly missing: number;
  /** The other gone nodes that are remembered. */
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
   * the events in order, or a rejection without any change.
   */
  apply(command: Command, nowMs: number): readonly Event[] | Rejection {
    this.#made ??= new RegistryState(this.#options, nowMs);
    const state = this.#made;
    state.begin(nowMs);
    const rejection = carryOut(state, command);
    state.settleWeights();
    return rejection ?? state.events;
  }

  /** Number of the last change in the feed; 0 before the first. */
  get revision(): number {
    return this.#state.journal.revision;
  }

  /** One node, also when it is gone; `undefined` when it is not even remembered. */
  node(id: NodeId): NodeView | undefined {
    return this.#state.nodes.get(id);
  }

  /** The process that had the id last has left, was removed or was replaced, here or at another coordinator. */
  hasEnded(id: NodeId): boolean {
    const node = this.#state.nodes.get(id);
    if (node === undefined) return false;
    const isOver = node.goneCause === 'left' || node.goneCause === 'removed';
    return (node.liveness === 'gone' && isOver) || hasEndedElsewhere(this.#state, node);
  }

  /** Number of nodes, gone ones included. */
  get size(): number {
    return this.#state.nodes.size;
  }

  /** Number of nodes of the token name `owner` that are not gone. */
  presentOf(owner: string): number {
    return this.#state.nodes.quotaOf(owner);
  }

  /** All nodes, gone ones included, in no order. */
  nodes(): IterableIterator<NodeView> {
    return this.#state.nodes.all();
  }

  /** Ids of all nodes, gone ones included, in ascending order, from the first one greater than `after`. */
  idsAfter(after?: string): IterableIterator<NodeId> {
    return this.#state.nodes.idsAfter(after);
  }

  /** Nodes of a balancer, gone ones included, in no order. */
  nodesIn(name: BalancerName): ReadonlySet<NodeView> {
    return this.#state.nodes.inBalancer(name);
  }

  /** Nodes with an agent or a lease that are registered at the address of `url`, without gone ones. */
  nodesAt(url: NodeUrl): NodeId[] {
    return [...this.#state.addresses.at(url)];
  }

  /** The node as accepted, for the answer to `register`. */
  registration(id: NodeId): NodeRegistration | undefined {
    return this.#state.nodes.get(id)?.registration;
  }

  /** The whole content of the feed at this revision. */
  snapshot(nowMs: number): Snapshot {
    return snapshotOf(this.#state, nowMs);
  }

  /**
   * The changes for the feed since the last call, up to `revision`; a node that changed twice appears once. Empty exactly
   * when the revision has not moved since. feed-view.ts specifies how a consumer applies them.
   */
  takeChanges(): readonly FeedChange[] {
    return changesOf(this.#state, this.#state.journal.take());
  }

  /** The rule that settings of a balancer would break with an operator's `patch`, in a sentence; `undefined` for none. */
  settingsMistake(name: BalancerName, patch: BalancerPatch): string | undefined {
    return settingsMistakeOf(this.#state, { name, source: 'operator', patch });
  }

  /** Random name of the cluster; `undefined` while it is not known. */
  get clusterId(): string | undefined {
    return this.#state.shared.clusterId;
  }

  /** Keys of the records that have changed since the last `takeRecords`. */
  get changedRecords(): ReadonlySet<string> {
    return this.#state.dirtyRecords;
  }

  /** The changes for the store since the last call; `nowUnixMs` is the wall clock now. */
  takeRecords(nowUnixMs: number): RecordChanges {
    return takeRecords(this.#state, nowUnixMs);
  }

  /** The changes of shared records since the last call; none unless the option `isShared` is set. */
  takeShared(): SharedChange[] {
    return takeShared(this.#state);
  }

  /** Some node has a drain that is not done. */
  get isDraining(): boolean {
    return this.#state.draining.size > 0;
  }

  /** How the workers of this coordinator use nodes under an operator's drain or stop. */
  drainUse(): DrainUse {
    return drainUse(usedUnderDrain(this.#state));
  }

  /** The shared record of a node whose heartbeats arrive here; `undefined` for others. */
  sharedNode(id: NodeId): SharedChange | undefined {
    const node = this.#state.nodes.get(id);
    return node && node.liveness !== 'gone' && this.#state.isAgentHeard(node)
      ? nodeChange(this.#state, node)
      : undefined;
  }

  /** What this coordinator has of all shared records. */
  allShared(): SharedChange[] {
    return allShared(this.#state);
  }

  /** The resource of one node for operators; `undefined` when it is not even remembered. */
  resource(id: NodeId, now: Now): NodeResource | undefined {
    return nodeResource(this.#state, id, now);
  }

  /** A node as a row, without rates; `undefined` for a node that is unknown, or gone and not missing. */
  nodeFigures(id: NodeId, now: Now): NodeFigures | undefined {
    return nodeFigures(this.#state, id, now);
  }

  /** A balancer as a row, without rates. */
  balancerFigures(name: BalancerName): BalancerFigures {
    return balancerFigures(this.#state, name);
  }

  /** The drain of a node, in progress or ended within an hour; `undefined` without one. */
  drain(id: NodeId, now: Now): DrainResource | undefined {
    return drainResource(this.#state, id, now);
  }

  /** Nodes that have such a drain, in ascending order. */
  drainingNodes(): NodeId[] {
    return drainingNodes(this.#state);
  }

  /** Explains the load factor and the traffic share of a node; `undefined` when it is not even remembered. */
  explainNode(id: NodeId, now: Now): NodeExplanation | undefined {
    return explainNode(this.#state, id, now);
  }

  /** What the wrappers of a balancer keep; `undefined` when no connected wrapper keeps copies. */
  copies(name: BalancerName): CopiesResource | undefined {
    return copiesResource(this.#state, name);
  }

  /** The resource of one balancer for operators. */
  balancerResource(name: BalancerName): BalancerResource | undefined {
    return balancerResource(this.#state, name);
  }

  /** Settings of operators for a balancer; `undefined`: none. */
  operatorSettings(name: BalancerName): BalancerPatch | undefined {
    return this.#state.balancers.get(name)?.operatorPatch;
  }

  /** Names of all known balancers. */
  balancers(): readonly BalancerName[] {
    return [...this.#state.balancers.keys()];
  }

  /** A worker has joined or ended: `takeSessions` returns all sessions again. */
  tellSessionsAgain(): void {
    this.#state.workers.tellSessionsAgain();
  }

  /** At most `max` sessions that the workers have reported and that were not taken yet; an empty list when all were. */
  takeSessions(max: number, nowMs: number): WorkerSessions['nodes'] {
    return this.#state.workers.takeSessions(max, nowMs);
  }

  /** Sessions of a node, of both kinds: the merged count of all workers, and the largest count of a single worker. */
  countedSessions(id: NodeId): { readonly ofAll: number; readonly ofOne: number } {
    const { sessions, sessionsSeenOnce, sessionsOfOne } = this.#state.workers.counters(id, this.#state.nowMs);
    return { ofAll: sessions + sessionsSeenOnce, ofOne: sessionsOfOne };
  }

  /** Counters of a node over all workers. Much cheaper than `resource`. */
  traffic(id: NodeId): NodeCounterSums {
    return this.#state.workers.counters(id, this.#state.nowMs);
  }

  /** The current use of a node: its sessions, and its requests and tunnels in flight. */
  unfinished(id: NodeId): SessionNumbers & { readonly inFlight: number; readonly tunnels: number } {
    const { nodes, workers, nowMs } = this.#state;
    const { inFlight, tunnels, ...counted } = workers.counters(id, nowMs);
    return { ...sessionNumbers(nodes.get(id)?.sessions, counted), inFlight, tunnels };
  }

  /** Active sessions of all nodes that are not gone: as the node reports or, without a report, as the workers count them. */
  sessions(): SessionNumbers {
    let [sessions, sessionsSeenOnce] = [0, 0];
    for (const node of this.#state.nodes.all()) {
      if (node.liveness === 'gone') continue;
      const numbers = this.#state.sessionsOf(node);
      sessions += numbers.sessions;
      sessionsSeenOnce += numbers.sessionsSeenOnce;
    }
    return { sessions, sessionsSeenOnce };
  }

  /** Whether a start is over, and how long sessions may still wait for nodes that are not back, milliseconds. */
  settling(nowMs: number): { readonly isSettled: boolean; readonly learningMs: number } {
    const { isSettled, learning } = this.#state;
    return { isSettled, learningMs: learning.remainingMs(nowMs) };
  }

  /** The last report of each connected worker on the node's port, in order of the workers' names. */
  ports(id: NodeId): readonly { readonly worker: string; readonly port: PortReport }[] {
    return this.#state.ports.of(id);
  }

  /** Sessions moved away from nodes, per balancer, node and cause; bounded. */
  failovers(): IterableIterator<FailoverCount> {
    return this.#state.failovers.all();
  }

  /** Contexts that no node can serve now, with cause and remedy; empty while restored nodes are expected back. */
  unserved(): UnservedContext[] {
    return unservedContexts(this.#state);
  }

  /** Contexts for which a change would leave fewer eligible nodes than the budget of their balancer. */
  brokenBudgets(change: Disruption): BrokenBudget[] {
    return brokenBudgets(this.#state, change);
  }

  /** What a change does to sessions and to the other nodes; `undefined` if it takes no present node from new work. */
  preview(change: Disruption, end: SessionsEnd): WritePreview | undefined {
    return disruptionPreview(this.#state, change, end);
  }

  /** Nodes that may end when a balancer is scaled to `count` nodes; the worst case, because the wrappers choose. */
  endedByScale(balancer: BalancerName, count: number): ReadonlySet<NodeId> {
    return endedByScale(this.#state, balancer, count);
  }

  /** Contexts that have lost their last node and are answered with 503, the oldest first; at most 1,000. */
  rememberedContexts(): RememberedContext[] {
    return this.#state.remembered.all();
  }

  /** Why the registry would refuse the registration now; `undefined` if it would not. Changes no state. */
  registrationFault(command: RegisterCommand): Fault | undefined {
    const claims = judgeClaims(this.#state, command);
    return 'code' in claims ? claims : undefined;
  }

  /** The contexts that `forget-contexts` would forget: they have lost their last node, or only gone nodes have served them. */
  forgettableContexts(choice: ContextChoice): RememberedContext[] {
    const { remembered } = this.#state;
    const all = new Map(remembered.all().map((context) => [contextKey(context), context]));
    for (const context of abandonedContexts(this.#state))
      if (!remembered.isForgotten(context) && !all.has(contextKey(context))) all.set(contextKey(context), context);
    return [...all.values()].filter((context) => isChosen(context, choice));
  }

  /**
   * The part of a balancer's requests of the last seconds that came through each of `workers`, 1/64 … 1, in their order.
   * With few requests the parts are about equal.
   */
  workerShares(workers: readonly string[], balancer: BalancerName, nowMs: number): readonly number[] {
    return this.#state.traffic.sharesOf(workers, balancer, nowMs);
  }

  /** Ejections of a node by workers, by cause; causes without one are absent. They never fall while the node is known. */
  ejections(id: NodeId): Readonly<Partial<Record<EjectionCause, number>>> {
    return this.#state.outcomes.ejections(id);
  }

  /** Numbers of nodes by balancer, for balancers that have nodes. */
  balancerCounts(): ReadonlyMap<BalancerName, BalancerCounts> {
    return balancerCounts(this.#state);
  }

  /** Current findings of the sticky self-check, for balancers that have nodes. */
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
      missing: nodes.missing.size,
      gone: nodes.count('gone') - nodes.missing.size,
    };
  }

  /** What is wrong with nodes, in no order. */
  problems(now: Now): ClusterProblem[] {
    return nodeProblems(this.#state, now);
  }

  /** The intervals that agents receive with `registered`. */
  pace(): Pace {
    const { heartbeatMs, suspectMs, leaseMs } = this.#options;
    return { heartbeatMs, suspectMs, leaseMs };
  }

  /** Number of stored records that were skipped at a restore because they were invalid. */
  get unreadableRecords(): number {
    return this.#state.unreadableRecords;
  }

  /** Before the first command, without a given start, the registry is empty and no time has passed. */
  get #state(): RegistryState {
    return this.#made ?? new RegistryState(this.#options, 0);
  }
}

function* usedUnderDrain(state: RegistryState): Generator<readonly [NodeId, Usage]> {
  for (const node of state.nodes.all())
    if (node.operatorDrain !== undefined && node.liveness !== 'gone')
      yield [node.id, state.usage(node, node.operatorDrain.revision)];
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
    case 'ready-path':
      readyPath(state, command);
      return undefined;
    case 'operator-status':
      return operatorStatus(state, command);
    case 'operator-context-status':
      return operatorContextStatus(state, command);
    case 'patch-node':
      return patchNode(state, command);
    case 'scale':
      return scale(state, command);
    case 'forget-contexts':
      forgetContexts(state, command);
      return undefined;
    case 'remove':
      return remove(state, command);
    case 'acknowledge':
      return acknowledge(state, command);
    case 'undo':
      return undo(state, command);
    case 'ejected':
      if (state.nodes.get(command.id)) state.outcomes.ejected(command.id, command.reason, command.cause, state.nowMs);
      return undefined;
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
    case 'merge':
      mergeShared(state, command);
      return undefined;
    case 'use-elsewhere':
      state.useElsewhere = command.coordinators;
      for (const node of [...state.draining]) state.judgeDrains(node);
      return undefined;
  }
}

function endWorker(state: RegistryState, worker: string): void {
  state.workers.drop(worker);
  state.failovers.end(worker);
  state.forgetWorker(worker);
}

function joinWorker(
  state: RegistryState,
  { worker, pid, isOlder = false }: WorkerJoinedCommand,
): Rejection | undefined {
  const { maxWorkers } = state.options;
  if (!state.workers.has(worker) && state.workers.size >= maxWorkers)
    return rejected('conflict', `the coordinator knows ${maxWorkers} workers, as many as it may`);
  state.workers.join({ worker, process: pid, isOlder }, state.nowMs);
  state.failovers.join(worker, pid);
  missReports(state, state.ports.join(worker));
  return undefined;
}
