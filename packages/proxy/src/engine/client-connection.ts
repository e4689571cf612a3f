/**
 * One connection of a client: reads requests one at a time, and keeps the octets behind a request until its answer is complete. Owns the
 * socket and the `Exchange` that serves the requests in turn.
 *
 * The connection is always in one `ClientState`. The state decides what happens to octets that arrive, at the end of the client's side and
 * at a deadline. `#become` is the only place where the state changes. An illegal transition is an internal error: it closes this connection.
 *
 * ```
 *                        ┌─────────── no body ────────────┐
 *                        │                                ▼
 *   ┌──▶ reading-head ───┴▶ receiving-body ─ complete ─▶ answering ─ 101 ─▶ tunnelling
 *   │         ▲                 │ ▲                       ▲ │ │
 *   │         │               1 │ │ 2                     │ │ │ 3
 *   │         │                 ▼ │                       │ │ ▼
 *   │         │               waiting ◀──────── 1 ────────┼─┘ resuming
 *   │         │                   └──────────── 2 ────────┘      │
 *   │         └─────────────────── next turn ────────────────────┘
 *   └── answered ── receiving-body, waiting, answering
 * ```
 *
 * 1: no node may take the request now. 2: a node may take it. 3: answered, and octets of the next request are kept. Each state before
 * `tunnelling` becomes `lingering` after the last answer, a refusal or a long idle time, or at the end of the client's side. Each state
 * becomes `closed` when both sides are closed, after an error or a deadline, and with the engine.
 *
 * Two facts are independent of the state: the client has closed its side (`#hasEnded`), and the client does not read its answer
 * (`exchange.isClientSlow`).
 */
import type net from 'node:net';
import type tls from 'node:tls';
import type { TlsFacts } from '../ajp/forward-request.ts';
import type { RequestHead } from '../http1/request-head.ts';
import { ownEntry } from './access-entry.ts';
import type { Admission } from './admission.ts';
import { ClientDeadline, type DeadlineOwner } from './client-deadline.ts';
import { ClientIdentity, type IdentityServices } from './client-identity.ts';
import { ClientOutput } from './client-output.ts';
import type { ClientSet } from './client-set.ts';
import { type ClientState, transition } from './client-state.ts';
import { countStatus } from './counters.ts';
import type { Client, ClientTunnel } from './ends.ts';
import { failureText, refusalText } from './error-page.ts';
import { Exchange, type ExchangeServices } from './exchange.ts';
import { HeadReader, type RefusedHead } from './head-reader.ts';
import { isOperatorClient } from './operator-client.ts';
import { OPTIONS_ANSWER, type OwnAnswerServices, ownAnswer, ownAnswerText } from './own-answers.ts';
import type { OwnAnswer } from './router.ts';
import { type AcceptedHandle, sharedSocket } from './shared-read.ts';

const NOTHING: Buffer = Buffer.alloc(0);
/** A request that has been through this proxy before. */
const LOOP: RefusedHead = { status: 508, refusal: 'bad-request', why: 'this proxy is in Via', isHead: false };
const HEAD_TIMEOUT: RefusedHead = { status: 408, refusal: 'header-timeout', why: 'head timed out', isHead: false };

/** Services of the engine that a client connection uses, and passes to its exchange. */
export interface ClientServices extends ExchangeServices, IdentityServices, OwnAnswerServices {
  readonly router: ExchangeServices['router'];
  readonly clients: Pick<ClientSet<ClientConnection>, 'add' | 'onFirstRequest' | 'remove' | 'size'>;
  readonly admission: Pick<Admission, 'leave'>;
  /** The last of `clients` has gone. */
  readonly onNoClients: () => void;
  /** Accepted sockets can be made to read into `readBuffer`. The engine finds it out when it starts. */
  readonly canRewrap: boolean;
  /** HTML of the operator's own pages by status, latin1 text standing for octets. */
  readonly errorPages: ReadonlyMap<number, string>;
  /** While closing: connections between two requests are closed, without waiting for one more request. */
  readonly closesIdle: boolean;
}

export class ClientConnection implements Client, DeadlineOwner {
  readonly socket: net.Socket;
  readonly output: ClientOutput;
  readonly identity: ClientIdentity;
  readonly exchange: Exchange;
  readonly #services: ClientServices;
  readonly #reader: HeadReader;
  readonly #deadline: ClientDeadline;
  #state: ClientState = 'reading-head';
  /** Set while `tunnelling`. */
  #tunnel: ClientTunnel | undefined;
  /** Octets read and not yet used: the next requests, or the body of a request that waits. Empty in `reading-head`. */
  #pending: Buffer = NOTHING;
  #hasEnded = false;
  /** Requests begun on it. */
  #requests = 0;

  /** Takes over `accepted`. If possible, its handle gets a socket that reads into the shared buffer. `address` is the client's. */
  constructor(accepted: net.Socket | tls.TLSSocket | AcceptedHandle, address: string, services: ClientServices) {
    this.#services = services;
    const { readBuffer } = services;
    const shared = sharedSocket(accepted, readBuffer.octets, (bytes) => this.#onData(readBuffer.view(bytes)), services);
    const socket = shared ?? (accepted as net.Socket);
    this.socket = socket;
    this.output = new ClientOutput(socket, shared !== undefined, () => this.#onDrained(), services);
    this.#reader = new HeadReader(services.limits);
    const { head } = this.#reader;
    this.identity = new ClientIdentity(address, 'encrypted' in accepted ? 'https' : 'http', head, services);
    this.exchange = new Exchange(this, head, services);
    this.#deadline = new ClientDeadline(this, services.limits, services.now());
    services.clients.add(this);
    services.sweep.add(this.#deadline);
    services.counters.connections++;
    services.counters.accepted++;
    socket.setNoDelay(true);
    if (shared === undefined) socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('drain', () => this.#onDrained());
    socket.on('end', () => this.#onEnd());
    socket.on('error', () => this.destroy());
    socket.on('close', () => this.#onClosed());
  }

  // ---- state

  /** Changes the state. After an illegal transition the connection is closed and the result is false; nothing is thrown. */
  #become(next: ClientState): boolean {
    try {
      this.#state = transition(this.#state, next);
      return true;
    } catch (error) {
      const fields = { client: this.identity.peer.address, from: this.#state, to: next };
      this.#services.log?.warn(fields, `internal error: ${(error as Error).message}; closing the connection`);
      this.destroy();
      return false;
    }
  }

  /** True between requests, while no part of a head has arrived. */
  get isIdle(): boolean {
    return this.#state === 'reading-head' && !this.#reader.hasPart;
  }

  get tunnel(): ClientTunnel | undefined {
    return this.#tunnel;
  }

  /** Octets that were read from the socket before this connection took it over. */
  receive(octets: Buffer): void {
    if (octets.length > 0) this.#onData(octets);
  }

  // ---- events of the socket

  #onData(chunk: Buffer): void {
    this.#services.counters.bytesIn += chunk.length;
    switch (this.#state) {
      case 'reading-head':
        this.#readRequests(this.#reader.join(chunk));
        return;
      case 'receiving-body':
        this.#onBody(chunk);
        return;
      case 'answering':
      case 'waiting':
      case 'resuming':
        this.#keep(chunk);
        return;
      case 'tunnelling':
        this.#tunnel?.toNode(chunk);
        return;
      case 'lingering':
        this.#deadline.onDiscarded(chunk.length);
        return;
      case 'closed':
        return;
      default:
        this.#state satisfies never;
    }
  }

  /** The client has closed its side. It may still read. */
  #onEnd(): void {
    this.#hasEnded = true;
    switch (this.#state) {
      case 'reading-head':
        this.#linger();
        return;
      case 'receiving-body':
      case 'waiting':
        this.destroy();
        return;
      case 'answering':
        if (!this.exchange.isClientSlow) this.#deadline.startHalfClosed(this.#services.now());
        return;
      case 'tunnelling':
        this.#tunnel?.onClientEnd();
        return;
      case 'lingering':
        this.output.destroySoon();
        return;
      case 'resuming':
      case 'closed':
        return;
      default:
        this.#state satisfies never;
    }
  }

  onDeadline(nowMs: number): void {
    switch (this.#state) {
      case 'reading-head':
      case 'resuming':
        this.#onIdleDeadline();
        return;
      case 'receiving-body':
      case 'answering':
        this.#onExchangeDeadline(nowMs);
        return;
      case 'waiting':
        this.exchange.askAgain(true);
        return;
      case 'lingering':
        if (!this.#deadline.mayLinger(this.output.hasQueued, nowMs)) this.destroy();
        return;
      case 'tunnelling':
      case 'closed':
        return;
      default:
        this.#state satisfies never;
    }
  }

  #onIdleDeadline(): void {
    if (this.#reader.hasPart) this.#refuse(HEAD_TIMEOUT);
    else {
      if (this.#requests === 0) this.#services.counters.refusals['header-timeout']++;
      this.#linger();
    }
  }

  #onExchangeDeadline(nowMs: number): void {
    const { exchange } = this;
    if (exchange.isClientSlow) {
      this.#services.counters.refusals['client-stall']++;
      this.cut(true);
    } else if (this.#hasEnded) {
      if (!this.#deadline.mayStayHalfClosed(this.output.bytesOut, nowMs)) this.destroy();
    } else if (exchange.isClientDue) {
      if (this.socket.isPaused()) this.#startBody(nowMs);
      else exchange.onBodyTimeout();
    }
  }

  #onDrained(): void {
    const { exchange } = this;
    if (this.#tunnel !== undefined) this.#tunnel.onClientDrained();
    if (!exchange.isClientSlow) return;
    exchange.onClientDrained();
    if (this.#hasEnded) this.#deadline.startHalfClosed(this.#services.now());
    else if (exchange.isClientDue) this.#startBody(this.#services.now());
    else this.#deadline.stop();
  }

  #onClosed(): void {
    // An orderly close: octets on their way to the node still get there.
    if (this.#hasEnded && !this.socket.errored) this.#tunnel?.onClientClosed(true);
    this.destroy();
  }

  // ---- requests

  /** Reads requests until one has to be waited for. `octets` begin where a request does. */
  #readRequests(octets: Buffer): void {
    const { now } = this.#services;
    while (octets.length > 0) {
      const found = this.#reader.readHead(octets);
      if (found !== 'whole') {
        if (found === 'begun') this.#deadline.startHead(now());
        else if (typeof found === 'object') this.#refuse(found);
        return;
      }
      const next = this.#begin(octets, this.#reader.bodyStart, now());
      octets = next < octets.length ? octets.subarray(next) : NOTHING;
      if (this.#state !== 'reading-head') break;
    }
    if (octets.length > 0 && this.exchange.isActive) this.#keep(octets);
  }

  /** Begins a request. Returns where it ended in `octets`. */
  #begin(octets: Buffer, bodyStart: number, nowMs: number): number {
    const { exchange, identity } = this;
    const { head } = exchange;
    this.#deadline.stop();
    if (++this.#requests === 1) this.#services.clients.onFirstRequest(this);
    if (this.#requests >= this.#services.limits.maxRequestsPerConnection) head.keepsAlive = false;
    identity.onHead();
    const answer = ownAnswer(head, this.#services, nowMs);
    if (answer === undefined && identity.isLoop) {
      this.#refuse({ ...LOOP, isHead: head.method === 'HEAD' }, head);
      return octets.length;
    }
    if (answer !== undefined || head.maxForwards === 0) {
      this.#answerItself(answer ?? OPTIONS_ANSWER, nowMs);
      return bodyStart;
    }
    if (!this.#become(head.bodyLength === 0 ? 'answering' : 'receiving-body')) return octets.length;
    const end = exchange.begin(octets, bodyStart, nowMs);
    if (this.#state === 'receiving-body') {
      if (exchange.body.isComplete) this.#become('answering');
      else if (exchange.isClientDue) this.#startBody(nowMs);
    }
    return end;
  }

  #startBody(nowMs: number): void {
    this.#deadline.startBody(this.exchange.limits.bodyTimeoutMs, nowMs);
  }

  #onBody(chunk: Buffer): void {
    const { exchange } = this;
    const end = exchange.readBody(chunk, 0);
    if (this.#state === 'receiving-body') {
      const { isComplete } = exchange.body;
      if (!exchange.isClientSlow) {
        if (isComplete) this.#deadline.stop();
        else this.#deadline.extendBody(end, exchange.limits.bodyTimeoutMs, this.#services.now());
      }
      if (isComplete) this.#become('answering');
    }
    if (end === chunk.length) return;
    // An answer that the node had sent before it closed may have ended the exchange within `readBody`.
    if (this.#state === 'reading-head') this.#readRequests(chunk.subarray(end));
    else if (exchange.isActive) this.#keep(chunk.subarray(end));
  }

  /** Keeps octets behind the present request, up to the size of one head; then the client is paused. */
  #keep(chunk: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    const mayHold = this.#state !== 'waiting' || this.exchange.mayHold(chunk.length);
    if (!mayHold || this.#pending.length > this.#services.limits.maxFieldBytes) this.pause();
  }

  get tlsFacts(): TlsFacts | undefined {
    const { socket } = this;
    if (!('encrypted' in socket) || this.identity.peer.isTrusted) return undefined;
    const { standardName } = (socket as tls.TLSSocket).getCipher();
    return {
      protocol: (socket as tls.TLSSocket).getProtocol() ?? '',
      cipher: standardName,
      keyBits: Number(/_(128|256)_/.exec(standardName)?.[1] ?? (standardName.includes('CHACHA20') ? 256 : 0)),
    };
  }

  get pendingBytes(): number {
    return this.#pending.length;
  }

  #takePending(): Buffer {
    const octets = this.#pending;
    this.#pending = NOTHING;
    return octets;
  }

  // ---- answers of the proxy itself

  #answerItself(answer: OwnAnswer, nowMs: number): void {
    const { head } = this.exchange;
    const keepsAlive = head.keepsAlive && head.bodyLength === 0 && !this.#services.isClosing;
    const requestId = this.#services.requestIds.of(head);
    const text = ownAnswerText(answer, head, requestId, keepsAlive);
    this.output.write(text);
    const result = { status: Number(text.slice(9, 12)), bytesOut: text.length, requestId };
    this.#services.onAccess?.(ownEntry(this.identity, head, result));
    this.onExchangeEnd(keepsAlive, nowMs);
  }

  /** An error of the proxy as the answer to the present exchange. `limit`: the limit that ended it, for operators. */
  answer(status: number, requestId: string, limit?: string): void {
    const { head, decision } = this.exchange;
    const { errorPages, router, now } = this.#services;
    const detail = isOperatorClient(this.identity.peer, head)
      ? (router.operatorDetail?.(decision, { status, head, limit, nowMs: now() }) ?? '')
      : '';
    this.output.write(failureText(head, status, requestId, errorPages.get(status) ?? '', detail));
  }

  /** Refuses octets that are not an acceptable request, and closes. `head`: the request, if it could be read. */
  #refuse({ status, refusal, why, isHead }: RefusedHead, head?: RequestHead): void {
    const { counters, log, onAccess, recorder, requestIds, now } = this.#services;
    const requestId = head === undefined ? requestIds.next() : requestIds.of(head);
    log?.debug({ client: this.identity.peer.address, requestId, why }, 'request refused');
    counters.refusals[refusal]++;
    countStatus(counters.statusClasses, status);
    const text = refusalText(status, requestId, isHead);
    this.output.write(text);
    recorder?.refused(requestId, head, status, why, now());
    onAccess?.(ownEntry(this.identity, head, { status, bytesOut: text.length, requestId }));
    this.#linger();
  }

  // ---- reports of the exchange

  onExchangeEnd(keepsAlive: boolean, nowMs: number): void {
    if (this.#state === 'closed') return;
    const hasNext = this.#pending.length > 0;
    if (!keepsAlive || this.#services.closesIdle || (this.#hasEnded && !hasNext)) {
      this.#linger();
      return;
    }
    if (!this.#become(hasNext ? 'resuming' : 'reading-head')) return;
    this.#deadline.startIdle(nowMs);
    this.resume();
    // Not from inside the answer: long pipelines would recurse.
    if (hasNext) setImmediate(() => this.#resumeRequests());
  }

  #resumeRequests(): void {
    if (this.#state !== 'resuming' || !this.#become('reading-head')) return;
    const octets = this.#takePending();
    this.resume();
    this.#readRequests(octets);
    if (this.#hasEnded) this.#onEnd();
  }

  /** The request waits for a node, until `untilMs` at most. */
  onParked(untilMs: number): void {
    if (this.#become('waiting')) this.#deadline.startAt(untilMs);
  }

  /** The request waits no longer. Its body may have arrived in the meantime. */
  onUnparked(nowMs: number): void {
    const { exchange } = this;
    if (this.#state !== 'waiting' || exchange.isWaiting) return;
    const { isComplete } = exchange.body;
    if (!this.#become(isComplete ? 'answering' : 'receiving-body')) return;
    this.#deadline.stop();
    this.resume();
    if (isComplete) return;
    this.#startBody(nowMs);
    const octets = this.#takePending();
    if (octets.length > 0) this.#onBody(octets);
  }

  becomeTunnel(tunnel: ClientTunnel): void {
    this.#tunnel = tunnel;
    if (!this.#become('tunnelling')) return;
    this.#deadline.stop();
    this.resume();
    const octets = this.#takePending();
    if (octets.length > 0) tunnel.toNode(octets);
    if (this.#hasEnded) tunnel.onClientEnd();
  }

  /** The client does not read the answer. */
  onSlow(): void {
    this.#deadline.startStall(this.#services.now());
  }

  /** The node has sent 100: the client may send the body. */
  onContinue(): void {
    if (this.exchange.isClientDue) this.#startBody(this.#services.now());
  }

  // ---- reading

  pause(): void {
    if (this.#state !== 'lingering') this.socket.pause();
  }

  resume(): void {
    if (!this.socket.isPaused()) return;
    this.socket.resume();
    // The time for the body did not run while the client was paused.
    if (this.#state === 'receiving-body' && this.exchange.isClientDue) this.#startBody(this.#services.now());
  }

  // ---- end

  /** Closes it between two requests. A request that is on its way then is not reset: the client sees an orderly end. */
  endIdle(): void {
    this.#linger();
  }

  /** Closes the proxy's side and lets the client read the last answer: an immediate close could reset it (RFC 9112 §9.6). */
  #linger(): void {
    if (!this.#become('lingering')) return;
    this.exchange.closeBound();
    this.#pending = NOTHING;
    this.#reader.clear();
    this.#deadline.startLinger(this.#services.now());
    this.resume();
    if (this.#hasEnded) this.output.destroySoon();
    else this.output.end();
  }

  /** Ends the connection within an answer; `isReset`: only a reset shows that the answer is incomplete. */
  cut(isReset: boolean): void {
    if (this.#state === 'closed') return;
    if (!isReset) {
      this.#linger();
      return;
    }
    this.output.reset();
    this.destroy();
  }

  destroy(): void {
    if (this.#state === 'closed') return;
    this.#become('closed');
    const { clients, admission, sweep, counters, onNoClients } = this.#services;
    const { peer } = this.identity;
    clients.remove(this);
    if (peer.scheme === 'http') admission.leave(peer.address, peer.isTrusted);
    sweep.remove(this.#deadline);
    counters.connections--;
    this.exchange.abort();
    this.#tunnel?.onClientClosed(false);
    this.output.destroy();
    if (clients.size === 0) onNoClients();
  }
}
