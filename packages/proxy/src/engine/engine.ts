/** The HTTP/1.1 engine: listens, hands each accepted socket to a `ClientConnection`, and owns what they share. */
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { performance } from 'node:perf_hooks';
import { LATENCY_BUCKETS_MS, REFUSALS, type Refusal, type ScoreboardAnswer } from '@rollcall/protocol';
import type { ConnectGuard } from '../connect-guard.ts';
import { pathOnly, type Router, type UpstreamNode } from '../routing.ts';
import type { Certificates } from '../tls/certificates.ts';
import { type NodeTls, nodeTls } from '../tls/node-tls.ts';
import { TlsFront } from '../tls/tls-front.ts';
import type { AccessEntry } from './access-entry.ts';
import { Admission } from './admission.ts';
import { closeWhenEmpty } from './backlog.ts';
import { BodyBlocks } from './body-blocks.ts';
import { ClientConnection } from './client-connection.ts';
import { plainAddress, trustedMatcher } from './client-identity.ts';
import { DeadlineSweep } from './deadline-sweep.ts';
import { type EngineCounters, type EngineLog, type EngineState, poolOf } from './engine-state.ts';
import type { Exchange } from './exchange.ts';
import { tryHandles } from './handle-trial.ts';
import { checkedLimits, type EngineLimits } from './limits.ts';
import { NodeConnection } from './node-connection.ts';
import { NodeProbe, type ProbeQuestion } from './node-probe.ts';
import { Outbox } from './outbox.ts';
import { Parking } from './parking.ts';
import { ReadBuffer } from './read-buffer.ts';
import { RetryBudget } from './retry.ts';
import { type AcceptedHandle, peerAddress, takeHandles } from './shared-read.ts';

/** Requests that ask again in one turn: each costs some microseconds, and others wait. */
const ASKED_A_TURN = 256;
/** Connections looked at for one that is idle when there is no room for another. */
const MAX_LOOKS = 256;
/** While closing, what a connection between two requests gets for one more, milliseconds. */
const LAST_REQUEST_MS = 1_000;

export interface EngineOptions {
  readonly router: Router;
  readonly limits?: Partial<EngineLimits>;
  /** Addresses and CIDR ranges whose `X-Forwarded-*` and `Forwarded` are believed. Default none. */
  readonly trustedProxies?: readonly string[];
  /** Path that the proxy answers itself with 200, for a balancer in front of it. Default none. */
  readonly healthPath?: string;
  /** Shown with a 503 to clients on this machine, e.g. how to add a node. Default nothing. */
  readonly unavailableHint?: string;
  /** HTML pages of the operator by status, e.g. 503, for browsers; others get text or JSON all the same. */
  readonly errorPages?: ReadonlyMap<number, Uint8Array>;
  /** Told of every request when it is over, and of an upgrade when it happens. Must not throw or block. */
  readonly onAccess?: (entry: AccessEntry) => void;
  /** Of the TLS port; without any there is none. */
  readonly certificates?: Certificates;
  /** How nodes with `https` addresses are connected to. Default: verified by the authorities that Node knows. */
  readonly nodeTls?: NodeTls;
  /** Which nodes may be connected to. Default: all. */
  readonly guard?: ConnectGuard<UpstreamNode>;
  /** Monotonic milliseconds. Default `performance.now`. */
  readonly now?: () => number;
  readonly log?: EngineLog;
}

/** Where to listen: an address, or a handle that somebody else has bound. */
export type ListenAt = { readonly host: string; readonly port: number } | { readonly handle: unknown };

export class Engine {
  readonly #state: EngineState;
  readonly #servers: net.Server[] = [];
  readonly #tlsFront: TlsFront | undefined;
  #isStarted = false;
  #isClosed = false;
  #canTakeHandles = false;
  #isAsking = false;
  /** What parked requests wait for and has changed since they were asked last. */
  #changed: Set<object> | 'all' = new Set();
  /** Those that have still to ask. */
  readonly #asking: Exchange[] = [];

  constructor(options: EngineOptions) {
    const now = options.now ?? (() => performance.now());
    const limits = checkedLimits(options.limits);
    this.#state = {
      router: options.router,
      limits,
      sweep: new DeadlineSweep(now),
      totals: newTotals(),
      budget: new RetryBudget(),
      admission: new Admission(limits),
      clients: new Set(),
      strangers: new Set(),
      parking: new Parking({ maxRequests: limits.maxParked, maxBytes: limits.maxParkedBytes }),
      pools: new Map(),
      readBuffer: new ReadBuffer(),
      blocks: new BodyBlocks(),
      canRewrap: false,
      outbox: new Outbox(),
      reads: undefined,
      direct: undefined,
      nodeTls: options.nodeTls ?? nodeTls(),
      guard: options.guard,
      now,
      log: options.log,
      onAccess: options.onAccess,
      healthPath: options.healthPath ?? '',
      viaName: `rollcall-${randomBytes(4).toString('hex')}`,
      requestIdPrefix: `${randomBytes(6).toString('hex')}-`,
      isTrusted: trustedMatcher(options.trustedProxies ?? []),
      unavailableHint: options.unavailableHint ?? '',
      errorPages: latin1Pages(options.errorPages),
      isClosing: false,
      closesIdle: false,
      requestNumber: 0,
      onNoClients: () => {},
    };
    if (options.certificates !== undefined) {
      this.#tlsFront = new TlsFront({
        certificates: options.certificates,
        handshakeTimeoutMs: limits.headerTimeoutMs,
        onSecure: (socket) => new ClientConnection(socket, plainAddress(socket.remoteAddress), this.#state),
        onRefused: (error) => {
          this.#state.totals.refusals.handshake++;
          options.log?.debug({ reason: error.message }, 'no TLS connection with a client');
        },
      });
    }
    options.router.onChange = (waitFor) => this.#onChange(waitFor);
    options.router.onNodeGone = (node) => this.#onNodeGone(node);
    options.router.onNodeLost = (node) => this.#onNodeLost(node);
  }

  /** Makes it ready to accept; `listen` does so by itself. */
  async start(): Promise<void> {
    if (this.#isStarted) return;
    this.#isStarted = true;
    const { canRewrap, canTakeHandles, reads, direct } = await tryHandles();
    if (!canRewrap || !canTakeHandles || reads === undefined || direct === undefined)
      this.#state.log?.warn(
        { canRewrap, canTakeHandles, canReadDirectly: reads !== undefined, canWriteDirectly: direct !== undefined },
        'this Node makes requests cost more',
      );
    this.#canTakeHandles = canTakeHandles;
    this.#state.canRewrap = canRewrap;
    this.#state.reads = reads;
    this.#state.direct = direct;
    this.#state.sweep.start();
  }

  /** Opens the port for clients that speak plain HTTP. Rejects with the system's error when that is not possible. */
  async listen(at: ListenAt): Promise<net.AddressInfo> {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => this.accept(socket));
    const address = await this.#listen(server, at);
    if (this.#canTakeHandles) takeHandles(server, (handle) => this.#acceptHandle(handle));
    return address;
  }

  /** Opens the port for clients that speak TLS. */
  async listenTls(at: ListenAt): Promise<net.AddressInfo> {
    return await this.#listen(
      net.createServer({ allowHalfOpen: true }, (socket) => this.acceptTls(socket)),
      at,
    );
  }

  async #listen(server: net.Server, at: ListenAt): Promise<net.AddressInfo> {
    await this.start();
    return await new Promise((resolve, reject) => {
      server.once('error', reject);
      const onListening = (): void => {
        server.off('error', reject);
        server.on('error', (error) => this.#state.log?.warn({ err: error }, 'the proxy port reports an error'));
        this.#servers.push(server);
        resolve(server.address() as net.AddressInfo);
      };
      if ('handle' in at) server.listen(at.handle, onListening);
      else server.listen({ host: at.host, port: at.port, backlog: 4_096 }, onListening);
    });
  }

  /** Takes over an accepted connection. */
  accept(socket: net.Socket): void {
    const address = this.#admit(socket.remoteAddress);
    if (address === undefined) socket.destroy();
    else new ClientConnection(socket, address, this.#state);
  }

  /** The same for one that no socket has been made for. */
  #acceptHandle(handle: AcceptedHandle): void {
    const address = this.#admit(peerAddress(handle));
    if (address === undefined) handle.close();
    else new ClientConnection(handle, address, this.#state);
  }

  /** The same for one of the TLS port: it becomes a client once its handshake is done. */
  acceptTls(socket: net.Socket): void {
    const address = this.#admit(socket.remoteAddress);
    const { admission, isTrusted } = this.#state;
    if (address !== undefined)
      socket.once('close', () => {
        admission.leave(address, isTrusted(address));
        this.#state.onNoClients();
      });
    if (address === undefined || this.#tlsFront === undefined) socket.destroy();
    else this.#tlsFront.take(socket);
  }

  /** The address of a connection that may stay. */
  #admit(peer: string | undefined): string | undefined {
    const state = this.#state;
    const address = plainAddress(peer);
    if (state.admission.isFull) makeRoom(state);
    const refusal = this.#isClosed ? 'connections' : state.admission.enter(address, state.isTrusted(address));
    if (refusal === undefined) return address;
    state.totals.refusals[refusal]++;
    return undefined;
  }

  /** Connections that count against the limits, with those whose handshake is under way. */
  get admitted(): number {
    return this.#state.admission.total;
  }

  /** Parked requests ask again, once for all changes of a turn, and never from inside a call of the router's. */
  #onChange(waitFor?: object): void {
    if (this.#state.parking.size === 0) return;
    if (waitFor === undefined) this.#changed = 'all';
    else if (this.#changed !== 'all') this.#changed.add(waitFor);
    this.#askSoon();
  }

  #askSoon(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    setImmediate(() => this.#ask());
  }

  /** A part of those that have to ask: the rest in turns of their own. */
  #ask(): void {
    this.#isAsking = false;
    const { parking } = this.#state;
    if (this.#changed === 'all') this.#asking.push(...parking.waitingFor());
    else for (const key of this.#changed) this.#asking.push(...parking.waitingFor(key));
    this.#changed = new Set();
    for (const exchange of this.#asking.splice(0, ASKED_A_TURN)) if (exchange.isWaiting) exchange.askAgain(false);
    if (this.#asking.length > 0) this.#askSoon();
  }

  /** Unanswered requests of a lost node ask again, answers in progress and tunnels are cut. */
  #onNodeLost(node: UpstreamNode): void {
    this.#state.pools.get(node)?.empty();
    // In a turn of its own: the router may be in the middle of a change.
    setImmediate(() => {
      const nowMs = this.#state.now();
      for (const client of [...this.#state.clients]) {
        if (client.exchange.attemptedNode === node) client.exchange.onNodeLost(nowMs);
        else if (client.tunnel?.node === node) client.tunnel.end();
      }
    });
  }

  /** Asks the node on an idle connection of its pool; false when there is none. */
  probePooled(node: UpstreamNode, question: ProbeQuestion): boolean {
    const nowMs = this.#state.now();
    const connection = question.kind === 'connect' ? undefined : this.#state.pools.get(node)?.take(true, nowMs);
    if (connection === undefined) return false;
    new NodeProbe(question).ask(connection, nowMs);
    return true;
  }

  /** Asks the node on a fresh connection. */
  probeFresh(node: UpstreamNode, question: ProbeQuestion): void {
    const pool = poolOf(this.#state, node);
    new NodeProbe(question).ask(new NodeConnection(node, pool, this.#state), this.#state.now());
  }

  /** Closes idle connections to nodes: the rule by which they were made may have changed. */
  closeIdleToNodes(): void {
    for (const pool of this.#state.pools.values()) pool.empty();
  }

  #onNodeGone(node: UpstreamNode): void {
    this.#state.pools.get(node)?.close();
    this.#state.pools.delete(node);
  }

  /** Closes the upgraded connections of a node `graceMs` from now. */
  endTunnels(node: UpstreamNode, graceMs: number): void {
    for (const client of this.#state.clients) if (client.tunnel?.node === node) client.tunnel.endWithin(graceMs);
  }

  /** Acts upon the deadlines that have passed, of many a few each turn; the engine does so by itself several times a second. */
  checkDeadlines(): void {
    this.#state.sweep.sweep();
  }

  /** Totals since the start, and what is present now. */
  counters(loopDelayMs: number): EngineCounters {
    const { statusClasses, latencyBuckets, refusals, ...totals } = this.#state.totals;
    const [one = 0, two = 0, three = 0, four = 0, five = 0] = statusClasses;
    const { parking, now } = this.#state;
    return {
      ...totals,
      parked: parking.size,
      oldestParkedMs: parking.oldestMs(now()),
      loopDelayMs,
      statusClasses: [one, two, three, four, five],
      latencyBuckets: [...latencyBuckets],
      refusals: REFUSALS.map((refusal) => refusals[refusal]),
    };
  }

  /** A session has left a hot node. */
  countMoved(): void {
    this.#state.totals.moved++;
  }

  /** A session has been moved to another node. */
  countFailover(): void {
    this.#state.totals.failovers++;
  }

  /** Counts a request whose session id named no known route. */
  countUnknownRoute(): void {
    this.#state.totals.unknownRoutes++;
  }

  /** What each connection is at, at most 1,000 of them. Query strings are left out. */
  scoreboard(): ScoreboardAnswer {
    const nowMs = this.#state.now();
    const connections: ScoreboardAnswer['connections'][number][] = [];
    for (const client of this.#state.clients) {
      if (connections.length >= 1_000) break;
      const { exchange } = client;
      const isBusy = exchange.isActive;
      connections.push({
        client: client.peer.address,
        state: client.tunnel ? 'tunnel' : isBusy ? (exchange.body.isComplete ? 'sending' : 'reading') : 'idle',
        method: isBusy ? exchange.method : '',
        path: isBusy ? pathOnly(exchange.head.target) : '',
        node: isBusy ? (exchange.slip.node?.id ?? '') : (client.tunnel?.node.id ?? ''),
        ageMs: isBusy ? Math.max(0, nowMs - exchange.startedMs) : 0,
      });
    }
    return { type: 'scoreboard', connections };
  }

  /**
   * Stops accepting, lets requests and upgraded connections finish for at most `graceMs`, then cuts what is left.
   *
   * Answers from now on are the last on their connections, and say so. A connection between two requests is kept for its
   * next answer, because a close that meets a request on its way would fail that request: with a successor, which
   * accepts from now on, until the grace is over, otherwise for `LAST_REQUEST_MS`.
   */
  async close(graceMs: number, hasSuccessor = false): Promise<void> {
    const state = this.#state;
    const endMs = performance.now() + graceMs;
    state.isClosing = true;
    if (graceMs > 0 && !hasSuccessor) await Promise.all(this.#servers.map((server) => closeWhenEmpty(server)));
    else for (const server of this.#servers) server.close();
    if (!hasSuccessor) {
      if (state.admission.total > 0) await this.#untilNoClients(Math.min(graceMs, LAST_REQUEST_MS));
      state.closesIdle = true;
      for (const client of [...state.clients]) if (client.isIdle) client.endIdle();
    }
    await this.#untilNoClients(endMs - performance.now());
    this.#isClosed = true;
    for (const client of state.clients) client.destroy();
    for (const pool of state.pools.values()) pool.close();
    state.pools.clear();
    state.sweep.close();
  }

  /** Until the last client connection has gone, `withinMs` at most. */
  async #untilNoClients(withinMs: number): Promise<void> {
    const state = this.#state;
    // A handshake under way becomes a client.
    if (state.admission.total === 0 || withinMs <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      state.onNoClients = () => {
        if (state.admission.total > 0) return;
        state.onNoClients = () => {};
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Closes one connection for a newcomer: of those that have asked for nothing the oldest, else one between requests. */
function makeRoom(state: EngineState): void {
  const [stranger] = state.strangers;
  if (stranger !== undefined) {
    state.totals.refusals.connections++;
    stranger.destroy();
    return;
  }
  let looks = 0;
  for (const client of state.clients) {
    if (client.isIdle) {
      client.destroy();
      return;
    }
    if (++looks === MAX_LOOKS) return;
  }
}

/** Pages as latin1 text, the form in which answers are written. */
function latin1Pages(pages: ReadonlyMap<number, Uint8Array> | undefined): ReadonlyMap<number, string> {
  const texts = new Map<number, string>();
  for (const [status, octets] of pages ?? []) texts.set(status, Buffer.from(octets).toString('latin1'));
  return texts;
}

function newTotals(): EngineState['totals'] {
  return {
    requests: 0,
    inFlight: 0,
    connections: 0,
    accepted: 0,
    bytesIn: 0,
    bytesOut: 0,
    retries: 0,
    failovers: 0,
    refusals: Object.fromEntries(REFUSALS.map((refusal) => [refusal, 0])) as Record<Refusal, number>,
    clientAborts: 0,
    unavailable: 0,
    unknownRoutes: 0,
    moved: 0,
    statusClasses: new Float64Array(5),
    latencyBuckets: new Float64Array(LATENCY_BUCKETS_MS.length + 1),
    latencySumMs: 0,
  };
}
