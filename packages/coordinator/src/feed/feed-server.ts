/**
 * Sends the state of the cluster to the proxy workers: a snapshot after the connect, and then every change. Receives the counters
 * of the workers. Changes are sent at once after a pause, otherwise together at most every 50 ms.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { NodeView } from '@rollcall/core';
import type {
  FeedChange,
  FeedLoad,
  FeedQuestion,
  FeedShare,
  FeedToCoordinator,
  ReachBounds,
  WorkerAnswer,
  WorkerHello,
} from '@rollcall/feed';
import { FEED_SUBPROTOCOL, FEED_VERSION, frameWithLists, joinedJson, MAX_FEED_BYTES } from '@rollcall/feed';
import type { ErrorCodeEntry, Fault, NodeId } from '@rollcall/protocol';
import { ERROR_CODES } from '@rollcall/protocol';
import { WebSocketServer } from 'ws';
import { type Gate, type Identity, peerOf } from '../auth/gate.ts';
import type { OpenConnections } from '../auth/open-connections.ts';
import type { Cluster } from '../cluster.ts';
import type { History } from '../events/history.ts';
import { refuseUpgrade } from '../network/refuse-upgrade.ts';
import { FeedConnection, type FeedDependencies } from './feed-connection.ts';
import { SessionCopies } from './session-copies.ts';
import { snapshotFrames } from './snapshot-frames.ts';
import { observedSentence, WorkerTable } from './worker-table.ts';

export interface FeedServerOptions {
  readonly cluster: Cluster;
  readonly gate: Gate;
  readonly open: OpenConnections;
  readonly history: History;
  readonly epoch: string;
  /** Time without a sign of life after which a node is given up, milliseconds. */
  readonly leaseMs: number;
  /** Addresses that nodes may have. */
  readonly reach: () => ReachBounds;
}

/** Interval between two messages of changes, milliseconds. */
const CHANGES_MS = 50;
/** Interval between two messages of loads, milliseconds. */
const LOADS_MS = 250;
/** Interval of the sums over the counters of all workers, milliseconds. */
const COUNTED_MS = 1_000;
/** Upper bound of the changes in a message. */
const MAX_CHANGES = 1_000;
const MAX_CONNECTIONS = 1_000;

export class FeedServer {
  readonly workers: WorkerTable;
  readonly #options: FeedServerOptions;
  readonly #server: WebSocketServer;
  readonly #connections = new Set<FeedConnection>();
  /** Connections that got a snapshot, by worker name. */
  readonly #synced = new Map<string, FeedConnection>();
  readonly #dependencies: FeedDependencies;
  /** Nodes that have reported since the last message of loads. */
  readonly #heard = new Set<NodeId>();
  /** Nodes whose number of sessions may differ now from that of a single worker. */
  readonly #recounted = new Set<NodeId>();
  /** Number of sessions of all workers that was last sent, for nodes where it is larger than that of one worker. */
  readonly #toldCounted = new Map<NodeId, number>();
  /** Nodes whose number in `#together` has changed since the last message of loads. */
  readonly #newlyCounted = new Set<NodeId>();
  readonly #copies: SessionCopies;
  #countedTimer: NodeJS.Timeout | undefined;
  #changesTimer: NodeJS.Timeout | undefined;
  #loadsTimer: NodeJS.Timeout | undefined;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #toldRevision = 0;
  #isClosing = false;
  #onAllClosed: (() => void) | undefined;

  constructor(options: FeedServerOptions) {
    this.#options = options;
    this.workers = new WorkerTable(options.cluster.clocks);
    this.#copies = new SessionCopies(options.cluster, (text) => this.#broadcast(text));
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: MAX_FEED_BYTES,
      perMessageDeflate: false,
      handleProtocols: (offered) => (offered.has(FEED_SUBPROTOCOL) ? FEED_SUBPROTOCOL : false),
    });
    this.#dependencies = {
      onHello: (connection, hello) => this.#onHello(connection, hello),
      onMessage: (connection, message) => this.#onMessage(connection.worker!, message),
      onMalformed: (connection, fault) =>
        options.history.refused('feed', fault, connection.worker === undefined ? {} : { by: connection.worker }),
      onClosed: (connection) => this.#onClosed(connection),
    };
    options.cluster.onChange(() => this.#changesSoon());
    options.cluster.onEvent((event) => {
      if (event.type !== 'load' || this.#synced.size === 0) return;
      this.#heard.add(event.id);
      this.#loadsSoon();
    });
  }

  /** Answers an upgrade request for the path of the feed. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const admitted = this.#admit(request);
    const address = peerOf(request);
    if ('code' in admitted) {
      this.#options.history.refused('feed upgrade', admitted, address ? { address: address.toString() } : {});
      refuseUpgrade(socket, admitted);
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (client) => {
      const connection = new FeedConnection(client, this.#dependencies);
      this.#connections.add(connection);
      const end = (fault: Fault): void => this.#refuse(connection, fault);
      client.once('close', this.#options.open.add({ identity: admitted, address, end }));
    });
  }

  /** Resolves to the first answer of a worker; `undefined` if no worker is connected or answers in time. */
  async ask(question: FeedQuestion, timeoutMs: number): Promise<WorkerAnswer['answer'] | 'no-worker' | undefined> {
    const [connection] = this.#synced.values();
    return connection ? connection.ask(question, timeoutMs) : 'no-worker';
  }

  /** The answers of all workers that answer in time. */
  async askAll(question: FeedQuestion, timeoutMs: number): Promise<readonly WorkerAnswer['answer'][]> {
    const asked = [...this.#synced.values()].map((connection) => connection.ask(question, timeoutMs));
    const answers = await Promise.all(asked);
    return answers.filter((answer) => answer !== undefined);
  }

  /** Announces the shutdown to the workers, and resolves when all connections are closed. The workers continue to serve. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#changesTimer);
    clearTimeout(this.#loadsTimer);
    clearTimeout(this.#countedTimer);
    this.#copies.close();
    if (this.#connections.size === 0) return;
    const allClosed = new Promise<void>((resolve) => {
      this.#onAllClosed = resolve;
    });
    for (const connection of this.#connections)
      connection.close(ERROR_CODES['shutting-down'].close, 'the coordinator goes away');
    await allClosed;
  }

  #admit(request: IncomingMessage): Identity | Fault {
    if (this.#isClosing) return { code: 'shutting-down', message: 'the coordinator goes away' };
    if (this.#connections.size >= MAX_CONNECTIONS)
      return { code: 'rate-limited', message: `${MAX_CONNECTIONS} workers are connected, as many as may be` };
    const identity = this.#options.gate.admitUpgrade(request, 'proxy');
    if ('code' in identity) return identity;
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    if (offered.includes(FEED_SUBPROTOCOL)) return identity;
    return { code: 'unsupported-version', message: `ask for the WebSocket subprotocol ${FEED_SUBPROTOCOL}` };
  }

  /** Closes the connection of a worker whose token no longer allows the feed. */
  #refuse(connection: FeedConnection, fault: Fault): void {
    const { worker } = connection;
    this.#options.history.refused('feed', fault, worker === undefined ? {} : { by: worker });
    const { close = ERROR_CODES.unauthenticated.close }: ErrorCodeEntry = ERROR_CODES[fault.code];
    connection.close(close, fault.code);
  }

  #onHello(connection: FeedConnection, hello: WorkerHello): void {
    const { cluster, epoch, history, reach } = this.#options;
    if (hello.feedVersion !== FEED_VERSION) {
      this.#refuseVersion(connection, hello);
      return;
    }
    const { worker, pid } = hello;
    const joined = cluster.apply({ type: 'worker-joined', worker, pid, isOlder: this.workers.isOlder(hello) });
    if ('type' in joined) {
      history.refused('feed', joined, { by: hello.worker });
      connection.terminate();
      return;
    }
    // Pending changes are sent to the other workers first, because the snapshot below contains them.
    this.#tellChanges();
    const earlier = this.#synced.get(hello.worker);
    this.#synced.set(hello.worker, connection);
    earlier?.terminate();
    this.workers.join(hello);
    connection.send({ type: 'hello', epoch, feedVersion: FEED_VERSION, reach: reach() });
    for (const id of this.#toldCounted.keys()) this.#newlyCounted.add(id);
    this.#loadsSoon();
    this.#sendSnapshot(connection);
    this.#copies.begin();
    this.#recountSoon();
    history.note({ type: 'worker', message: `worker ${hello.worker} (pid ${hello.pid}) follows the feed` });
  }

  /** Refuses a worker of another version. It continues to serve and retries; it is counted once, not at every attempt. */
  #refuseVersion(connection: FeedConnection, hello: WorkerHello): void {
    const { worker, version, feedVersion } = hello;
    const message = `worker ${worker} (version ${version}) speaks feed version ${feedVersion}, this coordinator ${FEED_VERSION}`;
    if (this.workers.refuse(hello, message))
      this.#options.history.refused('feed', { code: 'unsupported-version', message }, { by: worker });
    connection.send({ type: 'hello', epoch: this.#options.epoch, feedVersion: FEED_VERSION });
    connection.close(ERROR_CODES['unsupported-version'].close, message);
  }

  #sendSnapshot(connection: FeedConnection): void {
    const { cluster, epoch, leaseMs } = this.#options;
    const snapshot = cluster.registry.snapshot(cluster.clocks.nowMs());
    const { revision, isSettled, learningMs, joining } = snapshot;
    connection.sendAll(snapshotFrames(snapshot));
    connection.send({ type: 'commit', epoch, revision, isSettled, learningMs, leaseMs, joining });
    this.#toldRevision = revision;
  }

  #onMessage(worker: string, message: Exclude<FeedToCoordinator, WorkerHello | WorkerAnswer>): void {
    switch (message.type) {
      case 'applied':
        this.workers.applied(worker, message.revision);
        break;
      case 'counters': {
        const { revision, nodes, totals, failovers = [], balancers } = message;
        this.workers.applied(worker, revision);
        this.workers.count(worker, totals, balancers);
        this.#options.cluster.apply({ type: 'observe', worker, revision, nodes, failovers });
        this.#recountSoon(nodes);
        break;
      }
      case 'ports':
        this.#options.cluster.apply({ type: 'ports-seen', worker, ports: message.ports });
        break;
      case 'sessions':
        this.#options.cluster.apply({ type: 'sessions-seen', worker, nodes: message.nodes });
        this.#recountSoon(message.nodes);
        break;
      case 'sticky': {
        const { revision, balancers } = message;
        this.#options.cluster.apply({ type: 'sticky-seen', worker, revision, balancers });
        break;
      }
      case 'observed': {
        const { id, what, reason, cause } = message;
        const balancer = this.#options.cluster.registry.node(id)?.registration.balancer;
        if (balancer === undefined) return;
        const sentence = observedSentence(worker, id, what, reason);
        this.#options.history.note({ type: what, node: id, balancer, message: sentence, by: worker });
        if (what === 'ejected') this.#options.cluster.apply({ type: 'ejected', id, reason, ...(cause && { cause }) });
        if (what === 'not-allowed') this.#options.cluster.apply({ type: 'address-refused', id, message: reason });
        break;
      }
      default:
        message satisfies never;
    }
  }

  #onClosed(connection: FeedConnection): void {
    this.#connections.delete(connection);
    const { worker } = connection;
    if (worker !== undefined && this.#synced.get(worker) === connection) {
      this.#synced.delete(worker);
      this.workers.leave(worker);
      if (!this.#isClosing) {
        const isOver = connection.hasEnded;
        this.#options.cluster.apply({ type: 'worker-left', worker, isOver });
        const message = isOver ? `worker ${worker} has ended` : `worker ${worker} no longer follows the feed`;
        this.#options.history.note({ type: 'worker', message });
        if (this.#synced.size > 0) this.#copies.begin();
        this.#recountSoon();
      }
    }
    if (this.#connections.size === 0) this.#onAllClosed?.();
  }

  #changesSoon(): void {
    if (this.#changesTimer !== undefined || this.#isClosing || this.#synced.size === 0) return;
    const idleMs = this.#options.cluster.clocks.nowMs() - this.#toldAtMs;
    this.#changesTimer = setTimeout(() => this.#tellChanges(), Math.max(0, CHANGES_MS - idleMs));
  }

  #tellChanges(): void {
    clearTimeout(this.#changesTimer);
    this.#changesTimer = undefined;
    const { registry, clocks } = this.#options.cluster;
    const changes = registry.takeChanges();
    this.#toldAtMs = clocks.nowMs();
    if (changes.length === 0) return;
    const { revision } = registry;
    for (const text of changesFrames(changes, this.#toldRevision, revision)) this.#broadcast(text);
    this.#toldRevision = revision;
  }

  #loadsSoon(): void {
    if (this.#synced.size === 0 || this.#isClosing) return;
    this.#loadsTimer ??= setTimeout(() => this.#tellLoads(), LOADS_MS);
  }

  /** Forwards each report of a node once; a repeat would look like a new report. */
  #tellLoads(): void {
    this.#loadsTimer = undefined;
    const loads: FeedLoad[] = [];
    for (const id of new Set([...this.#heard, ...this.#newlyCounted])) {
      const node = this.#options.cluster.registry.node(id);
      if (node && node.liveness !== 'gone' && node.liveness !== 'joining')
        loads.push(loadOf(node, this.#toldCounted.get(id), this.#heard.has(id)));
    }
    this.#heard.clear();
    this.#newlyCounted.clear();
    for (const items of joinedJson(loads)) this.#broadcast(frameWithLists({ type: 'loads' }, { loads: items }));
  }

  #recountSoon(nodes: readonly { readonly id: NodeId }[] = []): void {
    if (this.#isClosing) return;
    for (const { id } of nodes) this.#recounted.add(id);
    this.#countedTimer ??= setTimeout(() => this.#recount(), COUNTED_MS);
  }

  /** A worker knows only its share of the sessions. If the total is larger, it is sent to all workers. */
  #recount(): void {
    this.#countedTimer = undefined;
    const { registry } = this.#options.cluster;
    for (const id of this.#recounted) {
      const { ofAll, ofOne } = registry.countedSessions(id);
      const counted = registry.node(id)?.sessions === undefined && ofAll > ofOne ? ofAll : undefined;
      if (counted === this.#toldCounted.get(id)) continue;
      if (counted === undefined) this.#toldCounted.delete(id);
      else this.#toldCounted.set(id, counted);
      this.#newlyCounted.add(id);
    }
    this.#recounted.clear();
    if (this.#newlyCounted.size > 0) this.#loadsSoon();
    this.#tellShares();
  }

  /** Sends each worker its share of the requests of a balancer, if the share has changed. */
  #tellShares(): void {
    const { registry, clocks } = this.#options.cluster;
    const nowMs = clocks.nowMs();
    const workers = [...this.#synced.keys()];
    const news = workers.map((): FeedShare[] => []);
    for (const balancer of registry.balancers())
      for (const [i, share] of registry.workerShares(workers, balancer, nowMs).entries())
        if (this.#synced.get(workers[i]!)!.learnsShare(balancer, share)) news[i]!.push([balancer, share]);
    for (const [i, shares] of news.entries())
      for (const items of joinedJson(shares))
        this.#synced.get(workers[i]!)!.sendText(frameWithLists({ type: 'shares' }, { shares: items }));
  }

  #broadcast(text: string): void {
    for (const connection of this.#synced.values()) connection.sendText(text);
  }
}

/** Messages that bring a worker from revision `from` to `to`. Only the last message contains the new revision. */
export function* changesFrames(changes: readonly FeedChange[], from: number, to: number): Generator<string, void> {
  const texts = [...joinedJson(changes, { maxItems: MAX_CHANGES })];
  for (const [i, items] of texts.entries()) {
    const message = { type: 'changes', revision: i === texts.length - 1 ? to : from };
    yield frameWithLists(message, { changes: items });
  }
}

function loadOf(node: NodeView, counted = -1, isHeard: boolean): FeedLoad {
  if (!isHeard) return [node.index, -1, -1, counted];
  const { index, load = -1, sessions = -1, inFlight = -1, serviceMs = -1 } = node;
  if (inFlight >= 0 || serviceMs >= 0) return [index, load, sessions, counted, inFlight, serviceMs];
  return counted < 0 ? [index, load, sessions] : [index, load, sessions, counted];
}
