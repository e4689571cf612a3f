/**
 * Connections of listeners with the PROXY protocol, from their start to the end of its header. Only trusted proxies may send one, and each
 * of them has to: it may name any client. Other listeners never come here.
 */
import type net from 'node:net';
import { durationText } from '@rollcall/protocol';
import { readProxyHeader } from '../http1/proxy-header.ts';
import type { Counters } from './counters.ts';
import type { Deadlined } from './deadline-sweep.ts';
import type { EngineLog, Timing } from './shared-services.ts';

/** A listener by the option of `rollcall up` that opens it. */
export type ProxyProtocolListener = 'proxy' | 'tls';

export const PROXY_PROTOCOL_LISTENERS: readonly ProxyProtocolListener[] = ['proxy', 'tls'];

/** Time between two log lines about refused connections of one kind at one listener, milliseconds. */
const QUIET_MS = 10_000;
const NOTHING: Buffer = Buffer.alloc(0);

/** The result of a connection: the client's address (`''`: the peer's counts) and the octets behind the header. */
export type OnHeader = (address: string, rest: Buffer) => void;

export interface ProxyHeaderServices extends Pick<Timing, 'now' | 'sweep' | 'limits'> {
  readonly counters: Pick<Counters, 'refusals' | 'proxyHeaderRefusals' | 'bytesIn'>;
  readonly log?: EngineLog | undefined;
}

export class ProxyHeaders {
  readonly #listeners: readonly ProxyProtocolListener[];
  readonly #services: ProxyHeaderServices;
  readonly #readers = new Set<HeaderReader>();
  /** When the last line with a remedy was logged, and the refused connections since then. */
  readonly #lines = new Map<string, { loggedAtMs: number; unlogged: number }>();

  constructor(listeners: readonly ProxyProtocolListener[], services: ProxyHeaderServices) {
    this.#listeners = listeners;
    this.#services = services;
  }

  /** True if connections to `listener` begin with a header. */
  isFor(listener: ProxyProtocolListener): boolean {
    return this.#listeners.includes(listener);
  }

  /** A connection of a peer that is no trusted proxy is about to be closed. */
  refuse(peer: string, listener: ProxyProtocolListener): void {
    this.#refuse(
      `connection from ${peer} to --${listener} closed: the peer is no trusted proxy`,
      `add it to --trusted-proxy, or remove ${listener} from --proxy-protocol`,
    );
  }

  /** Reads the header of a trusted peer. Either `onHeader` or `onClosed` is called, once, and not before this has returned. */
  read(
    socket: net.Socket,
    peer: string,
    listener: ProxyProtocolListener,
    { onHeader, onClosed }: { readonly onHeader: OnHeader; readonly onClosed: () => void },
  ): void {
    const { sweep, counters } = this.#services;
    const reader = new HeaderReader(socket, this.#services, (end) => {
      this.#readers.delete(reader);
      sweep.remove(reader);
      counters.bytesIn += end.length;
      if ('rest' in end) {
        onHeader(end.address, end.rest);
        return;
      }
      if (end.why !== '')
        this.#refuse(
          `connection from trusted proxy ${peer} to --${listener} closed: ${end.why}`,
          `let the proxy send one (HAProxy: send-proxy-v2), or remove ${listener} from --proxy-protocol`,
          end.why,
        );
      onClosed();
    });
    this.#readers.add(reader);
    sweep.add(reader);
  }

  /** Lines of one `cause` and remedy are limited. */
  #refuse(what: string, remedy: string, cause = ''): void {
    const { counters, now, log } = this.#services;
    counters.proxyHeaderRefusals++;
    const nowMs = now();
    const key = `${cause} ${remedy}`;
    const line = this.#lines.get(key);
    if (line !== undefined && nowMs - line.loggedAtMs < QUIET_MS) {
      line.unlogged++;
      return;
    }
    const unlogged = line?.unlogged ?? 0;
    log?.warn(
      { ...(unlogged > 0 && { unlogged }) },
      `${what}; ${remedy}${unlogged > 0 ? `; ${unlogged} more were not logged` : ''}`,
    );
    if (this.#lines.size >= MAX_LINES) this.#lines.clear();
    this.#lines.set(key, { loggedAtMs: nowMs, unlogged: 0 });
  }

  /** Closes connections whose header is not complete. */
  close(): void {
    for (const reader of this.#readers) reader.destroy();
  }
}

/** Causes whose last line is kept; with more of them all are forgotten. */
const MAX_LINES = 64;

/** The end of one header. `length`: octets read; `why`: the octets are no header, `''` if the connection closed. */
type HeaderEnd =
  | { readonly length: number; readonly address: string; readonly rest: Buffer }
  | { readonly length: number; readonly why: string };

class HeaderReader implements Deadlined {
  deadlineMs: number;
  readonly #socket: net.Socket;
  readonly #services: ProxyHeaderServices;
  readonly #onEnd: (end: HeaderEnd) => void;
  #octets: Buffer = NOTHING;
  #isOver = false;

  constructor(socket: net.Socket, services: ProxyHeaderServices, onEnd: (end: HeaderEnd) => void) {
    this.#socket = socket;
    this.#services = services;
    this.#onEnd = onEnd;
    this.deadlineMs = services.now() + services.limits.headerTimeoutMs;
    socket.on('data', this.#onData);
    socket.on('end', this.#onSocketEnd);
    socket.on('error', this.#onGone);
    socket.on('close', this.#onGone);
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isOver) return;
    this.#octets = this.#octets.length === 0 ? chunk : Buffer.concat([this.#octets, chunk]);
    const header = readProxyHeader(this.#octets);
    if (typeof header === 'string') this.#fail(header);
    else if (header !== undefined) {
      this.#isOver = true;
      // The next user of the socket may take its handle, which is not possible within a read.
      process.nextTick(() => this.#finish(header.address, header.length));
    }
  };

  #finish(address: string, length: number): void {
    const rest = this.#octets.subarray(length);
    this.#release();
    this.#onEnd({ length, address, rest });
  }

  /** A health check by connect alone is no mistake. */
  readonly #onSocketEnd = (): void => {
    if (!this.#isOver) this.#fail(this.#octets.length === 0 ? '' : 'the PROXY header is not complete');
  };

  readonly #onGone = (): void => {
    if (!this.#isOver) this.#fail('');
  };

  onDeadline(): void {
    if (this.#isOver) return;
    const what = this.#octets.length === 0 ? 'no PROXY header' : 'the PROXY header is not complete';
    this.#fail(`${what} within header-timeout ${durationText(this.#services.limits.headerTimeoutMs)}`);
  }

  destroy(): void {
    if (!this.#isOver) this.#fail('');
  }

  #fail(why: string): void {
    this.#isOver = true;
    this.#release();
    this.#socket.on('error', () => {});
    this.#socket.destroy();
    this.#onEnd({ length: this.#octets.length, why });
  }

  #release(): void {
    const socket = this.#socket;
    socket.off('data', this.#onData);
    socket.off('end', this.#onSocketEnd);
    socket.off('error', this.#onGone);
    socket.off('close', this.#onGone);
  }
}
