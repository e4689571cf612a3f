/** The HTTP/1.1 engine: listens, passes each accepted socket to a `ClientConnection`, and owns their shared parts. */
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { performance } from 'node:perf_hooks';
import { REFUSALS, type ScoreboardAnswer } from '@rollcall/feed';
import { type AjpOptions, AjpRequests } from '../ajp/ajp-requests.ts';
import { plainAddress } from '../http1/forwarded-field.ts';
import type { Certificates } from '../tls/certificates.ts';
import { type NodeTls, nodeTls } from '../tls/node-tls.ts';
import { TlsFront } from '../tls/tls-front.ts';
import type { AccessEntry } from './access-entry.ts';
import { Admission } from './admission.ts';
import { closeWhenEmpty } from './backlog.ts';
import { BodyBlocks } from './body-blocks.ts';
import { ClientConnection, type ClientServices } from './client-connection.ts';
import { type ForwardedForm, trustedMatcher } from './client-report.ts';
import { ClientSet } from './client-set.ts';
import type { TunnelsEnd } from './close-frame.ts';
import type { ConnectGuard } from './connect-guard.ts';
import { type EngineCounters, newCounters } from './counters.ts';
import { DeadlineSweep } from './deadline-sweep.ts';
import type { DirectReads } from './direct-read.ts';
import type { DirectWrites } from './direct-write.ts';
import type { Upstream } from './ends.ts';
import type { Exchange } from './exchange.ts';
import { FailureLog } from './failure-log.ts';
import type { RequestRecorder } from './finished-request.ts';
import { tryHandles } from './handle-trial.ts';
import { checkedLimits, type LimitChanges } from './limits.ts';
import { NodeProbe, type ProbeQuestion } from './node-probe.ts';
import { openUpstream } from './open-upstream.ts';
import { Outbox } from './outbox.ts';
import { Parking } from './parking.ts';
import { type OnHeader, ProxyHeaders, type ProxyProtocolListener } from './proxy-headers.ts';
import { ReadBuffer } from './read-buffer.ts';
import { RequestIds } from './request-ids.ts';
import { RetryBudget } from './retry.ts';
import { pathOnly, type Router, type UpstreamNode } from './router.ts';
import { type AcceptedHandle, peerAddress, takeHandles } from './shared-read.ts';
import type { EngineLog } from './shared-services.ts';
import { TraceContext } from './trace-context.ts';
import { UpstreamPools } from './upstream-pools.ts';

/** Parked requests that are routed in one turn: each costs some microseconds, and delays other requests. */
const ASKED_A_TURN = 256;
/** Connections that are checked for an idle one if there is no room for another. */
const MAX_LOOKS = 256;
/** While closing: time for one more request on a connection between two requests, milliseconds. */
const LAST_REQUEST_MS = 1_000;

export interface EngineOptions {
  readonly router: Router;
  readonly limits?: LimitChanges;
  /** Idle connections to all nodes together. Default: no bound beyond `maxIdlePerNode`. */
  readonly maxIdle?: number | undefined;
  /** Addresses and CIDR ranges whose `X-Forwarded-*` and `Forwarded` are trusted. Default none. */
  readonly trustedProxies?: readonly string[];
  /** Listeners whose connections begin with a header of the PROXY protocol; only `trustedProxies` may connect to them. Default none. */
  readonly proxyProtocol?: readonly ProxyProtocolListener[];
  /** Which fields name the client, from trusted proxies and to nodes. Default `x-forwarded`. */
  readonly forwardedForm?: ForwardedForm;
  /** Adds this proxy to `Via` of requests, and refuses requests that return to it. Default true. */
  readonly addsVia?: boolean;
  /** Adds a `traceparent` to requests without a valid one. Default false: fields of clients are forwarded unchanged. */
  readonly makesTraces?: boolean;
  /** Path that the proxy itself answers with 200, for a load balancer in front of it. Default none. */
  readonly healthPath?: string;
  /** HTML pages of the operator by status, e.g. 503, for browsers; other clients get text or JSON. */
  readonly errorPages?: ReadonlyMap<number, Uint8Array>;
  /** Called after each request, and at an upgrade. Must not throw or block. */
  readonly onAccess?: (entry: AccessEntry) => void;
  /** Records each request at its end. Must not throw or block. */
  readonly recorder?: RequestRecorder;
  /** Certificates of the TLS port; without them there is none. */
  readonly certificates?: Certificates;
  /** TLS to nodes with `https` addresses. Default: verified with the CAs of Node. */
  readonly nodeTls?: NodeTls;
  /** How nodes with `ajp` addresses are sent requests. Default: without a secret. */
  readonly ajp?: AjpOptions;
  /** Restricts which nodes may be connected to. Default: no restriction. */
  readonly guard?: ConnectGuard<UpstreamNode>;
  /** Monotonic milliseconds. Default `performance.now`. */
  readonly now?: () => number;
  /** From 0 to 1: spreads the closes of upgraded connections. Default `Math.random`. */
  readonly rng?: () => number;
  readonly log?: EngineLog;
}

/** Where to listen: an address, or a handle that another process has bound. */
export type ListenAt = { readonly host: string; readonly port: number } | { readonly handle: unknown };

/** The services of all parts, with the fields that only the engine changes. */
interface EngineState extends ClientServices {
  readonly clients: ClientSet<ClientConnection>;
  readonly admission: Admission;
  readonly parking: Parking<Exchange>;
  readonly pools: UpstreamPools<Upstream>;
  canRewrap: boolean;
  reads: DirectReads | undefined;
  direct: DirectWrites | undefined;
  isClosing: boolean;
  closesIdle: boolean;
  tunnelsEnd: TunnelsEnd | undefined;
}

export class Engine {
  readonly #state: EngineState;
  readonly #servers: net.Server[] = [];
  readonly #tlsFront: TlsFront | undefined;
  readonly #headers: ProxyHeaders;
  #isStarted = false;
  #isClosed = false;
  #canTakeHandles = false;
  #isAsking = false;
  /** Reasons of parked requests that have changed since these requests were routed last. */
  #changed: Set<object> | 'all' = new Set();
  /** Parked requests that are still to be routed again. */
  readonly #asking: Exchange[] = [];
  /** A client connection has closed that may have been the last. */
  #onNoClients = (): void => {};

  constructor(options: EngineOptions) {
    const now = options.now ?? (() => performance.now());
    const limits = checkedLimits(options.limits);
    this.#state = {
      router: options.router,
      limits,
      sweep: new DeadlineSweep(now),
      counters: newCounters(),
      budget: new RetryBudget(),
      failures: new FailureLog(options.log),
      admission: new Admission(limits),
      clients: new ClientSet(),
      parking: new Parking({ maxRequests: limits.maxParked, maxBytes: limits.maxParkedBytes }),
      pools: new UpstreamPools(limits.maxIdlePerNode, options.maxIdle),
      readBuffer: new ReadBuffer(),
      blocks: new BodyBlocks(),
      canRewrap: false,
      outbox: new Outbox(),
      reads: undefined,
      direct: undefined,
      nodeTls: options.nodeTls ?? nodeTls(),
      ajp: new AjpRequests(limits.ajpPacketBytes, options.ajp),
      guard: options.guard,
      now,
      rng: options.rng ?? Math.random,
      log: options.log,
      onAccess: options.onAccess,
      recorder: options.recorder,
      healthPath: options.healthPath ?? '',
      viaName: options.addsVia === false ? '' : `rollcall-${randomBytes(4).toString('hex')}`,
      requestIds: new RequestIds(),
      traces: options.makesTraces === true ? new TraceContext() : undefined,
      isTrusted: trustedMatcher(options.trustedProxies ?? []),
      forwardedForm: options.forwardedForm ?? 'x-forwarded',
      errorPages: latin1Pages(options.errorPages),
      isClosing: false,
      closesIdle: false,
      tunnelsEnd: undefined,
      onNoClients: () => this.#onNoClients(),
    };
    if (options.certificates !== undefined) {
      this.#tlsFront = new TlsFront({
        certificates: options.certificates,
        handshakeTimeoutMs: limits.headerTimeoutMs,
        onSecure: (socket, address) => new ClientConnection(socket, address, this.#state),
        onRefused: (error) => {
          this.#state.counters.refusals.handshake++;
          options.log?.debug({ reason: error.message }, 'TLS handshake with a client failed');
        },
      });
    }
    this.#headers = new ProxyHeaders(options.proxyProtocol ?? [], this.#state);
    options.router.onChange = (waitFor) => this.#onChange(waitFor);
    options.router.onNodeGone = (node) => this.#onNodeGone(node);
    options.router.onNodeLost = (node) => this.#onNodeLost(node);
  }

  /** Makes the engine ready to accept; `listen` calls it. */
  async start(): Promise<void> {
    if (this.#isStarted) return;
    this.#isStarted = true;
    const { canRewrap, canTakeHandles, reads, direct } = await tryHandles();
    if (!canRewrap || !canTakeHandles || reads === undefined || direct === undefined)
      this.#state.log?.warn(
        { canRewrap, canTakeHandles, canReadDirectly: reads !== undefined, canWriteDirectly: direct !== undefined },
        'fast socket path unavailable on this Node.js version; using net.Socket',
      );
    this.#canTakeHandles = canTakeHandles;
    this.#state.canRewrap = canRewrap;
    this.#state.reads = reads;
    this.#state.direct = direct;
    this.#state.sweep.start();
  }

  /** Opens the port for plain HTTP. Rejects with the error of the system. */
  async listen(at: ListenAt): Promise<net.AddressInfo> {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => this.accept(socket));
    const address = await this.#listen(server, at);
    if (this.#canTakeHandles && !this.#headers.isFor('proxy'))
      takeHandles(server, (handle) => this.#acceptHandle(handle));
    return address;
  }

  /** Opens the port for TLS. */
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
        server.on('error', (error) => this.#state.log?.warn({ err: error }, 'error on the proxy port'));
        this.#servers.push(server);
        resolve(server.address() as net.AddressInfo);
      };
      if ('handle' in at) server.listen(at.handle, onListening);
      else server.listen({ host: at.host, port: at.port, backlog: 4_096 }, onListening);
    });
  }

  /** Takes over an accepted connection. */
  accept(socket: net.Socket): void {
    if (this.#headers.isFor('proxy'))
      this.#readHeader(socket, 'proxy', (client, rest) => this.#accept(socket, client)?.receive(rest));
    else this.#accept(socket, socket.remoteAddress);
  }

  /** The same with the address of the client. */
  #accept(socket: net.Socket, client: string | undefined): ClientConnection | undefined {
    const address = this.#admit(client);
    if (address !== undefined) return new ClientConnection(socket, address, this.#state);
    socket.destroy();
    return undefined;
  }

  /** The same for a handle without a socket. */
  #acceptHandle(handle: AcceptedHandle): void {
    const address = this.#admit(peerAddress(handle));
    if (address === undefined) handle.close();
    else new ClientConnection(handle, address, this.#state);
  }

  /** The same for the TLS port: the connection becomes a client after its handshake. */
  acceptTls(socket: net.Socket): void {
    if (this.#headers.isFor('tls'))
      this.#readHeader(socket, 'tls', (client, rest) => {
        // Buffered until the handshake reads it.
        socket.pause();
        if (rest.length > 0) socket.unshift(rest);
        this.#acceptTls(socket, client);
      });
    else this.#acceptTls(socket, socket.remoteAddress);
  }

  #acceptTls(socket: net.Socket, client: string | undefined): void {
    const address = this.#admit(client);
    const { admission, isTrusted } = this.#state;
    if (address !== undefined)
      socket.once('close', () => {
        admission.leave(address, isTrusted(address));
        this.#onNoClients();
      });
    if (address === undefined || this.#tlsFront === undefined) socket.destroy();
    else this.#tlsFront.take(socket, address);
  }

  /** Waits for the header of the PROXY protocol, for which the peer is admitted. `onHeader` gets the address of the client. */
  #readHeader(socket: net.Socket, listener: ProxyProtocolListener, onHeader: OnHeader): void {
    const { isTrusted, admission } = this.#state;
    const peer = plainAddress(socket.remoteAddress);
    if (peer !== '' && !isTrusted(peer)) this.#headers.refuse(peer, listener);
    if (!isTrusted(peer) || this.#admit(peer) === undefined) {
      socket.destroy();
      return;
    }
    this.#headers.read(socket, peer, listener, {
      onHeader: (address, rest) => {
        admission.leave(peer, true);
        onHeader(address === '' ? peer : address, rest);
        this.#onNoClients();
      },
      onClosed: () => {
        admission.leave(peer, true);
        this.#onNoClients();
      },
    });
  }

  /** The address of an admitted connection; `undefined` for a refused one. */
  #admit(peer: string | undefined): string | undefined {
    const state = this.#state;
    const address = plainAddress(peer);
    if (state.admission.isFull) makeRoom(state);
    const refusal = this.#isClosed ? 'connections' : state.admission.enter(address, state.isTrusted(address));
    if (refusal === undefined) return address;
    state.counters.refusals[refusal]++;
    return undefined;
  }

  /** Connections that count against the limits, including handshakes in progress. */
  get admitted(): number {
    return this.#state.admission.total;
  }

  /** Routes parked requests again, once for all changes of a turn, and never from inside a call of the router. */
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

  /** Routes a part of them; the rest follows in turns of its own. */
  #ask(): void {
    this.#isAsking = false;
    const { parking } = this.#state;
    if (this.#changed === 'all') this.#asking.push(...parking.waitingFor());
    else for (const key of this.#changed) this.#asking.push(...parking.waitingFor(key));
    this.#changed = new Set();
    for (const exchange of this.#asking.splice(0, ASKED_A_TURN)) if (exchange.isWaiting) exchange.askAgain(false);
    if (this.#asking.length > 0) this.#askSoon();
  }

  /** Unanswered requests of a lost node are routed again. Answers in progress are cut, and tunnels are closed. */
  #onNodeLost(node: UpstreamNode): void {
    this.#state.pools.get(node)?.empty();
    // In a turn of its own: the router may be changing its state.
    setImmediate(() => {
      const nowMs = this.#state.now();
      for (const client of [...this.#state.clients]) {
        if (client.exchange.attemptedNode === node) client.exchange.onNodeLost(nowMs);
        else if (client.tunnel?.node === node) client.tunnel.close(1001);
      }
    });
  }

  /** Sends a probe on an idle connection of the node's pool; false if there is none. */
  probePooled(node: UpstreamNode, question: ProbeQuestion): boolean {
    const nowMs = this.#state.now();
    const connection = question.kind === 'connect' ? undefined : this.#state.pools.get(node)?.take(true, nowMs);
    if (connection === undefined) return false;
    new NodeProbe(question).ask(connection, nowMs);
    return true;
  }

  /** Sends a probe on a fresh connection. */
  probeFresh(node: UpstreamNode, question: ProbeQuestion): void {
    const pool = this.#state.pools.of(node);
    new NodeProbe(question).ask(openUpstream(node, pool, this.#state), this.#state.now());
  }

  /** Closes idle connections to nodes: the connect rule may have changed. */
  closeIdleToNodes(): void {
    this.#state.pools.empty();
  }

  #onNodeGone(node: UpstreamNode): void {
    this.#state.pools.remove(node);
  }

  /** Closes the upgraded connections of a node within `graceMs`. */
  endTunnels(node: UpstreamNode, graceMs: number): void {
    const end: TunnelsEnd = { endMs: this.#state.now() + graceMs, code: 1001 };
    for (const client of this.#state.clients) if (client.tunnel?.node === node) client.tunnel.endBy(end);
  }

  /** The time of a node's drain has been set or changed, or the drain was withdrawn: `node.drainsUntilMs`. */
  onDrainTime(node: UpstreamNode): void {
    for (const client of this.#state.clients) if (client.tunnel?.node === node) client.tunnel.followDrain();
  }

  /** Handles expired deadlines, a few each turn. The engine calls it several times per second. */
  checkDeadlines(): void {
    this.#state.sweep.sweep();
  }

  /** Counters since the start, and present values. */
  counters(loopDelayMs: number): EngineCounters {
    const { statusClasses, refusals, ...counters } = this.#state.counters;
    const [one = 0, two = 0, three = 0, four = 0, five = 0] = statusClasses;
    const { parking, now } = this.#state;
    return {
      ...counters,
      parked: parking.size,
      oldestParkedMs: parking.oldestMs(now()),
      loopDelayMs,
      statusClasses: [one, two, three, four, five],
      refusals: REFUSALS.map((refusal) => refusals[refusal]),
    };
  }

  /** A session has left a hot node. */
  countMoved(): void {
    this.#state.counters.moved++;
  }

  /** A session has been moved to another node. */
  countFailover(): void {
    this.#state.counters.failovers++;
  }

  /** Counts a request whose session id named no known route. */
  countUnknownRoute(): void {
    this.#state.counters.unknownRoutes++;
  }

  /** The state of each connection, for at most 1,000 of them. Query strings are left out. */
  scoreboard(): ScoreboardAnswer {
    const nowMs = this.#state.now();
    const connections: ScoreboardAnswer['connections'][number][] = [];
    for (const client of this.#state.clients) {
      if (connections.length >= 1_000) break;
      const { exchange } = client;
      const isBusy = exchange.isActive;
      connections.push({
        client: client.identity.peer.address,
        state: client.tunnel ? 'tunnel' : isBusy ? (exchange.body.isComplete ? 'sending' : 'reading') : 'idle',
        method: isBusy ? exchange.method : '',
        ...(isBusy && { host: exchange.head.host.slice(0, 300) }),
        path: isBusy ? pathOnly(exchange.head.target) : '',
        node: isBusy ? (exchange.decision.node?.id ?? '') : (client.tunnel?.node.id ?? ''),
        ageMs: isBusy ? Math.max(0, nowMs - exchange.startedMs) : 0,
      });
    }
    return { type: 'scoreboard', connections };
  }

  /**
   * Stops accepting, lets requests and upgraded connections finish for at most `graceMs`, then cuts the rest. Upgraded connections are
   * closed within this time, with the code 1012 if a successor serves already, otherwise 1001.
   *
   * From then on each answer is the last on its connection, and announces it. A connection between two requests is kept for its next
   * answer, because a close would fail a request on its way. It is kept until the grace is over if a successor accepts new connections,
   * otherwise for `LAST_REQUEST_MS`.
   */
  async close(graceMs: number, hasSuccessor = false): Promise<void> {
    const state = this.#state;
    const endMs = performance.now() + graceMs;
    state.isClosing = true;
    state.tunnelsEnd = { endMs: state.now() + graceMs, code: hasSuccessor ? 1012 : 1001 };
    for (const client of state.clients) client.tunnel?.endBy(state.tunnelsEnd);
    if (graceMs > 0 && !hasSuccessor) await Promise.all(this.#servers.map((server) => closeWhenEmpty(server)));
    else for (const server of this.#servers) server.close();
    if (!hasSuccessor) {
      if (state.admission.total > 0) await this.#untilNoClients(Math.min(graceMs, LAST_REQUEST_MS));
      state.closesIdle = true;
      for (const client of [...state.clients]) if (client.isIdle) client.endIdle();
    }
    await this.#untilNoClients(endMs - performance.now());
    this.#isClosed = true;
    this.#headers.close();
    for (const client of state.clients) client.destroy();
    state.pools.close();
    state.sweep.close();
  }

  /** Resolves after the last client connection has closed, or after `withinMs`. */
  async #untilNoClients(withinMs: number): Promise<void> {
    const state = this.#state;
    // A handshake in progress becomes a client.
    if (state.admission.total === 0 || withinMs <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#onNoClients = () => {
        if (state.admission.total > 0) return;
        this.#onNoClients = () => {};
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Closes one connection to make room: the oldest without a request, otherwise an idle one. */
function makeRoom({ clients, counters }: EngineState): void {
  const silent = clients.oldestWithoutRequest;
  if (silent === undefined) clients.firstIdle(MAX_LOOKS)?.destroy();
  else {
    counters.refusals.connections++;
    silent.destroy();
  }
}

/** Pages as latin1 text, the form in which answers are written. */
function latin1Pages(pages: ReadonlyMap<number, Uint8Array> | undefined): ReadonlyMap<number, string> {
  const texts = new Map<number, string>();
  for (const [status, octets] of pages ?? []) texts.set(status, Buffer.from(octets).toString('latin1'));
  return texts;
}
