/**
 * One WebSocket to one coordinator, from the attempt to its end. It knows frames and silence; what the messages mean
 * is the agent's matter.
 */
import type { Socket } from 'node:net';
import type { AgentMessage, CoordinatorMessage, Malformed } from '@rollcall/protocol';
import { AGENT_SUBPROTOCOL, decodeCoordinatorMessage, encode, MAX_FRAME_BYTES } from '@rollcall/protocol';
import { type ClientOptions, WebSocket } from 'ws';
import type { Timers } from './timers.ts';

/** An address that does not accept within this time is given up, in milliseconds. */
export const CONNECT_TIMEOUT_MS = 1_000;
/** One that accepts but does not upgrade is given up after this time, in milliseconds. */
const UPGRADE_TIMEOUT_MS = 5_000;
/** How long an orderly close may take, in milliseconds. */
const CLOSE_TIMEOUT_MS = 1_000;
/** A coordinator that does not read gets nothing more beyond so many waiting bytes. */
const MAX_BUFFERED_BYTES = MAX_FRAME_BYTES;
/** Silent checks in a row after which the connection is given up; three of them make up one lease. */
const SILENT_CHECKS = 3;

/** How and why a connection ended. */
export interface ConnectionEnd {
  readonly wasOpen: boolean;
  /** WebSocket close code; 1006 when there was no close frame. */
  readonly code: number;
  /** In words, for people. */
  readonly detail: string;
  /** The answer's status when the upgrade was refused. */
  readonly httpStatus?: number;
  /** What a refusal's `Retry-After` asked for, in milliseconds, at most 60,000. */
  readonly retryAfterMs?: number;
}

/** What a connection tells its agent. `onEnd` comes exactly once and last. */
export interface ConnectionListener {
  /** The upgrade succeeded; `localAddress` is our end of the connection, without brackets or zone. */
  onOpen(localAddress: string): void;
  onMessage(message: CoordinatorMessage): void;
  /** The coordinator said something that is not this protocol; it was dropped. */
  onMalformed(fault: Malformed): void;
  onEnd(end: ConnectionEnd): void;
}

export class AgentConnection {
  readonly url: string;
  readonly #timers: Timers;
  readonly #listener: ConnectionListener;
  readonly #ws: WebSocket;
  #socket: Socket | undefined;
  #cancelDeadline: () => void;
  #cancelCheck: () => void = () => {};
  #wasOpen = false;
  #isEnded = false;
  #hasHeard = false;
  #silentChecks = 0;
  #detail = '';
  #refusal: { httpStatus?: number; retryAfterMs?: number } = {};
  #onClosed: (() => void)[] = [];

  /** Starts to connect at once. */
  constructor(url: string, token: string | undefined, timers: Timers, listener: ConnectionListener) {
    this.url = url;
    this.#timers = timers;
    this.#listener = listener;
    const options: ClientOptions & { closeTimeout: number } = {
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
      closeTimeout: CLOSE_TIMEOUT_MS,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      finishRequest: (request) => {
        request.on('socket', (socket) => this.#onSocket(socket));
        request.end();
      },
    };
    this.#cancelDeadline = timers.after(CONNECT_TIMEOUT_MS, () => this.#abort(`no answer in ${CONNECT_TIMEOUT_MS} ms`));
    this.#ws = new WebSocket(url, AGENT_SUBPROTOCOL, options);
    this.#ws.on('unexpected-response', (request, response) => {
      const retryAfter = Number(response.headers['retry-after']);
      this.#refusal = {
        ...(response.statusCode === undefined ? {} : { httpStatus: response.statusCode }),
        ...(retryAfter > 0 ? { retryAfterMs: Math.min(60, retryAfter) * 1_000 } : {}),
      };
      this.#detail = `HTTP ${response.statusCode}`;
      request.destroy();
      this.#end(1006);
    });
    this.#ws.on('open', () => this.#onOpen());
    this.#ws.on('message', (data, isBinary) => this.#onMessage(data, isBinary));
    this.#ws.on('ping', () => this.#heard());
    this.#ws.on('pong', () => this.#heard());
    this.#ws.on('error', (error) => {
      this.#detail ||= reasonOf(error);
    });
    this.#ws.on('close', (code, reason) => {
      this.#detail ||= reason.toString('utf8').slice(0, 256);
      this.#end(code);
    });
  }

  /** Sends `message`; false when it was not sent because the connection is not open or does not drain. */
  send(message: AgentMessage): boolean {
    if (this.#ws.readyState !== WebSocket.OPEN || this.#ws.bufferedAmount > MAX_BUFFERED_BYTES) return false;
    this.#ws.send(encode(message));
    return true;
  }

  /** Gives the connection up when nothing is heard for `leaseMs`. Each call sets the time anew. */
  watchSilence(leaseMs: number): void {
    this.#cancelCheck();
    this.#silentChecks = 0;
    const check = () => {
      this.#cancelCheck = this.#timers.after(leaseMs / SILENT_CHECKS, check);
      // Checks are counted rather than time measured: after our own standstill one check comes, not a whole lease.
      this.#silentChecks = this.#hasHeard ? 0 : this.#silentChecks + 1;
      this.#hasHeard = false;
      if (this.#silentChecks > SILENT_CHECKS) this.#abort(`silent for ${leaseMs} ms`);
      else if (this.#ws.readyState === WebSocket.OPEN) this.#ws.ping();
    };
    check();
  }

  /** Closes in order, within a second, and keeps the process alive until that is done. A repeat does the same. */
  close(): Promise<void> {
    if (this.#isEnded) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onClosed.push(resolve);
      this.#socket?.ref();
      this.#cancelDeadline();
      this.#cancelDeadline = this.#timers.after(CLOSE_TIMEOUT_MS, () => this.#abort('closed'), { keepsProcess: true });
      if (this.#wasOpen) this.#ws.close(1000);
      else this.#abort('closed');
    });
  }

  #onSocket(socket: Socket): void {
    this.#socket = socket;
    socket.unref();
    socket.once('connect', () => {
      if (this.#isEnded || this.#wasOpen) return;
      this.#cancelDeadline();
      this.#cancelDeadline = this.#timers.after(UPGRADE_TIMEOUT_MS, () => this.#abort('accepted, but no upgrade'));
    });
  }

  #onOpen(): void {
    this.#wasOpen = true;
    this.#cancelDeadline();
    this.#socket?.unref();
    const address = (this.#socket?.localAddress ?? '').replace(/^::ffff:(?=[0-9.]+$)/i, '').replace(/%.*$/, '');
    this.#listener.onOpen(address);
  }

  #onMessage(data: unknown, isBinary: boolean): void {
    this.#heard();
    if (this.#isEnded) return;
    if (isBinary || !Buffer.isBuffer(data)) {
      this.#listener.onMalformed({ type: 'malformed', code: 'binary-frame', message: 'a binary frame' });
      return;
    }
    const message = decodeCoordinatorMessage(data.toString('utf8'));
    if (message.type === 'malformed') this.#listener.onMalformed(message);
    else this.#listener.onMessage(message);
  }

  #heard(): void {
    this.#hasHeard = true;
  }

  #abort(detail: string): void {
    this.#detail ||= detail;
    this.#ws.terminate();
    this.#end(1006);
  }

  #end(code: number): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#cancelDeadline();
    this.#cancelCheck();
    for (const resolve of this.#onClosed) resolve();
    this.#listener.onEnd({ wasOpen: this.#wasOpen, code, detail: this.#detail, ...this.#refusal });
  }
}

/** The short reason of a failed attempt: a refused connect to several addresses of a name is an AggregateError without text. */
function reasonOf(error: Error): string {
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error.message === '' ? error.name : error.message;
}
