/**
 * Everything the registry knows, and the few steps that every command is made of. Each step keeps all books at once:
 * liveness, feed, store, deadlines and events can not disagree.
 */
import type { BalancerName, ErrorCode, NodeId } from '@rollcall/protocol';
import type { StoredRecord } from '../store/store.ts';
import { BalancerSettings, type SettingsForAll } from './balancer-settings.ts';
import { ContextOwnership } from './context-ownership.ts';
import { Deadlines } from './deadlines.ts';
import { type Drain, drainOutcome, type Usage } from './drain.ts';
import type { Event, GoneCause, Rejection } from './events.ts';
import { FeedJournal } from './feed-journal.ts';
import { LearningWindow } from './learning-window.ts';
import { NodeIndex } from './node-index.ts';
import type { LivenessReason, NodeRecord, NodeView, Wish } from './node-record.ts';
import { assertTransition, isInFeed } from './node-status.ts';
import type { RegistryOptions } from './options.ts';
import { RouteOwnership } from './route-ownership.ts';
import { SelfPreservation } from './self-preservation.ts';
import { StickyFindings } from './sticky-findings.ts';
import { Traffic } from './traffic.ts';
import { WorkerCounts } from './worker-counts.ts';

/** Named in a drain's `waitingFor` while a coordinator that has just started has not met any worker. */
export const FIRST_WORKER = 'the first worker';

export class RegistryState {
  readonly options: RegistryOptions;
  readonly nodes: NodeIndex = new NodeIndex();
  readonly routes: RouteOwnership = new RouteOwnership();
  readonly contexts: ContextOwnership = new ContextOwnership();
  readonly balancers: Map<BalancerName, BalancerSettings> = new Map();
  readonly settingsForAll: SettingsForAll = new Map();
  readonly workers: WorkerCounts;
  readonly traffic: Traffic = new Traffic();
  readonly sticky: StickyFindings = new StickyFindings();
  readonly preservation: SelfPreservation;
  readonly learning: LearningWindow;
  readonly deadlines: Deadlines<NodeId> = new Deadlines();
  readonly journal: FeedJournal = new FeedJournal();
  /** Keys of records that the store must learn of. */
  readonly dirtyRecords: Set<string> = new Set();
  /** Nodes with a drain that is not done. */
  readonly draining: Set<NodeRecord> = new Set();
  isSettled = false;
  settlesAtMs: number;
  /** Instant of the command being applied, or of the last one. */
  nowMs: number;
  /** Versions of the records that the store holds, as far as we know. */
  readonly stored: Map<string, StoredRecord['version']> = new Map();
  /** What the command being applied has caused so far. */
  events: Event[] = [];
  /** Version of the newest override written or restored. */
  overrideVersion: readonly [number, number] = [0, 0];
  /** Records that could not be understood when they were restored. */
  unreadableRecords = 0;

  constructor(options: RegistryOptions, startedAtMs: number) {
    this.options = options;
    this.nowMs = startedAtMs;
    this.settlesAtMs = startedAtMs + options.settleMs;
    this.learning = new LearningWindow(startedAtMs, options.learningMs);
    this.workers = new WorkerCounts(options.workerGraceMs, options.hashSeed);
    this.preservation = new SelfPreservation({
      windowMs: options.suspectMs,
      fromNodes: options.preserveFromNodes,
      fromRatio: options.preserveFromRatio,
    });
  }

  begin(nowMs: number): void {
    this.nowMs = Math.max(this.nowMs, nowMs);
    this.events = [];
    this.journal.begin();
  }

  emit(event: Event): void {
    this.events.push(event);
  }

  /** A change of what the feed says of a node; nothing when it says nothing. */
  touchFeed(node: NodeView): void {
    if (isInFeed(node.liveness)) this.journal.node(node.id);
  }

  touchNodeRecord(node: NodeView): void {
    this.dirtyRecords.add(`node/${node.id}`);
  }

  touchOverrideRecord(node: NodeView): void {
    this.dirtyRecords.add(`override/${node.id}`);
  }

  silentMs(node: NodeView): number {
    return node.kind === 'static' ? 0 : Math.max(0, this.nowMs - node.heardAtMs);
  }

  /** The balancer's settings, made on first use. */
  balancer(name: BalancerName): BalancerSettings {
    const known = this.balancers.get(name);
    if (known) return known;
    const made = new BalancerSettings(name, this.settingsForAll, this.options.sessionIdleMs);
    this.balancers.set(name, made);
    return made;
  }

  /** A balancer's settings in force have changed. */
  tellBalancer(name: BalancerName, by?: string): void {
    const balancer = this.balancer(name).inForce();
    this.journal.balancer(name);
    for (const { id } of this.nodes.inBalancer(name)) this.workers.setIdleMs(id, balancer.sessionIdleMs, this.nowMs);
    this.emit({ type: 'balancer', balancer, ...(by !== undefined && { by }) });
    for (const finding of this.sticky.configure(name, balancer.sticky, this.journal.revision))
      this.emit({ type: 'sticky', isOn: false, finding });
  }

  // Liveness

  markUp(node: NodeRecord): void {
    const from = node.liveness;
    if (from === 'up') return;
    this.#setLiveness(node, 'up', undefined);
    if (!node.isKnown || node.goneAtMs !== undefined) {
      this.touchNodeRecord(node);
      this.touchOverrideRecord(node);
    }
    node.isKnown = true;
    node.goneAtMs = undefined;
    node.goneCause = undefined;
    node.livenessDetail = undefined;
    this.preservation.isHeard(node.id);
    if (from !== 'suspect' && node.operatorWish.status !== 'enabled') this.beginOperatorDrain(node);
    this.emit({ type: 'up', id: node.id, from });
    this.#stopExpecting(node);
    this.schedule(node);
  }

  markSuspect(node: NodeRecord, reason: 'silent' | 'disconnected' | 'unreachable' | 'restarted'): void {
    this.#setLiveness(node, 'suspect', reason);
    if (reason === 'silent') this.preservation.fellSilent(node.id, this.nowMs);
    this.schedule(node);
    this.emit({ type: 'suspect', id: node.id, reason, silentMs: this.silentMs(node) });
  }

  /** From gone, for a process that has yet to be probed. The route stays remembered meanwhile. */
  markJoining(node: NodeRecord): void {
    this.#setLiveness(node, 'joining', 'unprobed');
    this.touchOverrideRecord(node);
  }

  /** The node is no longer there; its route is remembered when sessions may name it. */
  markGone(node: NodeRecord, cause: GoneCause, by?: string): void {
    const silentMs = this.silentMs(node);
    const { balancer, route } = node.registration;
    if (isInFeed(node.liveness)) this.journal.lost({ id: node.id, balancer, route, cause });
    else if (node.isKnown) this.journal.route({ balancer, route });
    else this.routes.release(balancer, route, node.id);
    if (node.liveness !== 'gone') this.#setLiveness(node, 'gone', cause);
    node.livenessReason = cause;
    node.isConnected = false;
    node.goneAtMs = this.nowMs;
    node.goneCause = cause;
    this.contexts.release(node.registration);
    this.preservation.isHeard(node.id);
    this.draining.delete(node);
    node.nodeDrain = undefined;
    if (node.operatorDrain) node.operatorDrain = { ...node.operatorDrain, isDone: true };
    this.touchNodeRecord(node);
    this.touchOverrideRecord(node);
    this.emit({ type: 'gone', id: node.id, cause, silentMs, ...(by !== undefined && { by }) });
    this.#stopExpecting(node);
    this.schedule(node);
    this.#forgetSurplus(node.owner);
  }

  /** Not even its route is known from now on. */
  forget(node: NodeRecord): void {
    const { balancer, route } = node.registration;
    if (node.expectedUntilMs !== undefined) this.contexts.release(node.registration);
    this.#stopExpecting(node);
    this.routes.release(balancer, route, node.id);
    if (node.isKnown) this.journal.route({ balancer, route });
    this.nodes.delete(node);
    this.deadlines.delete(node.id);
    this.workers.forget(node.id);
    this.traffic.forgetNode(node.id);
    this.touchNodeRecord(node);
    this.touchOverrideRecord(node);
    this.emit({ type: 'forgotten', id: node.id, balancer, route });
  }

  #setLiveness(node: NodeRecord, to: NodeView['liveness'], reason: LivenessReason | undefined): void {
    const from = node.liveness;
    assertTransition(from, to);
    this.nodes.setLiveness(node, to);
    node.livenessReason = reason;
    // One that comes back after a restart of ours has been serving all the while.
    if (isInFeed(to) && !isInFeed(from))
      node.inFeedSinceMs = node.expectedUntilMs === undefined ? this.nowMs : node.registeredAtMs;
    if (isInFeed(to)) this.journal.node(node.id);
  }

  #forgetSurplus(owner: string): void {
    const limit = Math.min(this.options.maxNodes, this.options.maxNodesPerOwner);
    const gone = this.nodes.goneOf(owner);
    while (gone.size > limit || (gone.size > 1 && this.nodes.count('gone') > this.options.maxNodes)) {
      const [longest] = gone;
      this.forget(longest!);
    }
  }

  /** What a worker that has ended said of its findings and traffic no longer holds. */
  forgetWorker(worker: string): void {
    this.sticky.forget(worker);
    this.traffic.forgetWorker(worker);
  }

  // Learning

  #stopExpecting(node: NodeRecord): void {
    if (node.expectedUntilMs === undefined) return;
    node.expectedUntilMs = undefined;
    if (this.learning.noLongerMissing(node.id)) this.tellSettled();
  }

  /** Learning window or settling time has just ended. */
  tellSettled(): void {
    this.journal.settled();
    this.emit({ type: 'settled', isSettled: this.isSettled, learningMs: this.learning.remainingMs(this.nowMs) });
  }

  // Drains

  /** Watches for the end of the operator's wish, which is in force, in the journal and not `enabled`. */
  beginOperatorDrain(node: NodeRecord): void {
    node.operatorDrain = this.#newDrain(node.operatorWish);
    this.#watchDrain(node);
  }

  /** Watches for the end of what the node wants for all or part of itself, which is in force and in the journal. */
  beginNodeDrain(node: NodeRecord, wish: Wish): void {
    node.nodeDrain = this.#newDrain(wish);
    this.#watchDrain(node);
  }

  #newDrain(wish: Wish): Drain {
    return {
      status: wish.status === 'stopped' ? 'stopped' : 'draining',
      sinceMs: this.nowMs,
      revision: this.journal.revision,
      deadlineAtMs: wish.deadlineAtMs,
      isDone: false,
    };
  }

  #watchDrain(node: NodeRecord): void {
    this.draining.add(node);
    this.schedule(node);
  }

  /** What is left on the node, as the workers and the node itself say. */
  usage(node: NodeView, revision: number): Usage {
    const totals = this.workers.totals(node.id, this.nowMs);
    const isAlone = this.workers.size === 0 && !this.isSettled;
    return {
      inFlight: totals.inFlight,
      tunnels: totals.tunnels,
      sessions: node.sessions ?? totals.sessions,
      waitingFor: isAlone ? [FIRST_WORKER] : this.workers.waitingFor(revision),
    };
  }

  /** Ends those drains of the node that are complete. */
  judgeDrains(node: NodeRecord): void {
    node.operatorDrain = this.#judged(node, 'operator');
    node.nodeDrain = this.#judged(node, 'node');
    if ((node.operatorDrain?.isDone ?? true) && (node.nodeDrain?.isDone ?? true)) this.draining.delete(node);
  }

  #judged(node: NodeRecord, side: 'operator' | 'node'): NodeRecord['nodeDrain'] {
    const drain = side === 'operator' ? node.operatorDrain : node.nodeDrain;
    if (drain === undefined || drain.isDone) return drain;
    const usage = this.usage(node, drain.revision);
    const cause = drainOutcome(drain, usage, this.nowMs);
    if (cause === undefined) return drain;
    this.emit({
      type: 'drained',
      id: node.id,
      side,
      cause,
      sessionsLeft: usage.sessions,
      inFlight: usage.inFlight,
    });
    return { ...drain, isDone: true };
  }

  // Time

  /** Puts the node's next deadline down. Heartbeats need not: an early look at a node only puts it down again. */
  schedule(node: NodeView): void {
    this.deadlines.set(node.id, this.#nextDueMs(node));
  }

  #nextDueMs(node: NodeView): number {
    const due = [this.#lifeDueMs(node), node.operatorWish.untilMs];
    for (const drain of [node.operatorDrain, node.nodeDrain]) if (drain?.isDone === false) due.push(drain.deadlineAtMs);
    return Math.min(...due.map((atMs) => atMs ?? Number.POSITIVE_INFINITY));
  }

  #lifeDueMs(node: NodeView): number | undefined {
    if (node.liveness === 'gone') return node.expectedUntilMs ?? node.goneAtMs! + this.options.rememberMs;
    if (node.kind === 'agent' && node.liveness === 'up') return node.heardAtMs + this.options.suspectMs;
    return node.heardAtMs + node.leaseMs;
  }
}

export function rejected(code: ErrorCode, message: string): Rejection {
  return { type: 'rejected', code, message };
}
