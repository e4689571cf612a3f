/**
 * The worker's end of the feed. It applies the messages of the coordinator to the view and confirms them, reports counters and
 * observations, answers questions, and reconnects. A lost connection changes nothing for requests: the view stays as it was.
 */
import type { Rng } from '@rollcall/core';
import {
  decodeFeedToWorker,
  type EjectionCause,
  encodeFeed,
  FEED_LIST_CHARS,
  FEED_PATH,
  FEED_SUBPROTOCOL,
  FEED_VERSION,
  type FeedQuestion,
  type FeedToCoordinator,
  type FeedToWorker,
  fittingLists,
  hashesIn,
  MAX_FEED_BYTES,
  SESSIONS_PER_SECOND,
  type StickySample,
  type WorkerAnswer,
  type WorkerCounters,
  type WorkerObserved,
} from '@rollcall/feed';
import { ERROR_CODES, type NodeId } from '@rollcall/protocol';
import { WebSocket } from 'ws';
import type { ClusterNode } from '../cluster/cluster-node.ts';
import type { ClusterView } from '../cluster/cluster-view.ts';
import { BalancersJournal, CountersJournal, partOf, SessionsJournal } from '../cluster/node-counters.ts';
import type { Delay } from '../cluster/node-probes.ts';
import { SwapPacer } from '../cluster/swap-pacer.ts';
import { connectPinned } from '../tls/pinned-connection.ts';
import { backoffMs } from './backoff.ts';
import type { FailoverCounters } from './failover-counters.ts';
import { PortsJournal } from './ports-journal.ts';
import { SnapshotAssembly } from './snapshot-assembly.ts';

/**
 * Minimum time between two counters messages, except for nodes that have become idle, milliseconds. A message and the work
 * that it causes in the coordinator block a shared CPU for 0.5 to 1.5 ms.
 */
const COUNTERS_MS = 500;
/** Minimum time between counters messages for nodes that have become idle, milliseconds. */
const COUNTERS_SOON_MS = 20;
/** Interval at which ports are checked for changes to report, milliseconds. */
const PORTS_MS = 200;
/** Maximum time without a message, also without changes, so that a running worker is visible, milliseconds. */
const COUNTERS_IDLE_MS = 2_000;
/** Sessions in one message: few enough that no request waits for it, here or in the coordinator. */
const SESSIONS_A_MESSAGE = 512;
/** Time between two messages of sessions while more are to be sent, milliseconds. */
const SESSIONS_MS = (1_000 * SESSIONS_A_MESSAGE) / SESSIONS_PER_SECOND;
/** The same for a worker that forwards all requests. Its sessions are needed only by its successor. */
const SESSIONS_ALONE_MS = 250;
/** Ticks between two samples of sessions and visitors. */
const STICKY_TICKS = 2;
/**
 * The feed is missing for this long before a warning is logged, milliseconds. Shorter absences are normal: a worker starts
 * faster than the coordinator listens, and a reload replaces the coordinator.
 */
const MISSING_MS = 5_000;
/** The coordinator sends a ping every 5 s. After this time without a message the connection is closed, milliseconds. */
const SILENCE_MS = 20_000;
const HANDSHAKE_MS = 5_000;
/** Counters are skipped while more than this is buffered, bytes. */
const MAX_BUFFERED_BYTES = 1024 * 1024;
/** Close code for messages out of order. */
const CLOSE_PROTOCOL_ERROR = 4400;
/** Close code when the ends have different versions of the feed. */
const CLOSE_VERSION = ERROR_CODES['unsupported-version'].close;
/** Pause after a connection whose failure is likely to repeat, milliseconds: each attempt may cost a snapshot. */
const SLOW_RETRY_MS = 5_000;
/** A second malformed message within this time leads to the slow pause, milliseconds. */
const REFUSED_AGAIN_MS = 60_000;

/** The used part of a logger; compatible with pino. */
export interface FeedLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface FeedClientOptions {
  /** URL of the coordinator: `ws://host:port` or `http://host:port`. Without a path the path of the feed is added. */
  readonly url: string;
  /** A token of role proxy. */
  readonly token: string;
  /** Files of certificates of which the coordinator at a `wss` address must show one. Default: what Node.js trusts. */
  readonly certificateFiles?: readonly string[];
  /** Name of this worker; the same after a restart. */
  readonly worker: string;
  readonly version: string;
  readonly view: ClusterView;
  readonly now: () => number;
  readonly rng: Rng;
  readonly delay: Delay;
  readonly log: FeedLog;
  readonly counters: () => WorkerCounters;
  readonly failovers: FailoverCounters;
  readonly answer: (question: FeedQuestion) => WorkerAnswer['answer'] | Promise<WorkerAnswer['answer']>;
  /** All applied changes are in effect. */
  readonly onApplied: () => void;
}

export class FeedClient {
  readonly #options: FeedClientOptions;
  readonly #pacer: SwapPacer;
  readonly #cancels = new Set<() => void>();
  #socket: WebSocket | undefined;
  #journal = new CountersJournal();
  #balancers = new BalancersJournal();
  readonly #startedMs: number;
  readonly #sessions = new SessionsJournal();
  #ports = new PortsJournal();
  /** Nodes whose port is to be reported at once. */
  readonly #standing = new Set<ClusterNode>();
  #assembly: SnapshotAssembly | undefined;
  #epoch: string | undefined;
  /** True from the commit of this connection on: changes are accepted. */
  #isSynced = false;
  #appliedRevision = -1;
  /** Revision of the last counters. */
  #countersRevision = -1;
  #attempts = 0;
  /** Instant of the loss of the feed; valid while it is missing. */
  #missingSinceMs = 0;
  /** The reason why the last connection or attempt ended, or the step that the present attempt is in. */
  #trouble = 'no answer yet';
  /** A warning of the present absence has been logged. */
  #hasWarned = false;
  /** The next attempt uses the slow pause. */
  #isSlow = false;
  #refusedAtMs = Number.NEGATIVE_INFINITY;
  /** The last logged text about incompatible versions. */
  #versionLogged = '';
  #heardAtMs = 0;
  #countersAtMs = Number.NEGATIVE_INFINITY;
  #isCountersDue = false;
  #areSessionsDue = false;
  #ticks = 0;
  #isClosed = false;

  constructor(options: FeedClientOptions) {
    this.#options = options;
    this.#startedMs = options.now();
    this.#pacer = new SwapPacer(options.view, options.now, options.delay, () => this.#onSwapped());
  }

  /** True while the coordinator is connected and its snapshot was applied. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Connects, and reconnects until it is closed. */
  start(): void {
    this.#missingSinceMs = this.#options.now();
    this.#connect();
    this.#every(COUNTERS_MS, () => this.#tick());
    this.#every(PORTS_MS, () => this.#sendPorts(this.#options.view.nodes.values()));
  }

  /**
   * The port of a node refuses, or answers again. It is reported together with the other ports that change in the same turn of
   * the event loop. After a restart of the coordinator each node has such a change, so the other nodes are not read here.
   */
  portSoon(node: ClusterNode): void {
    this.#standing.add(node);
    if (this.#standing.size > 1) return;
    this.#later(0, () => {
      const nodes = [...this.#standing].filter(({ isGone }) => !isGone);
      this.#standing.clear();
      this.#sendPorts(nodes);
    });
  }

  #sendPorts(nodes: Iterable<ClusterNode>): void {
    if (!this.#isSynced) return;
    const ports = this.#ports.take(nodes, this.#options.now());
    for (const part of fittingLists(ports)) this.#send({ type: 'ports', ports: part });
  }

  /** The node is gone: reports about it do not apply to its successor. */
  forgetPort(id: NodeId): void {
    this.#ports.forget(id);
  }

  /** Reports an observation of a node. It is lost without a connection: the counters repeat it. */
  observed(id: NodeId, what: WorkerObserved['what'], reason: string, cause?: EjectionCause): void {
    this.#send({ type: 'observed', id, what, reason, ...(cause && { cause }) });
    this.countersSoon();
  }

  /**
   * A leaving node has reached 0 in flight, and the coordinator waits for this. It is reported at once, but at most 50 times a
   * second.
   */
  countersSoon(): void {
    if (this.#isCountersDue || !this.#isSynced) return;
    this.#isCountersDue = true;
    this.#later(Math.max(0, this.#countersAtMs + COUNTERS_SOON_MS - this.#options.now()), () => {
      this.#isCountersDue = false;
      this.#sendCounters();
    });
  }

  /** Sends the last counters and closes. */
  close(): void {
    if (this.#isClosed) return;
    const { size } = this.#options.view.nodes;
    this.#sendCounters(size);
    this.#sendSessions(size, SESSIONS_PER_SECOND);
    this.#isClosed = true;
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    this.#pacer.close();
    this.#socket?.close(1000);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) this.#options.delay(() => socket.terminate(), 200);
  }

  #connect(): void {
    const { url, token, certificateFiles } = this.#options;
    const isPinned = certificateFiles !== undefined && /^(?:wss|https):/.test(url);
    const socket = new WebSocket(feedUrl(url), [FEED_SUBPROTOCOL], {
      headers: { authorization: `Bearer ${token}` },
      maxPayload: MAX_FEED_BYTES,
      perMessageDeflate: false,
      handshakeTimeout: HANDSHAKE_MS,
      followRedirects: false,
      // The types of ws have only the form that returns a socket.
      ...(isPinned && ({ createConnection: connectPinned(certificateFiles) } as object)),
    });
    this.#socket = socket;
    this.#heardAtMs = this.#options.now();
    socket.on('open', () => {
      const { worker, version } = this.#options;
      this.#trouble = 'waiting for the snapshot';
      const ageMs = Math.round(this.#options.now() - this.#startedMs);
      this.#send({ type: 'hello', worker, pid: process.pid, version, feedVersion: FEED_VERSION, ageMs });
    });
    socket.on('message', (data, isBinary) => {
      if (socket !== this.#socket) return;
      this.#heardAtMs = this.#options.now();
      if (isBinary) this.#refuse('a binary frame');
      else this.#take(data.toString());
    });
    socket.on('ping', () => {
      this.#heardAtMs = this.#options.now();
    });
    socket.on('error', (error) => {
      this.#trouble = error.message;
    });
    socket.on('close', (code, reason) => this.#onClose(socket, code, reason.toString()));
  }

  #onClose(socket: WebSocket, code: number, reason: string): void {
    if (socket !== this.#socket || this.#isClosed) return;
    if (code === CLOSE_VERSION && !this.#isSlow) this.#refuseVersion(reason);
    if (this.#isSynced) {
      this.#missingSinceMs = this.#options.now();
      this.#trouble = `closed with ${code}`;
    }
    this.#socket = undefined;
    this.#isSynced = false;
    this.#assembly = undefined;
    this.#epoch = undefined;
    const pauseMs = backoffMs(this.#attempts++, this.#options.rng);
    this.#later(this.#isSlow ? SLOW_RETRY_MS + pauseMs : pauseMs, () => this.#connect());
    this.#isSlow = false;
  }

  #take(text: string): void {
    // A coordinator that was refused for its version may send its snapshot nevertheless.
    if (this.#isSlow) return;
    const message = decodeFeedToWorker(text);
    if (message.type === 'malformed') this.#refuse(message.message);
    else if (message.type === 'unknown') return;
    else if (!this.#apply(message)) this.#refuse(`${message.type} out of order`);
  }

  /** Applies one message; false if it is out of order. */
  #apply(message: FeedToWorker): boolean {
    const { view, now } = this.#options;
    switch (message.type) {
      case 'hello':
        if (this.#epoch !== undefined) return false;
        this.#epoch = message.epoch;
        view.reach = message.reach;
        if (message.feedVersion !== FEED_VERSION)
          this.#refuseVersion(
            `the coordinator speaks feed version ${message.feedVersion}, this worker ${FEED_VERSION}`,
          );
        return true;
      case 'snapshot':
        if (this.#epoch === undefined) return false;
        if (message.part === 0) this.#assembly = new SnapshotAssembly();
        return this.#assembly?.add(message) ?? false;
      case 'commit': {
        const snapshot = this.#assembly?.whole();
        if (snapshot === undefined || message.epoch !== this.#epoch) return false;
        this.#assembly = undefined;
        view.applySnapshot(snapshot, message, now());
        this.#appliedRevision = -1;
        this.#countersRevision = -1;
        this.#journal = new CountersJournal();
        this.#balancers = new BalancersJournal();
        this.#ports = new PortsJournal();
        this.#options.failovers.tellAgain();
        for (const node of view.nodes.values()) node.sessions.tellAgain();
        for (const { watch } of view.balancers.values()) watch.tellAgain();
        this.#isSynced = true;
        this.#attempts = 0;
        this.#versionLogged = '';
        if (this.#hasWarned)
          this.#options.log.info(
            { nodes: snapshot.nodes.length, revision: message.revision },
            'the feed is connected again',
          );
        this.#hasWarned = false;
        this.#pacer.swapSoon();
        return true;
      }
      case 'changes':
        if (!this.#isSynced) return false;
        view.applyChanges(message.revision, message.changes, now());
        this.#pacer.swapSoon();
        return true;
      case 'loads':
        if (this.#isSynced) view.applyLoads(message.loads, now());
        return this.#isSynced;
      case 'shares':
        if (this.#isSynced) view.applyShares(message.shares);
        return this.#isSynced;
      case 'sessions':
        if (this.#isSynced) view.applySessions(message.nodes, now());
        return this.#isSynced;
      case 'ask':
        this.#answer(message.id, message.question).catch((error: Error) =>
          this.#options.log.warn(
            { reason: error.message },
            `a question of the coordinator (${message.question.type}) cannot be answered`,
          ),
        );
        return true;
      default:
        return message satisfies never;
    }
  }

  async #answer(id: number, question: FeedQuestion): Promise<void> {
    const socket = this.#socket;
    const answer = await this.#answerTo(question);
    // Numbers of questions belong to one connection.
    if (socket === this.#socket) this.#send({ type: 'answer', id, answer: fitting(answer) });
  }

  /** Coordinator and worker have incompatible versions: the last known cluster is served until both have the same. */
  #refuseVersion(what: string): void {
    if (this.#versionLogged !== what)
      this.#options.log.warn({ what }, 'the feed has another version; serving the last known cluster, retrying slowly');
    this.#versionLogged = what;
    this.#isSlow = true;
    this.#socket?.close(CLOSE_VERSION, what);
  }

  /** Never rejects: an answer may fail for a broken node record or the operator's algorithm. */
  async #answerTo(question: FeedQuestion): Promise<WorkerAnswer['answer']> {
    try {
      return await this.#options.answer(question);
    } catch (error) {
      this.#options.log.warn({ err: error, question: question.type }, 'cannot answer a question of the coordinator');
      return { type: 'failed', message: error instanceof Error ? error.message.slice(0, 1_000) : 'unknown error' };
    }
  }

  /** The messages of the coordinator are malformed: start again from a snapshot. */
  #refuse(what: string): void {
    const nowMs = this.#options.now();
    this.#isSlow = nowMs - this.#refusedAtMs < REFUSED_AGAIN_MS;
    this.#refusedAtMs = nowMs;
    this.#options.log.warn({ what }, 'the feed is not understood: connecting anew');
    this.#socket?.close(CLOSE_PROTOCOL_ERROR);
    this.#socket?.terminate();
  }

  #onSwapped(): void {
    const { view, onApplied } = this.#options;
    if (this.#isSynced && view.revision !== this.#appliedRevision) {
      this.#appliedRevision = view.revision;
      this.#send({ type: 'applied', revision: view.revision });
      // A leaving node may be idle already, and the coordinator waits for the report.
      for (const node of view.nodes.values()) {
        if (!node.isLeaving) continue;
        this.countersSoon();
        break;
      }
    }
    onApplied();
  }

  #tick(): void {
    const nowMs = this.#options.now();
    if (this.#socket && nowMs - this.#heardAtMs > SILENCE_MS) this.#socket.terminate();
    this.#warnOfAbsence(nowMs);
    if (this.#options.view.expireEmpty(nowMs)) this.#pacer.swapSoon();
    this.#useOwnCounts(nowMs);
    this.#sendCounters();
    this.#sessionsSoon(0);
    if (this.#ticks++ % STICKY_TICKS === 0) this.#sendSticky();
  }

  /** Once for each long absence. */
  #warnOfAbsence(nowMs: number): void {
    const missingMs = nowMs - this.#missingSinceMs;
    if (this.#isSynced || this.#hasWarned || missingMs < MISSING_MS) return;
    this.#hasWarned = true;
    this.#options.log.warn(
      { missingMs: Math.round(missingMs), reason: this.#trouble },
      'no feed of the coordinator: serving the last known cluster, retrying',
    );
  }

  /** Without reports of sessions the observations of this worker are used. */
  #useOwnCounts(nowMs: number): void {
    for (const node of this.#options.view.nodes.values()) if (!node.hasToldSessions) node.estimateSessions(nowMs);
  }

  #sendCounters(count = partOf(this.#options.view.nodes.size)): void {
    const { view, now, counters } = this.#options;
    if (!this.#isSynced || (this.#socket?.bufferedAmount ?? 0) > MAX_BUFFERED_BYTES) return;
    const nowMs = now();
    const nodes = this.#journal.take([...view.nodes.values()], nowMs, count);
    // A new revision needs a message as well: the coordinator waits for the counters of the time in which it was applied.
    const balancers = this.#balancers.take(view.balancers);
    const isNews = nodes.length > 0 || balancers.length > 0 || this.#appliedRevision !== this.#countersRevision;
    if (!isNews && nowMs - this.#countersAtMs < COUNTERS_IDLE_MS) return;
    const before = Math.max(0, this.#countersRevision);
    this.#countersAtMs = nowMs;
    this.#countersRevision = this.#appliedRevision;
    const ofNodes = [...fittingLists(nodes, FEED_LIST_CHARS / 3)];
    const ofFailovers = [...fittingLists(this.#options.failovers.take() ?? [], FEED_LIST_CHARS / 3)];
    const ofBalancers = [...fittingLists(balancers, FEED_LIST_CHARS / 3)];
    const messages = Math.max(1, ofNodes.length, ofFailovers.length, ofBalancers.length);
    for (let i = 0; i < messages; i++)
      this.#send({
        type: 'counters',
        // Nodes that are not in a message count as unchanged, so only the last one names the revision.
        revision: i === messages - 1 ? this.#appliedRevision : before,
        nodes: ofNodes[i] ?? [],
        totals: counters(),
        ...(ofFailovers[i] !== undefined && { failovers: ofFailovers[i] }),
        ...(ofBalancers[i] !== undefined && { balancers: ofBalancers[i] }),
      });
  }

  /** In turns of their own, message after message, until all are sent. */
  #sessionsSoon(delayMs: number): void {
    if (this.#areSessionsDue) return;
    this.#areSessionsDue = true;
    const { view } = this.#options;
    this.#later(delayMs, () => {
      this.#areSessionsDue = false;
      const hashes = this.#sendSessions(partOf(view.nodes.size), SESSIONS_A_MESSAGE);
      if (hashes >= SESSIONS_A_MESSAGE) this.#sessionsSoon(view.isAlone ? SESSIONS_ALONE_MS : SESSIONS_MS);
    });
  }

  /** Sends sessions of `count` nodes, at most `max`. Returns their number. */
  #sendSessions(count: number, max: number): number {
    if (!this.#isSynced || (this.#socket?.bufferedAmount ?? 0) > MAX_BUFFERED_BYTES) return 0;
    const { view, now } = this.#options;
    const nodes = this.#sessions.take([...view.nodes.values()], now(), count, max);
    for (const part of fittingLists(nodes)) this.#send({ type: 'sessions', nodes: part });
    let hashes = 0;
    for (const sample of nodes) hashes += hashesIn(sample);
    return hashes;
  }

  #sendSticky(): void {
    const { view } = this.#options;
    const balancers: StickySample[] = [];
    for (const { watch } of view.balancers.values()) {
      const sample = watch.take();
      if (sample !== undefined) balancers.push(sample);
    }
    for (const part of fittingLists(balancers))
      this.#send({ type: 'sticky', revision: view.revision, balancers: part });
  }

  #send(message: FeedToCoordinator): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(encodeFeed(message));
  }

  #later(delayMs: number, run: () => void): void {
    const cancel = this.#options.delay(() => {
      this.#cancels.delete(cancel);
      run();
    }, delayMs);
    this.#cancels.add(cancel);
  }

  #every(periodMs: number, run: () => void): void {
    this.#later(periodMs, () => {
      this.#every(periodMs, run);
      run();
    });
  }
}

/** The answer as far as it fits in one frame: lists of connections, candidates and decisions are truncated. */
function fitting(answer: WorkerAnswer['answer']): WorkerAnswer['answer'] {
  switch (answer.type) {
    case 'scoreboard':
      return { ...answer, connections: beginning(answer.connections) };
    case 'decisions':
      return { ...answer, decisions: beginning(answer.decisions) };
    case 'past-decisions':
      return { ...answer, decisions: beginning(answer.decisions) };
    case 'explain':
      return { ...answer, candidates: beginning(answer.candidates) };
    case 'failed':
      return answer;
  }
}

function beginning<Item>(items: readonly Item[]): readonly Item[] {
  const [first = []] = fittingLists(items);
  return first;
}

/** The WebSocket address of the feed of the coordinator at `url`. */
export function feedUrl(url: string): string {
  const parsed = new URL(url);
  parsed.protocol = parsed.protocol === 'https:' || parsed.protocol === 'wss:' ? 'wss:' : 'ws:';
  if (parsed.pathname === '/' || parsed.pathname === '') parsed.pathname = FEED_PATH;
  return parsed.href;
}
