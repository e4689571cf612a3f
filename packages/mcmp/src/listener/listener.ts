/**
 * The listener for MCMP on `net` or `tls`. It owns the sockets and their timers. Each connection has one request at a time in progress;
 * pipelined requests wait unread. Bounds: connections in all and per address, requests per second of an address, octets per request
 * (wire/), time for one request, idle time.
 */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { type Answer, faults } from '../answers/answer.ts';
import { type Message, readMessage } from '../messages/message.ts';
import { RequestReader } from '../wire/request-reader.ts';
import { CONTINUE, writeAnswer, writeFault } from '../wire/response.ts';

/** The owner of one connection, as `admit` has made it. */
export interface Session {
  /** Answers one message. Messages of a connection come one after the other. */
  answer(message: Message): Promise<Answer>;
  /** The connection has closed. */
  closed(): void;
}

export interface ListenerOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Default: without TLS. */
  readonly tls?: TlsOptions;
  /** Admits a connection, or refuses it. It is then closed without an answer. Called after the TLS handshake. */
  admit(socket: Socket): Session | undefined;
  /** An answer has thrown, which is a bug. Its connection ends with a fault; the others continue. */
  onBug(error: unknown): void;
  readonly bounds?: Partial<ListenerBounds>;
  /** Monotonic clock of the rate, milliseconds. Default: that of the process. */
  readonly nowMs?: () => number;
}

export interface ListenerBounds {
  /** Default 1,000. */
  readonly maxConnections: number;
  /** Per remote address. Default 512: each node keeps one, and all nodes of a host or behind a NAT have one address. */
  readonly maxOfAddress: number;
  /** Requests of one remote address per second; further ones wait. A node that registers sends about five. Default 500. */
  readonly perSecond: number;
  /** Time from the first octet of a request to its end, milliseconds. Default 10,000. */
  readonly requestMs: number;
  /** Time without any octet, milliseconds. A node reports every 10 s. Default 120,000. */
  readonly idleMs: number;
}

const DEFAULT_BOUNDS: ListenerBounds = {
  maxConnections: 1_000,
  maxOfAddress: 512,
  perSecond: 500,
  requestMs: 10_000,
  idleMs: 120_000,
};
/** Time for a peer to read the last answer before its connection is destroyed, milliseconds. */
const LAST_ANSWER_MS = 1_000;
/** Octets of requests that wait unread; the socket is paused above it. */
const MAX_WAITING = 65_536;

export interface Listener {
  readonly address: { readonly host: string; readonly port: number };
  /** The server, for example to replace its certificate. */
  readonly server: Server;
  /** Number of open connections. */
  readonly size: number;
  /** Stops listening, destroys all connections. */
  close(): Promise<void>;
}

/** Listens, and resolves when the address is bound. Rejects if it cannot be bound. */
export async function listenMcmp(options: ListenerOptions): Promise<Listener> {
  const bounds = { ...DEFAULT_BOUNDS, ...options.bounds };
  const { nowMs = () => performance.now() } = options;
  const open = new Set<Socket>();
  const senders = new Map<string, Sender>();
  const onSocket = (socket: Socket): void => {
    const address = socket.remoteAddress ?? '';
    const sender = senders.get(address) ?? { connections: 0, requests: 0, secondAtMs: 0 };
    if (sender.connections >= bounds.maxOfAddress || open.size >= bounds.maxConnections) {
      socket.destroy();
      return;
    }
    open.add(socket);
    sender.connections += 1;
    senders.set(address, sender);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      open.delete(socket);
      sender.connections -= 1;
      if (sender.connections === 0) senders.delete(address);
    });
    const session = options.admit(socket);
    if (session) new Connection(socket, session, { sender, bounds, nowMs, onBug: (error) => options.onBug(error) });
    else socket.destroy();
  };
  const { tls } = options;
  const half = { allowHalfOpen: true };
  const server = tls ? createTlsServer({ ...tls, ...half }, onSocket) : createServer(half, onSocket);
  // A little above the bound, so that a TLS handshake does not wait for a place that no connection gives up.
  server.maxConnections = bounds.maxConnections + bounds.maxOfAddress;
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('not a TCP address');
  return {
    address: { host: bound.address, port: bound.port },
    server,
    get size() {
      return open.size;
    },
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

/** One remote address. */
interface Sender {
  connections: number;
  /** Requests of the present second. */
  requests: number;
  secondAtMs: number;
}

interface Limits {
  readonly sender: Sender;
  readonly bounds: ListenerBounds;
  readonly nowMs: () => number;
  readonly onBug: (error: unknown) => void;
}

class Connection {
  readonly #socket: Socket;
  readonly #session: Session;
  readonly #sender: Sender;
  readonly #nowMs: () => number;
  readonly #bounds: ListenerBounds;
  readonly #onBug: (error: unknown) => void;
  readonly #reader = new RequestReader();
  #isBusy = false;
  #hasEnded = false;
  #requestTimer: NodeJS.Timeout | undefined;
  #waitTimer: NodeJS.Timeout | undefined;

  constructor(socket: Socket, session: Session, { sender, bounds, nowMs, onBug }: Limits) {
    this.#socket = socket;
    this.#session = session;
    this.#sender = sender;
    this.#nowMs = nowMs;
    this.#bounds = bounds;
    this.#onBug = onBug;
    socket.setEncoding('latin1');
    socket.setNoDelay(true);
    socket.setTimeout(bounds.idleMs, () => socket.destroy());
    socket.on('data', (text: string) => {
      this.#reader.push(text);
      if (this.#reader.pending > MAX_WAITING) socket.pause();
      this.#start();
    });
    // The peer sends nothing more; what it has sent is answered.
    socket.once('end', () => {
      this.#hasEnded = true;
      if (!this.#isBusy) socket.end();
    });
    socket.once('close', () => {
      clearTimeout(this.#requestTimer);
      clearTimeout(this.#waitTimer);
      session.closed();
    });
  }

  #start(): void {
    if (this.#isBusy || this.#waitTimer !== undefined) return;
    this.#isBusy = true;
    this.#work().catch((error: unknown) => {
      this.#onBug(error);
      if (!this.#isOver()) this.#end(writeAnswer(faults.internal, false));
    });
  }

  async #work(): Promise<void> {
    while (!this.#isOver() && !this.#mustWait()) {
      const request = this.#reader.next();
      if (request === undefined) break;
      if (request.type === 'continue') {
        this.#socket.write(CONTINUE, 'latin1');
        continue;
      }
      clearTimeout(this.#requestTimer);
      this.#requestTimer = undefined;
      if (request.type === 'fault') {
        this.#end(writeFault(request.status));
        return;
      }
      this.#sender.requests += 1;
      const message = readMessage(request);
      if (message === undefined) {
        this.#end(writeFault(501));
        return;
      }
      const answer = message.type === 'fault' ? message : await this.#session.answer(message);
      if (this.#isOver()) return;
      const isKept = request.isKeptAlive && answer.type === 'body';
      const text = writeAnswer(answer, isKept);
      if (!isKept) {
        this.#end(text);
        return;
      }
      if (!this.#socket.write(text, 'latin1')) await drained(this.#socket);
    }
    this.#isBusy = false;
    if (this.#isOver()) return;
    if (this.#reader.pending <= MAX_WAITING) this.#socket.resume();
    if (this.#waitTimer !== undefined) return;
    if (this.#hasEnded) this.#socket.end();
    else if (this.#reader.isInside && this.#requestTimer === undefined)
      this.#requestTimer = setTimeout(() => this.#socket.destroy(), this.#bounds.requestMs);
  }

  #isOver(): boolean {
    return this.#socket.destroyed || this.#socket.writableEnded;
  }

  /** Above the rate the next request waits for the next second. */
  #mustWait(): boolean {
    const nowMs = this.#nowMs();
    const sender = this.#sender;
    if (nowMs - sender.secondAtMs >= 1_000) {
      sender.secondAtMs = nowMs;
      sender.requests = 0;
    }
    if (sender.requests < this.#bounds.perSecond) return false;
    this.#waitTimer = setTimeout(
      () => {
        this.#waitTimer = undefined;
        this.#start();
      },
      Math.max(1, sender.secondAtMs + 1_000 - nowMs),
    );
    return true;
  }

  /** The last answer. Unread requests are discarded: to destroy the socket at once could reset the connection before the peer has read it. */
  #end(text: string): void {
    const socket = this.#socket;
    socket.removeAllListeners('data');
    socket.resume();
    socket.end(text, 'latin1');
    this.#requestTimer = setTimeout(() => socket.destroy(), LAST_ANSWER_MS);
  }
}

/** Resolves when the socket can be written again, or is closed. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      socket.removeListener('drain', end);
      socket.removeListener('close', end);
      resolve();
    };
    socket.once('drain', end);
    socket.once('close', end);
  });
}
