/**
 * A whole cluster as a model: the real registry, and for each worker the real view, router, watches and probes. Nodes, links,
 * clients and time are simulated. All expectations of the session rule are checked while it runs; `violations` lists the
 * violations.
 */
import { Registry, type StoredRecord } from '@rollcall/core';
import { seededRng } from '@rollcall/core/testing';
import { type NodeId, parseNodeId } from '@rollcall/protocol';
import { ClusterView } from '../cluster/cluster-view.ts';
import { Ejections } from '../cluster/ejections.ts';
import { NodeProbes } from '../cluster/node-probes.ts';
import type { UpstreamNode } from '../engine/router.ts';
import { PortsJournal } from '../feed/ports-journal.ts';
import { ClusterRouter } from '../routing/cluster-router.ts';
import { SimEngine, type SimOutcome, type SimRequest } from './sim-engine.fixture.ts';
import { type SimKind, SimNode } from './sim-node.fixture.ts';
import { Timeline } from './timeline.fixture.ts';

/** Events of a cluster. Every fault ends after `forMs`. */
export type FaultKind =
  | 'freeze'
  | 'kill'
  | 'container'
  | 'foreign'
  | 'link-frozen'
  | 'link-refused'
  | 'cut'
  | 'host'
  | 'listener'
  | 'drain'
  | 'stop'
  | 'worker-restart'
  | 'control-restart';

export interface Fault {
  readonly kind: FaultKind;
  readonly node: number;
  readonly worker: number;
  readonly atMs: number;
  readonly forMs: number;
}

export interface Sequence {
  readonly seed: number;
  readonly kinds: readonly SimKind[];
  readonly workers: number;
  readonly perSecond: number;
  readonly faults: readonly Fault[];
}

const LEASE_MS = 20_000;
const SESSIONS = 8;
const WORKER_STARTS_MS = 300;
const CONTROL_STARTS_MS = 700;
/** A node that can answer again for less than this may not have been detected yet. */
const NOTICE_MS = 5_000;
/** Maximum duration of a request: parked, and the margin for its answer. */
const LONGEST_MS = 30_000 + 5_000 + 1_500;

interface SimWorker {
  readonly view: ClusterView;
  readonly router: ClusterRouter;
  readonly engine: SimEngine;
  readonly probes: NodeProbes;
  ports: PortsJournal;
  isFed: boolean;
  isOver: boolean;
}

interface Session {
  readonly id: string;
  cookie: string;
  /** Instance that has the session, as the client has observed. */
  at: string | undefined;
}

export class World {
  readonly timeline = new Timeline();
  readonly nodes: readonly SimNode[];
  readonly violations: string[] = [];
  /** Sessions that were moved, and requests that failed: a run in which neither can happen proves nothing. */
  moved = 0;
  failed = 0;
  answered = 0;
  readonly #sequence: Sequence;
  readonly #rng: () => number;
  #registry: Registry;
  #isControlUp = true;
  #workers: SimWorker[] = [];
  readonly #records = new Map<string, StoredRecord>();
  readonly #sessions: Session[];
  #connections = 0;
  #requests = 0;
  #isHealed = false;
  /** New node of a session that left a route, by worker: all its requests are sent there. */
  readonly #moves = new Map<string, { readonly to: NodeId; readonly atMs: number }>();

  constructor(sequence: Sequence) {
    this.#sequence = sequence;
    this.#rng = seededRng(sequence.seed);
    this.nodes = sequence.kinds.map((kind, i) => new SimNode(i, kind, sequence.workers, this.timeline));
    this.#registry = this.#newRegistry();
    this.#sessions = Array.from({ length: SESSIONS }, (_, i) => ({ id: `s${i}`, cookie: '', at: undefined }));
  }

  /** Runs the sequence until all faults are over and the cluster has settled, and checks the final state. */
  run(): this {
    const { timeline, nodes } = this;
    const { faults, perSecond, workers } = this.#sequence;
    for (const node of nodes) if (node.kind === 'static') this.#addMember(node);
    for (const node of nodes) timeline.every(1 + this.#rng() * 50, 1_000, () => this.#agentTick(node));
    timeline.every(11, 250, () => this.#control({ type: 'tick' }));
    for (let i = 0; i < workers; i++) this.#workers.push(this.#newWorker(i));
    timeline.runUntil(timeline.nowMs + 2_000);
    timeline.every(0, 1_000 / perSecond, () => this.#visit());
    timeline.runUntil(timeline.nowMs + 2_000);
    const startMs = timeline.nowMs;
    let endMs = startMs;
    for (const fault of faults) {
      timeline.in(fault.atMs, () => this.#strike(fault));
      endMs = Math.max(endMs, startMs + fault.atMs + fault.forMs);
    }
    timeline.runUntil(endMs + 12_000);
    this.#isHealed = true;
    timeline.runUntil(endMs + 30_000);
    this.#checkHealed();
    return this;
  }

  // ---- the coordinator

  #newRegistry(): Registry {
    const registry = new Registry({ startedAtMs: this.timeline.nowMs, leaseMs: LEASE_MS });
    if (this.#records.size > 0)
      registry.apply(
        { type: 'restore', records: [...this.#records.values()], nowUnixMs: this.timeline.nowMs },
        this.timeline.nowMs,
      );
    return registry;
  }

  #control(command: Parameters<Registry['apply']>[0]): boolean {
    if (!this.#isControlUp) return false;
    const outcome = this.#registry.apply(command, this.timeline.nowMs);
    if ('type' in outcome) return false;
    for (const event of outcome) {
      if (event.type === 'gone') this.#onGone(event.id, event.cause);
      if (event.type === 'connection-refused')
        for (const node of this.nodes) if (node.connection === event.connection) node.connection = undefined;
      if (event.type === 'registered' && event.needsProbe) this.#probeNewcomer(event.id, event.connection);
    }
    const { write, remove } = this.#registry.takeRecords(this.timeline.nowMs);
    for (const record of write) this.#records.set(record.key, record);
    for (const key of remove) this.#records.delete(key);
    const changes = this.#registry.takeChanges();
    if (changes.length === 0) return true;
    const { revision } = this.#registry;
    for (const worker of this.#workers) {
      if (!worker.isFed) continue;
      this.timeline.in(20, () => {
        if (worker.isOver || !worker.isFed) return;
        worker.view.applyChanges(revision, changes, this.timeline.nowMs);
        worker.view.swap(this.timeline.nowMs);
      });
    }
    return true;
  }

  #onGone(id: NodeId, cause: string): void {
    const node = this.#nodeOf(id);
    if (cause !== 'left' && cause !== 'removed' && cause !== 'taken')
      for (const { worker, port } of this.#registry.ports(id))
        if (port === 'answers')
          this.violations.push(`${id} is gone (${cause}) although worker ${worker} reports that it answers`);
    node.connection = undefined;
  }

  #probeNewcomer(id: NodeId, connection: number): void {
    const node = this.#nodeOf(id);
    this.timeline.in(5, () => {
      if (!node.isAlive || node.isRefusing) return;
      const probe = node.kind === 'sdk' ? 'proof' : 'options';
      this.#control({ type: 'reachable', id, connection, isReachable: true, probe });
    });
  }

  #addMember(node: SimNode): void {
    const connection = ++this.#connections;
    this.#control({ type: 'register', node: node.registration, connection, owner: 'o', kind: 'static' });
  }

  #agentTick(node: SimNode): void {
    if (node.kind === 'static' || !node.isAlive || (node.kind === 'sdk' && node.isFrozen)) return;
    const { nowMs } = this.timeline;
    const isLinked = node.link === 'ok' && this.#isControlUp;
    if (isLinked) node.heardCoordinatorAtMs = nowMs;
    if (node.connection !== undefined && nowMs - node.heardCoordinatorAtMs > 6_000) this.#disconnect(node);
    if (node.connection === undefined) {
      if (!isLinked || node.isRefusing) return;
      const connection = ++this.#connections;
      if (!this.#control({ type: 'register', node: node.registration, connection, owner: 'o', kind: 'agent' })) return;
      node.connection = connection;
      node.seq = 0;
    }
    // A wrapper does not report a program that refuses.
    if (isLinked && !node.isRefusing)
      this.#control({ type: 'heartbeat', id: node.id, connection: node.connection!, seq: ++node.seq, load: 0.1 });
  }

  #disconnect(node: SimNode): void {
    const { connection } = node;
    node.connection = undefined;
    if (connection !== undefined && node.link !== 'frozen')
      this.#control({ type: 'disconnect', id: node.id, connection });
  }

  #restartControl(): void {
    this.#isControlUp = false;
    for (const worker of this.#workers) worker.isFed = false;
    for (const node of this.nodes) node.connection = undefined;
    this.timeline.in(CONTROL_STARTS_MS, () => {
      this.#isControlUp = true;
      this.#registry = this.#newRegistry();
      for (const worker of this.#workers) this.timeline.in(100 + this.#rng() * 400, () => this.#feed(worker));
    });
  }

  // ---- workers

  #newWorker(index: number): SimWorker {
    const { timeline } = this;
    const rng = seededRng(this.#sequence.seed + index + 1);
    const view = new ClusterView({ rng });
    const ejections = new Ejections(view, () => {});
    const router = new ClusterRouter({
      view,
      ejections,
      newSessionId: () => `${index}${String(this.#requests).padStart(15, '0')}`,
      nowUnixMs: () => 0,
      onUnknownRoute: () => {},
      onMoved: () => {},
      onFailover: () => void this.moved++,
      onSeen: (node, nowMs) => {
        view.refresh(node, nowMs);
        probes.askIfDue(node, nowMs);
      },
      onIdle: () => {},
    });
    router.onDecision = (head, state) => {
      if (state.failoverCause !== undefined) this.#onMove(index, head.cookie);
    };
    const engine = new SimEngine({
      worker: index,
      timeline,
      rng,
      router,
      nodeOf: (node) => this.#nodeOf(node.id),
      onEnd: (request, outcome) => this.#onEnd(index, request, outcome),
      onSent: (request, node) => this.#onSent(index, request, node),
    });
    const worker: SimWorker = {
      view,
      router,
      engine,
      probes: undefined as unknown as NodeProbes,
      ports: new PortsJournal(),
      isFed: false,
      isOver: false,
    };
    const probes = new NodeProbes({
      view,
      ejections,
      prober: engine,
      version: '0',
      now: () => timeline.nowMs,
      delay: (run, delayMs) => timeline.in(delayMs, run),
      isFeedLost: () => !worker.isFed,
      openMs: () => 30_000,
      maxOpen: 1_000,
      onResult: (node) => router.onChange(node),
    });
    view.listener = {
      onReach: () => {},
      onChange: () => router.onChange(),
      onStanding: (node) => {
        if (node.watch.isGivenUp || node.watch.isDown) router.onNodeLost(node);
        router.onChange(node);
        for (const { attached } of view.table.contextsOf(node.id)) router.onChange(attached);
        this.#tellPorts(index, worker);
        probes.askIfDue(node, timeline.nowMs);
      },
      onStopped: () => {},
      onDrainTime: () => {},
      onGone: (node) => {
        probes.forget(node);
        worker.ports.forget(node.id);
        router.onNodeGone(node);
        router.onChange(node);
        if (node.goneCause !== 'left' && node.goneCause !== 'removed') router.onNodeLost(node);
      },
    };
    Object.assign(worker, { probes });
    const round = (): void => {
      if (worker.isOver) return;
      timeline.in(200, round);
      probes.round();
      this.#tellPorts(index, worker);
    };
    timeline.in(37 + index * 60, round);
    timeline.in(20, () => this.#feed(worker));
    return worker;
  }

  #feed(worker: SimWorker): void {
    if (worker.isOver || worker.isFed || !this.#isControlUp) return;
    const name = `w${this.#workers.indexOf(worker)}`;
    this.#control({ type: 'worker-joined', worker: name });
    worker.isFed = true;
    worker.ports = new PortsJournal();
    const { nowMs } = this.timeline;
    const { nodes, balancers, remembered, ...rest } = this.#registry.snapshot(nowMs);
    worker.view.applySnapshot(
      { nodes, balancers, remembered },
      { ...rest, epoch: `${nowMs}`, leaseMs: LEASE_MS },
      nowMs,
    );
    worker.view.swap(nowMs);
  }

  #tellPorts(index: number, worker: SimWorker): void {
    if (!worker.isFed || worker.isOver || !this.#isControlUp) return;
    const ports = worker.ports.take(worker.view.nodes.values(), this.timeline.nowMs);
    if (ports.length === 0) return;
    this.timeline.in(2, () => {
      if (worker.isFed && !worker.isOver) this.#control({ type: 'ports-seen', worker: `w${index}`, ports });
    });
  }

  #restartWorker(index: number): void {
    const old = this.#workers[index]!;
    old.isOver = true;
    old.engine.close();
    old.probes.close();
    this.#control({ type: 'worker-left', worker: `w${index}` });
    for (const node of this.nodes) {
      node.seenBy.delete(index);
      for (const connection of node.connections) if (connection.worker === index) node.connections.delete(connection);
    }
    for (const key of this.#moves.keys()) if (key.startsWith(`w${index} `)) this.#moves.delete(key);
    this.timeline.in(WORKER_STARTS_MS, () => {
      this.#workers[index] = this.#newWorker(index);
    });
  }

  // ---- clients

  #visit(): void {
    const index = Math.floor(this.#rng() * this.#workers.length);
    const worker = this.#workers[index]!;
    if (worker.isOver || worker.view.nodes.size === 0) return;
    const isNew = this.#rng() < 0.1;
    const session = isNew ? undefined : this.#sessions[Math.floor(this.#rng() * SESSIONS)]!;
    worker.engine.begin(this.#requests++, session?.id, session?.cookie ?? '', this.#rng() < 0.3);
  }

  /** Checks a request that is sent to a node: allowed only if the session is there, or may leave. */
  #onSent(worker: number, request: SimRequest, node: SimNode): void {
    if (!node.isAlive && node.tenant === 'foreign') {
      const record = this.#registry.node(node.id);
      // The registry may have received a heartbeat of the node shortly before: then nothing can be known.
      const isHeard = record?.liveness === 'up' && record.kind !== 'static';
      const isKnowable = node.kind === 'sdk' || (node.kind === 'wrap' && node.seenBy.has(worker));
      if (!isHeard && isKnowable) this.violations.push(`${request.id} reached a foreign program at ${node.id}`);
    }
    if (request.session === undefined || request.cookie === '') return;
    const route = request.cookie.split('.').at(-1)!;
    if (route === node.id) return;
    const key = `w${worker} ${request.cookie}`;
    const known = this.#moves.get(key);
    const { nowMs } = this.timeline;
    if (
      known !== undefined &&
      known.to !== node.id &&
      nowMs - known.atMs < 55_000 &&
      this.#isStanding(worker, known.to)
    )
      this.violations.push(`${request.session} went to ${known.to} and then to ${node.id} after leaving ${route}`);
    if (known?.to !== node.id) this.#moves.set(key, { to: node.id, atMs: nowMs });
  }

  /** Checks a session that leaves a node: allowed only if the node could not answer this worker, or was stopped. */
  #onMove(worker: number, cookie: string): void {
    const session = this.#sessions.find((one) => one.cookie === cookie);
    if (session === undefined || cookie === '') return;
    const home = this.#nodeOf(parseNodeId(cookie.split('.').at(-1)!)!);
    // The status as known to the worker: a verb takes effect after a delay.
    const isStopped = this.#workers[worker]!.view.nodes.get(home.id)?.contexts[0]?.status === 'stopped';
    if (!home.isAlive || session.at !== home.instance || isStopped) return;
    const { nowMs } = this.timeline;
    const unableMs = nowMs - (home.ableSinceMs[worker] === undefined ? home.lastAbleMs[worker]! : nowMs);
    const isLong = home.isRefusing ? unableMs > 2_000 : unableMs > LEASE_MS - 4_000;
    if (!isLong && !this.#isReturning(worker, home))
      this.violations.push(`${session.id} left ${home.id}, which could answer worker ${worker} ${unableMs} ms ago`);
  }

  /** The node has not answered for so long that its sessions were moved, and its return is only detected now. */
  #isReturning(worker: number, node: SimNode): boolean {
    const sinceMs = node.ableSinceMs[worker];
    return sinceMs === undefined || this.timeline.nowMs - sinceMs < NOTICE_MS;
  }

  #isStanding(worker: number, id: NodeId): boolean {
    const node = this.#workers[worker]!.view.nodes.get(id);
    return node !== undefined && !node.isGone && node.verdict === 'forward';
  }

  #onEnd(worker: number, request: SimRequest, { status, by, node, setCookie }: SimOutcome): void {
    const { nowMs } = this.timeline;
    if (this.#workers[worker]!.engine !== undefined && this.#workers[worker]!.isOver) return;
    const tookMs = nowMs - request.arrivedMs;
    // At its new node, if that was frozen a moment before, it waits for an answer again.
    const wasMovedLate =
      status === 504 && Math.max(nowMs - request.sentMs, request.sentMs - request.arrivedMs) <= LONGEST_MS;
    if (tookMs > LONGEST_MS && !wasMovedLate)
      this.violations.push(`request ${request.id} took ${tookMs} ms (${status})`);
    if (status === 200) {
      this.answered++;
      const session = this.#sessions.find(({ id }) => id === request.session);
      if (session === undefined || by === undefined || by === 'foreign' || node === undefined) return;
      if (setCookie !== '') session.cookie = setCookie.split(';')[0]!;
      session.at = by;
      node.sessions.add(session.id);
      return;
    }
    this.failed++;
    if (status === 503 && request.cookie === '' && this.#couldServe(worker, request))
      this.violations.push(`a visitor got 503 at worker ${worker} although a node could answer`);
    if (this.#isHealed && request.arrivedMs > nowMs - LONGEST_MS && !request.isPost && this.#allAble(request.arrivedMs))
      this.violations.push(`request ${request.id} failed (${status}) after everything was healed`);
  }

  /** A node that takes new work could answer the worker since well before the arrival of the request. */
  #couldServe(worker: number, { arrivedMs }: SimRequest): boolean {
    return this.nodes.some((node) => {
      const sinceMs = node.ableSinceMs[worker];
      const record = this.#registry.node(node.id);
      if (sinceMs === undefined || sinceMs > arrivedMs - NOTICE_MS || record === undefined) return false;
      // A wrapped program that was unreachable since its last heartbeat cannot prove that it still has the address.
      if (node.kind === 'wrap' && record.liveness === 'suspect' && sinceMs > record.heardAtMs) return false;
      const { operatorStatus } = record;
      const isWanted = operatorStatus.status === 'enabled' && operatorStatus.atMs < arrivedMs - NOTICE_MS;
      return (
        isWanted &&
        (record.liveness === 'up' || record.liveness === 'suspect') &&
        record.registration.instance === node.instance
      );
    });
  }

  #allAble(sinceMs: number): boolean {
    return this.nodes.every((node) =>
      node.ableSinceMs.every((ableMs) => ableMs !== undefined && ableMs < sinceMs - 12_000),
    );
  }

  // ---- faults

  #strike({ kind, node: at, worker, forMs }: Fault): void {
    // Two workers that lose two different nodes both move sessions, each to the node that the other cannot reach: no rule resolves that.
    const node = this.nodes[kind === 'cut' ? 0 : at % this.nodes.length]!;
    const index = worker % this.#workers.length;
    const { timeline } = this;
    const later = (run: () => void): void => void timeline.in(forMs, run);
    const { instance } = node;
    const ifSame = (run: () => void) => (): void => {
      if (node.instance === instance && node.isAlive) run();
    };
    switch (kind) {
      case 'freeze':
        if (!node.isAlive) return;
        node.change(() => {
          node.isFrozen = true;
        });
        later(
          ifSame(() =>
            node.change(() => {
              node.isFrozen = false;
            }),
          ),
        );
        return;
      case 'kill':
      case 'container':
      case 'foreign': {
        if (!node.isAlive) return;
        node.kill(kind === 'kill' ? 'refuses' : 'silent', true);
        this.#disconnect(node);
        if (kind === 'foreign')
          timeline.in(forMs / 2, () =>
            node.change(() => {
              if (!node.isAlive) node.tenant = 'foreign';
            }),
          );
        later(() => {
          if (!node.isAlive) node.restart();
        });
        return;
      }
      case 'link-frozen':
        node.link = 'frozen';
        later(() => {
          node.link = 'ok';
        });
        return;
      case 'link-refused':
        node.link = 'refused';
        if (node.isAlive) this.#disconnect(node);
        later(() => {
          node.link = 'ok';
        });
        return;
      case 'cut':
        node.change(() => {
          node.isCut[index] = true;
        });
        later(() =>
          node.change(() => {
            node.isCut[index] = false;
          }),
        );
        return;
      case 'host':
        node.link = 'frozen';
        node.change(() => {
          node.isCut.fill(true);
        });
        later(() => {
          node.link = 'ok';
          node.change(() => {
            node.isCut.fill(false);
          });
        });
        return;
      case 'listener':
        node.change(() => {
          node.isRefusing = true;
        });
        later(
          ifSame(() =>
            node.change(() => {
              node.isRefusing = false;
            }),
          ),
        );
        return;
      case 'drain':
      case 'stop':
        this.#requestStatus(node.id, kind === 'drain' ? 'draining' : 'stopped');
        later(() => this.#requestStatus(node.id, 'enabled'));
        return;
      case 'worker-restart':
        if (!this.#workers[index]!.isOver) this.#restartWorker(index);
        return;
      case 'control-restart':
        if (this.#isControlUp) this.#restartControl();
        return;
      default:
        kind satisfies never;
    }
  }

  /** An operator's verb, repeated until the coordinator answers. */
  #requestStatus(id: NodeId, status: 'enabled' | 'draining' | 'stopped'): void {
    if (this.#isControlUp)
      this.#control({ type: 'operator-status', target: { type: 'node', id }, status, by: 'operator' });
    else this.timeline.in(500, () => this.#requestStatus(id, status));
  }

  #checkHealed(): void {
    for (const node of this.nodes) {
      const liveness = this.#registry.node(node.id)?.liveness;
      if (liveness !== 'up')
        this.violations.push(`${node.id} (${node.kind}) is ${liveness} after everything was healed`);
      for (const [i, { view }] of this.#workers.entries()) {
        const known = view.nodes.get(node.id);
        if (known?.verdict !== 'forward')
          this.violations.push(
            `${node.id} (${node.kind}) is ${known?.verdict} at worker ${i} after everything was healed`,
          );
      }
    }
    for (const [i, { engine }] of this.#workers.entries())
      for (const request of engine.requests)
        if (this.timeline.nowMs - request.arrivedMs > LONGEST_MS)
          this.violations.push(`request ${request.id} at worker ${i} never ended`);
  }

  #nodeOf(id: UpstreamNode['id']): SimNode {
    return this.nodes.find((node) => node.id === id)!;
  }
}
