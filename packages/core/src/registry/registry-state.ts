/**
 * The state of the registry, and the few steps that all commands consist of. Each step updates liveness, feed, store,
 * deadlines and events together, so that they are always consistent.
 */
import type { BalancerName, ErrorCode, Fault, GoneCause, NodeId, Route, Status } from '@rollcall/protocol';
import { type HostedContext, hostedContexts } from '../contexts/hosted-context.ts';
import type { EndedInstance } from '../replication/node-merge.ts';
import { recordKey } from '../store/record-key.ts';
import type { StoredRecord } from '../store/store.ts';
import { BalancerSettings, hintWarning, type SharedSettings } from './balancer-settings.ts';
import type { CoordinatorUse } from './commands.ts';
import type { Event, Rejection } from './events.ts';
import { FeedJournal } from './feed/feed-journal.ts';
import { HeldTime } from './liveness/held-time.ts';
import { LearningWindow } from './liveness/learning-window.ts';
import type { Lease } from './liveness/lease.ts';
import { PortReports } from './liveness/port-reports.ts';
import { Deadlines } from './node/deadlines.ts';
import { type Drain, type DrainCause, drainOutcome, outcomeWord, type Usage } from './node/drain.ts';
import { DrainCurve } from './node/drain-curve.ts';
import { EndedDrains } from './node/ended-drains.ts';
import { type Returns, steadyAtMs, withReturn } from './node/flapping.ts';
import { NodeIndex } from './node/node-index.ts';
import type { LivenessReason, NodeRecord, NodeView, RequestedStatus, SuspectReason } from './node/node-record.ts';
import { effectiveStatus, endOfRequest, forgetAtMs } from './node/node-record.ts';
import { assertTransition, isInFeed } from './node/node-status.ts';
import { type SessionNumbers, sessionNumbers } from './node/session-numbers.ts';
import type { RegistryOptions } from './options.ts';
import { AddressIndex } from './ownership/address-index.ts';
import { BalancerMakers } from './ownership/balancer-makers.ts';
import { ContextOwnership } from './ownership/context-ownership.ts';
import { RouteOwnership } from './ownership/route-ownership.ts';
import { hintOf } from './settings-hint.ts';
import { RememberedContexts } from './views/remembered-contexts.ts';
import { FailoverCounters } from './workers/failover-counters.ts';
import { NodeOutcomes } from './workers/node-outcomes.ts';
import { StickyFindings } from './workers/sticky-findings.ts';
import { Traffic } from './workers/traffic.ts';
import { withUseElsewhere } from './workers/use-elsewhere.ts';
import { WorkerCounterTable } from './workers/worker-counters.ts';

/** Named in a drain's `waitingFor` while a coordinator that has just started has not met any worker. */
export const FIRST_WORKER = 'the first worker';
/** Interval at which a node is checked again whose lease is over, or whose context is taken, milliseconds. */
const HELD_CHECK_MS = 1_000;
/** Largest number of missing nodes that are remembered. */
const MAX_MISSING = 1_000;
/** Why a node has left that an operator has taken its token from. */
const EXPELLED = 'its token has ended or does not permit it any more';

export class RegistryState {
  readonly options: RegistryOptions;
  readonly nodes: NodeIndex = new NodeIndex();
  readonly routes: RouteOwnership = new RouteOwnership();
  readonly contexts: ContextOwnership = new ContextOwnership();
  readonly remembered: RememberedContexts = new RememberedContexts((context) => {
    const key = recordKey.context(context.host, context.path);
    this.contextRecords.set(key, context);
    this.dirtyRecords.add(key);
  });
  readonly addresses: AddressIndex = new AddressIndex();
  readonly balancers: Map<BalancerName, BalancerSettings> = new Map();
  readonly shared: SharedSettings;
  readonly makers: BalancerMakers = new BalancerMakers();
  /** Instant since which balancers have had no node; in order. Some have nodes again. */
  readonly #emptySinceMs = new Map<BalancerName, number>();
  readonly workers: WorkerCounterTable;
  readonly traffic: Traffic = new Traffic();
  readonly outcomes: NodeOutcomes = new NodeOutcomes();
  readonly sticky: StickyFindings = new StickyFindings();
  readonly ports: PortReports = new PortReports();
  readonly failovers: FailoverCounters;
  readonly learning: LearningWindow;
  readonly held: HeldTime = new HeldTime();
  readonly deadlines: Deadlines<NodeId> = new Deadlines();
  readonly journal: FeedJournal = new FeedJournal();
  /** Keys of records that have to be written to the store. */
  readonly dirtyRecords: Set<string> = new Set();
  /** Keys of records that are shared with other coordinators, and have changed. Only with `isShared`. */
  readonly dirtyShared: Set<string> = new Set();
  /** Contexts of the dirty records of remembered contexts. */
  readonly contextRecords: Map<string, HostedContext> = new Map();
  /** Contexts by key whose shared record may have changed. Only with `isShared`. */
  readonly sharedContexts: Map<string, HostedContext> = new Map();
  /** Gone nodes that an operator has removed, until `takeShared`. Only with `isShared`. */
  readonly removedNodes: Map<NodeId, NodeRecord> = new Map();
  /** The other coordinators, and how their workers use nodes under an operator's drain. */
  useElsewhere: readonly CoordinatorUse[] | undefined;
  /** Nodes with a drain that is not done. */
  readonly draining: Set<NodeRecord> = new Set();
  /** Nodes whose request is held for the budget of their balancer. */
  readonly holding: Set<NodeRecord> = new Set();
  readonly endedDrains: EndedDrains = new EndedDrains();
  isSettled = false;
  settlesAtMs: number;
  /** Instant of the command being applied, or of the last one. */
  nowMs: number;
  /** Processes that have ended elsewhere, as far as they are known: their end counts once, or when their connection here closes. */
  readonly endedElsewhere: Map<NodeId, readonly EndedInstance[]> = new Map();
  /** Versions of the records in the store, as far as they are known. */
  readonly stored: Map<string, StoredRecord['version']> = new Map();
  /** Events of the command being applied, so far. */
  events: Event[] = [];
  /** Version of the newest override written or restored. */
  overrideVersion: readonly [number, number] = [0, 0];
  /** Number of records that were invalid when they were restored. */
  unreadableRecords = 0;

  constructor(options: RegistryOptions, startedAtMs: number) {
    this.options = options;
    this.nowMs = startedAtMs;
    this.shared = { forAll: new Map(), sessionIdleMs: options.sessionIdleMs, clusterId: options.clusterId };
    this.settlesAtMs = startedAtMs + options.settleMs;
    this.learning = new LearningWindow(startedAtMs, options.learningMs);
    this.workers = new WorkerCounterTable({
      graceMs: options.workerGraceMs,
      seed: options.hashSeed,
      maxWorkers: options.maxWorkers,
    });
    this.failovers = new FailoverCounters(options.maxWorkers);
    this.useElsewhere = options.isShared ? undefined : [];
  }

  begin(nowMs: number): void {
    this.nowMs = Math.max(this.nowMs, nowMs);
    this.events = [];
    this.journal.begin();
  }

  emit(event: Event): void {
    this.events.push(event);
  }

  /** Records a change of a node for the feed; no effect for a node that is not in it. */
  touchFeed(node: NodeView): void {
    if (isInFeed(node.liveness)) this.journal.node(node.id);
  }

  touchNodeRecord(node: NodeView): void {
    this.dirtyRecords.add(recordKey.node(node.id));
  }

  /** The names of a node have changed, or its process has ended. */
  touchSharedNode(node: NodeView): void {
    if (this.options.isShared) this.dirtyShared.add(recordKey.node(node.id));
    this.touchReport(node);
  }

  /** Whether this coordinator receives the heartbeats of a node may have changed. */
  touchReport(node: NodeView): void {
    if (this.options.isShared) this.dirtyShared.add(recordKey.report(node.id));
  }

  touchOverrideRecord(node: NodeView): void {
    const key = recordKey.override(node.id);
    this.dirtyRecords.add(key);
    if (this.options.isShared) this.dirtyShared.add(key);
  }

  /** The operator's settings of a balancer have changed. */
  touchBalancerRecord(name: BalancerName): void {
    const key = recordKey.balancer(name);
    this.dirtyRecords.add(key);
    if (this.options.isShared) this.dirtyShared.add(key);
  }

  /** A context has lost its last node, or has a node again, or was forgotten. */
  touchSharedContext({ host, path }: HostedContext): void {
    if (this.options.isShared) this.sharedContexts.set(recordKey.context(host, path), { host, path });
  }

  /** The node that a route belongs to, present or gone. */
  routeHolder(balancer: BalancerName, route: Route): NodeRecord | undefined {
    const id = this.routes.holder(balancer, route);
    return id && this.nodes.get(id);
  }

  /** Milliseconds since the node's last heartbeat or registration, at the instant of the command. */
  silentMs(node: NodeView): number {
    return Math.max(0, this.nowMs - node.heardAtMs);
  }

  /** An agent whose connection is open and whose last heartbeat is not overdue. */
  isAgentHeard(node: NodeView): boolean {
    return node.kind === 'agent' && node.isConnected && this.silentMs(node) <= this.suspectMsOf(node);
  }

  /** Silence after which an agent is suspect, milliseconds. */
  suspectMsOf(node: NodeView): number {
    return node.suspectMs ?? this.options.suspectMs;
  }

  /** An agent without a connection to this coordinator whose heartbeats others receive. */
  isReported({ kind, isConnected, reportedBy }: NodeView): boolean {
    return kind === 'agent' && !isConnected && reportedBy.length > 0;
  }

  /** A node that holds its names against others: an agent with a current heartbeat, or a member without an agent that answers. */
  isHeard(node: NodeView): boolean {
    return node.kind === 'agent' ? this.isAgentHeard(node) || this.isReported(node) : node.liveness === 'up';
  }

  /** The balancer's settings, made on first use. */
  balancer(name: BalancerName): BalancerSettings {
    const known = this.balancers.get(name);
    if (known) return known;
    const made = new BalancerSettings(name, this.shared);
    this.balancers.set(name, made);
    this.noteEmpty(name);
    return made;
  }

  /** The balancer may be forgotten later: it has no node now, or no settings. */
  noteEmpty(name: BalancerName): void {
    if (!this.balancers.has(name)) return;
    this.#emptySinceMs.delete(name);
    this.#emptySinceMs.set(name, this.nowMs);
  }

  /** Forgets balancers that have had neither nodes nor settings of their own for `emptyBalancerMs`. Routes of their gone nodes stay. */
  forgetEmptyBalancers(): void {
    for (const [name, sinceMs] of this.#emptySinceMs) {
      if (this.nowMs - sinceMs < this.options.emptyBalancerMs) return;
      this.#emptySinceMs.delete(name);
      if (this.nodes.presentIn(name) > 0 || this.balancers.get(name)?.hasSettings === true) continue;
      this.balancers.delete(name);
      this.makers.forget(name);
      this.sticky.forgetBalancer(name);
      this.traffic.forgetBalancer(name);
      this.dirtyRecords.add(recordKey.balancer(name));
      this.journal.balancer(name);
    }
  }

  /** Sets the random name of the cluster. Each balancer without a route cookie of its own gets another name for it. */
  setClusterId(id: string): void {
    if (this.shared.clusterId === id) return;
    this.shared.clusterId = id;
    for (const name of this.balancers.keys()) this.tellBalancer(name);
  }

  /** A balancer's settings in force have changed. `changes`: which, from what to what; `''` if it is new. */
  tellBalancer(name: BalancerName, by?: string, changes = ''): void {
    const balancer = this.balancer(name).inForce();
    this.journal.balancer(name);
    for (const node of this.nodes.inBalancer(name)) {
      this.workers.setIdleMs(node.id, balancer.sessionIdleMs, this.nowMs);
      node.settingsFault = hintWarning(hintOf(node.registration), balancer);
    }
    this.emit({ type: 'balancer', balancer, ...(by !== undefined && { by }), ...(changes !== '' && { changes }) });
    for (const finding of this.sticky.configure(name, balancer.sticky, this.journal.revision))
      this.emit({ type: 'sticky', isOn: false, finding });
  }

  /** Applies the bounds of announced weights where nodes have come, gone or changed. */
  settleWeights(): void {
    for (const node of this.nodes.weights.settle((name) => this.nodes.inBalancer(name))) this.touchFeed(node);
  }

  takeContexts(node: NodeView): void {
    this.holdContexts(node);
    for (const place of hostedContexts(node.registration)) this.touchSharedContext(place);
  }

  /** The same for a node from the store: other coordinators may have lost it since. */
  holdContexts(node: NodeView): void {
    this.contexts.take(node.registration, node.owner);
    for (const place of hostedContexts(node.registration)) this.remembered.served(place);
  }

  /** `hasServed`: the node has been up, so that contexts without another node are remembered. */
  releaseContexts({ registration, owner }: NodeView, hasServed: boolean): void {
    for (const { host, path, balancer } of this.contexts.release(registration, owner)) {
      if (hasServed) this.remembered.add({ host, path, balancer, sinceMs: this.nowMs });
      this.touchSharedContext({ host, path });
    }
  }

  // Liveness

  markUp(node: NodeRecord): void {
    const from = node.liveness;
    if (from === 'up') return;
    this.touchReport(node);
    if (node.kind === 'static' && from === 'joining') this.takeContexts(node);
    this.#setLiveness(node, 'up', undefined);
    node.upSinceMs = this.nowMs;
    if (!isInFeed(from)) {
      this.touchNodeRecord(node);
      this.touchOverrideRecord(node);
    }
    node.isKnown = true;
    node.goneAtMs = undefined;
    node.goneCause = undefined;
    node.acknowledged = undefined;
    node.isHeld = false;
    if (!isInFeed(from) && node.operatorStatus.status !== 'enabled') this.#resumeOperatorDrain(node);
    this.emit({ type: 'up', id: node.id, from });
    if (node.isReturning) this.#countReturn(node);
    this.stopExpecting(node);
    this.schedule(node);
  }

  markSuspect(node: NodeRecord, reason: SuspectReason): void {
    this.touchReport(node);
    this.#setLiveness(node, 'suspect', reason);
    this.schedule(node);
    this.emit({ type: 'suspect', id: node.id, reason, silentMs: this.silentMs(node) });
  }

  /** A static member is given up: it keeps its contexts and its route. */
  markDown(node: NodeRecord, cause: 'refused' | 'expired'): void {
    this.#setLiveness(node, 'down', cause);
    node.isHeld = false;
    this.emit({ type: 'down', id: node.id, cause, silentMs: Math.max(0, this.nowMs - node.signAtMs) });
    this.stopExpecting(node);
    this.schedule(node);
  }

  #countReturn(node: NodeRecord): void {
    node.isReturning = false;
    if (node.kind === 'agent') this.setReturns(node, withReturn(node.returns, this.nowMs, this.options));
  }

  /** Stores the node's returns, and announces when it becomes flapping or is no longer flapping. */
  setReturns(node: NodeRecord, returns: Returns): void {
    const before = node.returns.flapping;
    const { flapping } = returns;
    node.returns = returns;
    const hasChanged = (before === undefined) !== (flapping === undefined);
    if (hasChanged || before?.heldUntilMs !== flapping?.heldUntilMs) this.touchFeed(node);
    if (!hasChanged) return;
    const count = flapping?.count ?? before?.count ?? 0;
    this.emit({ type: 'flapping', id: node.id, isOn: flapping !== undefined, count });
  }

  /** Instant at which the node, if up, is no longer flapping; `undefined` when it is not flapping or not up. */
  steadyAtMs(node: NodeView): number | undefined {
    return node.liveness === 'up' ? steadyAtMs(node.returns, node.upSinceMs, this.options) : undefined;
  }

  /** From gone, for a process that has yet to be probed. Until then the route stays remembered. */
  markJoining(node: NodeRecord): void {
    this.#setLiveness(node, 'joining', 'unprobed');
    this.touchOverrideRecord(node);
  }

  /** The node is no longer present; its route is remembered when sessions may name it. */
  markGone(node: NodeRecord, cause: GoneCause, { by, isExpelled }: { by?: string; isExpelled?: boolean } = {}): void {
    const isConnected = node.isConnected && (cause === 'refused' || cause === 'expired');
    const isTermOver = cause === 'expired' && node.kind === 'lease';
    const silentMs = Math.max(0, this.nowMs - (isTermOver ? node.renewedAtMs : node.signAtMs));
    const { balancer, route } = node.registration;
    const wasInFeed = isInFeed(node.liveness);
    if (wasInFeed) this.journal.lost({ id: node.id, balancer, route, cause });
    else if (node.isKnown) this.journal.route({ balancer, route });
    else this.routes.release(balancer, route, node.id);
    this.endAsKilled(node);
    node.goneCause = cause;
    node.acknowledged = undefined;
    this.#setLiveness(node, 'gone', cause);
    if (isExpelled === true) this.setReason(node, cause, EXPELLED);
    this.touchSharedNode(node);
    node.isConnected = false;
    node.isHeld = false;
    // While the process runs, the listener may be closed, or its address may have another one: only a probe shows that it is back.
    if (cause === 'refused' || cause === 'taken' || cause === 'claim-lost') node.awaitsProbe = true;
    this.ports.forgetNode(node.id);
    node.goneAtMs = this.nowMs;
    this.releaseContexts(node, wasInFeed);
    if (this.nodes.presentIn(balancer) === 0) this.noteEmpty(balancer);
    this.addresses.leave(node.registration.url, node.id);
    this.draining.delete(node);
    this.holding.delete(node);
    node.heldStatus = undefined;
    node.nodeDrain = undefined;
    if (node.operatorDrain) node.operatorDrain = { ...node.operatorDrain, isDone: true };
    this.touchNodeRecord(node);
    this.touchOverrideRecord(node);
    this.emit({
      type: 'gone',
      id: node.id,
      cause,
      silentMs,
      isConnected,
      isTermOver,
      ...(by !== undefined && { by }),
      ...(isExpelled === true && { isExpelled }),
    });
    this.stopExpecting(node);
    this.schedule(node);
    this.#forgetSurplus(node.owner);
  }

  /** A node that is not stopped any more begins without sessions: each session that a client used in the meantime has moved. */
  afterStop(node: NodeRecord, before: Status): void {
    if (before === 'stopped' && effectiveStatus(node) !== 'stopped') this.workers.forgetSessions(node.id);
  }

  /** Forgets a gone node that an operator has removed, here or at another coordinator. Its process stays locked out if that is shared. */
  forgetRemoved(node: NodeRecord): void {
    const ended = this.endedElsewhere.get(node.id);
    this.forget(node);
    if (ended !== undefined) this.endedElsewhere.set(node.id, ended);
  }

  /** Forgets the node and its route. */
  forget(node: NodeRecord): void {
    const { balancer, route } = node.registration;
    this.stopExpecting(node);
    this.routes.release(balancer, route, node.id);
    if (node.isKnown) this.journal.route({ balancer, route });
    this.nodes.delete(node);
    this.deadlines.delete(node.id);
    this.endedElsewhere.delete(node.id);
    this.workers.forget(node.id);
    this.traffic.forgetNode(node.id);
    this.outcomes.forget(node.id);
    this.touchNodeRecord(node);
    this.touchOverrideRecord(node);
    this.emit({ type: 'forgotten', id: node.id, balancer, route });
  }

  #setLiveness(node: NodeRecord, to: NodeView['liveness'], reason: LivenessReason | undefined): void {
    const from = node.liveness;
    assertTransition(from, to);
    if (from !== to && (from === 'joining' || to === 'joining')) this.journal.joining();
    this.nodes.setLiveness(node, to);
    this.setReason(node, reason);
    if (isInFeed(to) && !isInFeed(from)) node.inFeedSinceMs = this.nowMs;
    if (isInFeed(to)) this.journal.node(node.id);
  }

  /** Sets why the node is not up. The detail of an earlier reason ends with it. */
  setReason(node: NodeRecord, reason: LivenessReason | undefined, detail?: string): void {
    const isSame = node.livenessReason === reason && node.livenessDetail === detail;
    node.livenessReason = reason;
    node.livenessDetail = detail;
    if (!isSame && node.liveness === 'joining') this.journal.joining();
  }

  #forgetSurplus(owner: string): void {
    const limit = Math.min(this.options.maxNodes, this.options.maxNodesPerOwner);
    const gone = this.nodes.goneOf(owner);
    while (gone.size > limit || (gone.size > 1 && this.nodes.count('gone') > this.options.maxNodes)) {
      const [longest] = gone;
      this.forget(longest!);
    }
    const { missing } = this.nodes;
    while (missing.size > MAX_MISSING) {
      const [longest] = missing;
      this.forget(longest!);
    }
  }

  /** Drops the findings and the traffic of a worker that has ended. */
  forgetWorker(worker: string): void {
    this.sticky.forget(worker);
    this.traffic.forgetWorker(worker);
  }

  // Learning

  /** The node is back, or is not expected any more. */
  stopExpecting(node: NodeView): void {
    if (this.learning.noLongerMissing(node.id)) this.tellSettled();
  }

  /** Learning window or settling time has just ended. */
  tellSettled(): void {
    this.journal.settled();
    this.emit({ type: 'settled', isSettled: this.isSettled, learningMs: this.learning.remainingMs(this.nowMs) });
  }

  // Drains

  /** Watches for the end of the operator's requested status, which is in force, in the journal and not `enabled`. */
  beginOperatorDrain(node: NodeRecord): void {
    // What others reported before is no report on this drain.
    if (this.options.isShared) this.useElsewhere = undefined;
    this.#endAsStopped(node, 'operator', node.operatorStatus);
    node.operatorDrain = this.#newDrain(node.operatorStatus, true);
    this.#watchDrain(node);
  }

  /** The same for a node that has returned. A deadline that passed before has ended an earlier drain, and not this one. */
  #resumeOperatorDrain(node: NodeRecord): void {
    this.beginOperatorDrain(node);
    const { deadlineAtMs } = node.operatorStatus;
    if (deadlineAtMs !== undefined && deadlineAtMs <= this.nowMs)
      this.changeDrainDeadline(node, node.operatorDrain!, undefined);
  }

  /** The operator's drain has another deadline. One that ended at its earlier deadline continues. */
  changeDrainDeadline(node: NodeRecord, drain: Drain, deadlineAtMs: number | undefined): void {
    const isOver = deadlineAtMs !== undefined && deadlineAtMs <= this.nowMs;
    const isDone = drain.isDone && (isOver || deadlineAtMs === drain.deadlineAtMs);
    const { end, ...rest } = drain;
    node.operatorDrain = { ...rest, deadlineAtMs, isDone, ...(isDone && end && { end }) };
    if (isDone) return;
    this.endedDrains.delete(node.id);
    this.#watchDrain(node);
  }

  /** Watches for the end of the status that the node requests for all or some contexts, which is in force and in the journal. */
  beginNodeDrain(node: NodeRecord, requestedStatus: RequestedStatus): void {
    this.#endAsStopped(node, 'node', requestedStatus);
    node.nodeDrain = this.#newDrain(requestedStatus, node.nodeStatus === requestedStatus);
    this.#watchDrain(node);
  }

  #newDrain({ status, by, reason, deadlineAtMs }: RequestedStatus, isWhole: boolean): Drain {
    return {
      status: status === 'stopped' ? 'stopped' : 'draining',
      by,
      reason,
      isWhole,
      sinceMs: this.nowMs,
      revision: this.journal.revision,
      deadlineAtMs,
      isDone: false,
      unknownAt: [],
      curve: new DrainCurve(),
    };
  }

  /** `next` replaces a drain that continues: a stop ends it as a deadline would, and another drain begins anew. */
  #endAsStopped(node: NodeRecord, side: 'operator' | 'node', next: RequestedStatus): void {
    const drain = side === 'operator' ? node.operatorDrain : node.nodeDrain;
    if (side === 'node') node.nodeDrain = undefined;
    if (next.status !== 'stopped') this.endedDrains.delete(node.id);
    else if (drain?.status === 'draining' && !drain.isDone) this.#end(node, drain, side, 'deadline');
  }

  /** The node is about to be gone, and its drains continue. */
  endAsKilled(node: NodeRecord): void {
    for (const [side, drain] of [
      ['operator', node.operatorDrain],
      ['node', node.nodeDrain],
    ] as const)
      if (drain?.status === 'draining' && !drain.isDone) {
        this.#end(node, drain, side, 'killed');
        return;
      }
  }

  /** Reports the end of a drain or stop, and keeps that of a drain. */
  #end(node: NodeRecord, drain: Drain, side: 'operator' | 'node', cause: DrainCause): Drain {
    const usage = this.drainUsage(node, drain);
    const outcome = outcomeWord(cause, usage);
    // An agent would take this event for the end of the request that has replaced the drain.
    const isReplaced = side === 'node' && drain !== node.nodeDrain;
    if (!isReplaced)
      this.emit({
        type: 'drained',
        id: node.id,
        side,
        cause: outcome === 'empty' ? 'idle' : cause,
        sessionsLeft: usage.sessions,
        sessionsSeenOnce: usage.sessionsSeenOnce,
        inFlight: usage.inFlight,
      });
    const { status, by, reason, sinceMs, deadlineAtMs, isWhole } = drain;
    const request = { id: node.id, balancer: node.registration.balancer, by, reason, sinceMs, deadlineAtMs };
    if (status === 'draining' && isWhole) this.endedDrains.add({ ...request, outcome, endedAtMs: this.nowMs, usage });
    return { ...drain, isDone: true, unknownAt: usage.waitingFor, end: { outcome, atMs: this.nowMs } };
  }

  /** The remaining use that a drain of the node waits for. */
  drainUsage(node: NodeView, drain: Drain): Usage {
    const own = this.usage(node, drain.revision);
    return drain === node.operatorDrain ? withUseElsewhere(own, node.id, this.useElsewhere) : own;
  }

  #watchDrain(node: NodeRecord): void {
    this.draining.add(node);
    this.schedule(node);
  }

  /** The remaining use of the node, from the counts of the workers and of the node itself. */
  usage(node: NodeView, revision: number): Usage {
    const counters = this.workers.counters(node.id, this.nowMs);
    const isAlone = this.workers.size === 0 && !this.isSettled;
    return {
      // A parked request is one that the node still has to serve.
      inFlight: counters.inFlight + counters.parked,
      tunnels: counters.tunnels,
      ...sessionNumbers(node.sessions, counters),
      waitingFor: isAlone ? [FIRST_WORKER] : this.workers.waitingFor(revision),
    };
  }

  /** The active sessions of the node, from the counts of the workers and of the node itself. */
  sessionsOf(node: NodeView): SessionNumbers {
    const { id } = node;
    return sessionNumbers(node.sessions, {
      sessions: this.workers.sessions(id, this.nowMs),
      sessionsSeenOnce: this.workers.sessionsSeenOnce(id, this.nowMs),
    });
  }

  /** Ends the drains of the node that are complete. */
  judgeDrains(node: NodeRecord): void {
    node.operatorDrain = this.#judged(node, 'operator');
    node.nodeDrain = this.#judged(node, 'node');
    if ((node.operatorDrain?.isDone ?? true) && (node.nodeDrain?.isDone ?? true)) this.draining.delete(node);
  }

  #judged(node: NodeRecord, side: 'operator' | 'node'): NodeRecord['nodeDrain'] {
    const drain = side === 'operator' ? node.operatorDrain : node.nodeDrain;
    if (drain === undefined || drain.isDone) return drain;
    const usage = this.drainUsage(node, drain);
    drain.curve.add(this.nowMs, usage.sessions);
    const cause = drainOutcome(drain, usage, this.nowMs);
    return cause === undefined ? drain : this.#end(node, drain, side, cause);
  }

  // Time

  /** Sets the node's next deadline. A sign of life need not call it: an early check of a node only sets the deadline again. */
  schedule(node: NodeView): void {
    this.deadlines.set(node.id, this.#nextDueMs(node));
  }

  /** The same, with a check of the node within `ms` milliseconds. */
  scheduleWithin(node: NodeView, ms: number): void {
    this.deadlines.set(node.id, Math.min(this.#nextDueMs(node), this.nowMs + ms));
  }

  #nextDueMs(node: NodeView): number {
    const due = [
      this.#lifeDueMs(node),
      endOfRequest(node.operatorStatus),
      this.steadyAtMs(node),
      node.returns.flapping?.heldUntilMs,
    ];
    for (const drain of [node.operatorDrain, node.nodeDrain]) if (drain?.isDone === false) due.push(drain.deadlineAtMs);
    return Math.min(...due.map((atMs) => atMs ?? Number.POSITIVE_INFINITY));
  }

  #lifeDueMs(node: NodeView): number | undefined {
    if (node.liveness === 'gone') return forgetAtMs(node, this.options);
    if (this.isReported(node) && node.liveness === 'up') return undefined;
    if (node.kind === 'agent' && node.liveness === 'up') return node.heardAtMs + this.suspectMsOf(node);
    if (node.livenessReason === 'blocked') return this.nowMs + HELD_CHECK_MS;
    if (node.kind === 'static' && node.liveness !== 'suspect') return undefined;
    return node.isHeld ? this.nowMs + HELD_CHECK_MS : this.lease(node).renewedAtMs + node.leaseMs;
  }

  /** The time after which a node without a sign of life is given up; of kind `lease` the term of its registration. */
  lease(node: NodeView): Lease {
    if (node.kind === 'lease') return { renewedAtMs: node.renewedAtMs, durationMs: node.leaseMs };
    if (this.isReported(node)) return { renewedAtMs: this.nowMs, durationMs: node.leaseMs };
    const renewedAtMs = Math.max(node.signAtMs, node.heldUntilMs ?? Number.NEGATIVE_INFINITY);
    return { renewedAtMs, durationMs: node.leaseMs };
  }
}

export function rejected(code: ErrorCode, message: string): Rejection {
  return { type: 'rejected', code, message };
}

/** A fault as the answer to a command. */
export function rejectedBy(fault: Fault): Rejection {
  return { type: 'rejected', ...fault };
}
