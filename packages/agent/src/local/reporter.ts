/** A process that reports over the local socket of its node: registration, last numbers and requested status. */
import type { CoordinatorMessage, Fault, HeartbeatMessage, MetricScale, NodeRegistration } from '@rollcall/protocol';
import { CLOSE_NORMAL, decodeAgentMessage, ERROR_CODES, type ErrorCodeEntry, encode } from '@rollcall/protocol';
import type { HeartbeatReport } from '../heartbeats.ts';
import type { Timers } from '../timers.ts';
import type { WebSocket } from '../websocket.ts';
import { NO_REQUESTED_STATUS, type RequestedStatus } from './combined.ts';
import type { Refusal } from './refusal.ts';

/** Events of a reporter. */
export interface ReporterListener {
  /** Decides whether this process may report for the node. */
  judge(node: NodeRegistration): Fault | undefined;
  /** The process has registered, or registered again. */
  onRegistered(reporter: Reporter): void;
  onReport(reporter: Reporter): void;
  onRequestedStatus(reporter: Reporter): void;
  /** The process has sent `leave` (`hasLeft`), or its connection has ended. Called once, as the last event. */
  onEnd(reporter: Reporter, hasLeft: boolean): void;
}

/** Timeout of the registration after the connect, in milliseconds. */
const REGISTER_WITHIN_MS = 5_000;
/** Maximum number of unsent bytes; beyond it the connection is cut. */
const MAX_BUFFERED_BYTES = 262_144;

export class Reporter {
  readonly #ws: WebSocket;
  readonly #timers: Timers;
  readonly #listener: ReporterListener;
  readonly #cancelDeadline: () => void;
  #node: NodeRegistration | undefined;
  #report: HeartbeatReport = {};
  #scales: Readonly<Record<string, MetricScale>> | undefined;
  #reportedAtMs = Number.NEGATIVE_INFINITY;
  #requestedStatus: RequestedStatus = NO_REQUESTED_STATUS;
  #hasLeft = false;

  constructor(ws: WebSocket, timers: Timers, listener: ReporterListener) {
    this.#ws = ws;
    this.#timers = timers;
    this.#listener = listener;
    this.#cancelDeadline = timers.after(REGISTER_WITHIN_MS, () => ws.terminate());
    ws.on('message', (data, isBinary) => this.#take(isBinary ? '' : data.toString()));
    // ws sends the close code and closes the connection itself.
    ws.on('error', () => undefined);
    ws.on('close', () => {
      this.#cancelDeadline();
      if (!this.#hasLeft) listener.onEnd(this, false);
    });
  }

  /** The registration; `undefined` until it is accepted. */
  get node(): NodeRegistration | undefined {
    return this.#node;
  }

  /** The last requested status. */
  get requestedStatus(): RequestedStatus {
    return this.#requestedStatus;
  }

  /** The last numbers, with scales if `withScales`; `undefined` if they are older than `maxAgeMs`. */
  report(maxAgeMs: number, withScales: boolean): HeartbeatReport | undefined {
    if (this.#timers.nowMs() - this.#reportedAtMs > maxAgeMs) return undefined;
    return withScales && this.#scales !== undefined ? { ...this.#report, scales: this.#scales } : this.#report;
  }

  send(message: CoordinatorMessage): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    if (this.#ws.bufferedAmount > MAX_BUFFERED_BYTES) this.#ws.terminate();
    else this.#ws.send(encode(message));
  }

  /** Sends `fault` and closes with its close code; `closeCode` for a fault without one. */
  refuse(fault: Refusal, closeCode = 4400): void {
    const { code, message, holderConnected } = fault;
    this.send({ type: 'error', code, message, ...(holderConnected === undefined ? {} : { holderConnected }) });
    const entry: ErrorCodeEntry | undefined = ERROR_CODES[code as keyof typeof ERROR_CODES];
    this.#ws.close(entry?.close ?? closeCode);
  }

  close(code: number): void {
    this.#ws.close(code);
  }

  #take(text: string): void {
    if (this.#hasLeft) return;
    const message = decodeAgentMessage(text);
    if (message.type === 'malformed') this.refuse(message);
    else if (message.type === 'register') this.#register(message.node);
    else if (this.#node === undefined) this.refuse({ code: 'not-registered', message: 'register first' });
    else if (message.type === 'heartbeat') this.#heartbeat(message);
    else if (message.type === 'status') {
      const { status, reason = '', deadlineMs = 0 } = message;
      this.#requestedStatus = { status, reason, deadlineMs };
      this.#listener.onRequestedStatus(this);
    } else {
      this.#hasLeft = true;
      this.#listener.onEnd(this, true);
      this.#ws.close(CLOSE_NORMAL);
    }
  }

  #register(node: NodeRegistration): void {
    const fault = this.#listener.judge(node);
    if (fault !== undefined) {
      this.refuse(fault);
      return;
    }
    this.#cancelDeadline();
    this.#node = node;
    this.#listener.onRegistered(this);
  }

  #heartbeat({ type: _type, seq: _seq, scales, ...report }: HeartbeatMessage): void {
    this.#scales = scales ?? this.#scales;
    this.#report = report;
    this.#reportedAtMs = this.#timers.nowMs();
    this.#listener.onReport(this);
  }
}
