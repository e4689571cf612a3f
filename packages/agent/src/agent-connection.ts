/**
 * One WebSocket to one coordinator, from the attempt to its end. It handles frames and detects silence; the agent handles
 * the messages.
 */
import type { IncomingMessage } from 'node:http';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import type { AgentMessage, CoordinatorMessage, Malformed } from '@rollcall/protocol';
import {
  AGENT_SUBPROTOCOL,
  COORDINATOR_ID_HEADER,
  decodeCoordinatorMessage,
  encode,
  isCoordinatorId,
  MAX_FRAME_BYTES,
} from '@rollcall/protocol';
import { plainAddress } from './announced-address.ts';
import type { ClientTls } from './client-tls.ts';
import {
  connectCause,
  MAX_REFUSAL_BODY,
  type Refusal,
  readRefusal,
  refusalCause,
  type Shown,
} from './connect-cause.ts';
import type { Timers } from './timers.ts';
import { type ClientOptions, WebSocket } from './websocket.ts';

/** Timeout of the connect to one address, in milliseconds. */
export const CONNECT_TIMEOUT_MS = 1_000;
/** Timeout of the TLS handshake and the upgrade after the connect, in milliseconds. */
const UPGRADE_TIMEOUT_MS = 5_000;
/** Time limit for reading the body of a refusal, in milliseconds. */
const REFUSAL_TIMEOUT_MS = 1_000;
/** Timeout of an orderly close, in milliseconds. */
const CLOSE_TIMEOUT_MS = 1_000;
/** Above this many unsent bytes, messages are dropped: the coordinator does not read. */
const MAX_BUFFERED_BYTES = MAX_FRAME_BYTES;
/** Checks in the time after which a silent connection is aborted. */
const SILENT_CHECKS = 3;

/** How and why a connection ended. */
export interface ConnectionEnd {
  readonly wasOpen: boolean;
  /** WebSocket close code; 1006 when there was no close frame. */
  readonly code: number;
  /** Reason for the log; of a connection that was never open: cause and remedy. */
  readonly detail: string;
  /** HTTP status of the response if the upgrade was refused. */
  readonly httpStatus?: number;
  /** Code of the coordinator's refusal; absent if the response is not from a coordinator. */
  readonly refusalCode?: string;
  /** `Retry-After` of a refusal, in milliseconds, at most 60,000. */
  readonly retryAfterMs?: number;
}

/** Events of a connection. `onEnd` is called exactly once, as the last event. */
export interface ConnectionListener {
  /**
   * The upgrade succeeded. The addresses are the ends of the connection, without brackets or zone, empty when unknown.
   * `coordinatorId` is the id in the answer to the upgrade.
   */
  onOpen(localAddress: string, remoteAddress: string, coordinatorId: string | undefined): void;
  onMessage(message: CoordinatorMessage): void;
  /** A message did not match the protocol, and was dropped. */
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
  #coordinatorId: string | undefined;
  #detail = '';
  #isSecure = false;
  #refusal: Pick<ConnectionEnd, 'httpStatus' | 'refusalCode' | 'retryAfterMs'> = {};
  #onClosed: (() => void)[] = [];

  /**
   * Starts to connect at once. `address` is the IP address of the host name of `url`; without it the name is looked up
   * within the connect timeout. A literal address and a UNIX socket (`ws+unix:PATH:/v1/agent`) need no `address`. `tls` is
   * used for `wss` only.
   */
  constructor(
    url: string,
    token: string | undefined,
    timers: Timers,
    listener: ConnectionListener,
    address: string | undefined = undefined,
    tls: ClientTls | undefined = undefined,
  ) {
    this.url = url;
    this.#timers = timers;
    this.#listener = listener;
    const options: ClientOptions & { closeTimeout: number; lookup?: LookupFunction } = {
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
      closeTimeout: CLOSE_TIMEOUT_MS,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      finishRequest: (request) => {
        request.on('socket', (socket) => this.#onSocket(socket));
        request.end();
      },
      // The host is still the name: `Host`, SNI and the verification of the certificate use it.
      ...(address === undefined ? {} : { lookup: lookUpAs(address) }),
      // The types of ws have an older signature of checkServerIdentity.
      ...(tls?.options as object | undefined),
    };
    const shown = { hasToken: token !== undefined, hasCertificate: tls?.hasCertificate === true };
    this.#cancelDeadline = timers.after(CONNECT_TIMEOUT_MS, () =>
      this.#abort(`no answer in ${CONNECT_TIMEOUT_MS / 1_000} s`),
    );
    this.#ws = new WebSocket(url, AGENT_SUBPROTOCOL, options);
    this.#ws.on('unexpected-response', (request, response) =>
      this.#onRefusal(response, shown, () => request.destroy()),
    );
    this.#ws.on('upgrade', ({ headers }) => {
      const id = [headers[COORDINATOR_ID_HEADER]].flat()[0];
      if (id !== undefined && isCoordinatorId(id)) this.#coordinatorId = id;
    });
    this.#ws.on('open', () => this.#onOpen());
    this.#ws.on('message', (data, isBinary) => this.#onMessage(data, isBinary));
    this.#ws.on('ping', () => this.#heard());
    this.#ws.on('pong', () => this.#heard());
    this.#ws.on('error', (error) => {
      this.#detail ||= this.#wasOpen ? reasonOf(error) : connectCause(error, url);
    });
    this.#ws.on('close', (code, reason) => {
      this.#detail ||= reason.toString('utf8').slice(0, 256);
      this.#end(code);
    });
  }

  /** Sends `message`. False if it was dropped, because the connection is not open or has too many unsent bytes. */
  send(message: AgentMessage): boolean {
    if (this.#ws.readyState !== WebSocket.OPEN || this.#ws.bufferedAmount > MAX_BUFFERED_BYTES) return false;
    this.#ws.send(encode(message));
    return true;
  }

  /**
   * Aborts the connection when nothing was received for `silentMs`. Sends a ping at each of `checks` in this time. Each call
   * restarts the time.
   */
  watchSilence(silentMs: number, checks: number = SILENT_CHECKS): void {
    this.#cancelCheck();
    this.#silentChecks = 0;
    const check = () => {
      this.#cancelCheck = this.#timers.after(silentMs / checks, check);
      // Counts checks instead of time: after a pause of this process one check is overdue, not the whole time.
      this.#silentChecks = this.#hasHeard ? 0 : this.#silentChecks + 1;
      this.#hasHeard = false;
      if (this.#silentChecks > checks) this.#abort(`silent for ${silentMs} ms`);
      else if (this.#ws.readyState === WebSocket.OPEN) this.#ws.ping();
    };
    check();
  }

  /** Closes with a close frame, within 1 s, and keeps the process alive until then. A repeated call waits for the same close. */
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
      this.#cancelDeadline = this.#timers.after(UPGRADE_TIMEOUT_MS, () => this.#abort(this.#stalledCause()));
    });
    socket.once('secureConnect', () => {
      this.#isSecure = true;
    });
  }

  #stalledCause(): string {
    const what = this.url.startsWith('wss:') && !this.#isSecure ? 'TLS handshake' : 'answer to the upgrade';
    return `connected, but no ${what} in ${UPGRADE_TIMEOUT_MS / 1_000} s: not a Rollcall port?`;
  }

  /** Reads the body for the coordinator's code, up to `MAX_REFUSAL_BODY` characters. */
  #onRefusal(response: IncomingMessage, shown: Shown, destroy: () => void): void {
    const status = response.statusCode ?? 0;
    const retryAfter = Number(response.headers['retry-after']);
    let body = '';
    const finish = () => {
      if (this.#isEnded) return;
      const header = (name: string) => [response.headers[name]].flat()[0];
      const refusal: Refusal = readRefusal(status, header, body);
      this.#refusal = {
        httpStatus: status,
        ...(refusal.code === undefined ? {} : { refusalCode: refusal.code }),
        ...(retryAfter > 0 ? { retryAfterMs: Math.min(60, retryAfter) * 1_000 } : {}),
      };
      this.#detail ||= refusalCause(refusal, this.url, shown);
      destroy();
      this.#end(1006);
    };
    this.#cancelDeadline();
    this.#cancelDeadline = this.#timers.after(REFUSAL_TIMEOUT_MS, finish);
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      body += text;
      if (body.length >= MAX_REFUSAL_BODY) finish();
    });
    for (const event of ['end', 'error', 'close']) response.on(event, finish);
  }

  #onOpen(): void {
    this.#wasOpen = true;
    this.#cancelDeadline();
    this.#socket?.unref();
    const [local, remote] = [this.#socket?.localAddress, this.#socket?.remoteAddress];
    this.#listener.onOpen(plainAddress(local), plainAddress(remote), this.#coordinatorId);
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

/** Answers each look-up with `address`. */
function lookUpAs(address: string): LookupFunction {
  const family = isIP(address);
  return (_, options, callback) => {
    const answer = () => (options.all ? callback(null, [{ address, family }]) : callback(null, address, family));
    process.nextTick(answer);
  };
}

/** The short reason of a lost connection. */
function reasonOf(error: Error): string {
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error.message === '' ? error.name : error.message;
}
