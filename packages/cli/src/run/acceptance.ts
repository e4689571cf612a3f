/**
 * Whether a program on this machine accepts connections. The kernel completes a connect also for a frozen program, but only
 * `accept` gives the connection an inode in /proc/net/tcp. So an idle program is checked without a request: one request per
 * second would fill its log and its session table.
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { VERSION } from '../version.ts';
import { isRefusal } from './probe.ts';

/**
 * `accepted`: the program has taken the connection or reacted to it. `refused`: the connect was refused, or the queue was
 * reset. `pending`: neither yet; the connect may be incomplete.
 */
export type Acceptance = 'accepted' | 'refused' | 'pending';

/** Delays between the first checks, milliseconds: an idle program accepts within one. */
const LOOKS_MS = [0, 2, 8, 40, 200] as const;
/** Delay between later checks while the connection is open, milliseconds. */
const LATER_LOOKS_MS = 500;
/** Time limit for the program to close its end, milliseconds. */
const LINGER_MS = 1_000;
const ESTABLISHED = '01';

/**
 * One connection, open until the program has accepted or refused it, or `close` is called. A connection that has not been
 * accepted after a quarter of a second sends `OPTIONS *`, or begins TLS. Some servers accept only when data arrives. If /proc does
 * not show the connection, the answer is the only sign.
 */
export class AcceptCheck {
  readonly #port: number;
  readonly #isTls: boolean;
  readonly #socket: Socket;
  readonly #settled: Promise<Acceptance>;
  #settle: (acceptance: Acceptance) => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  #isConnected = false;
  #isOver = false;
  #looks = 0;

  constructor(port: number, host: string, isTls = false) {
    this.#port = port;
    this.#isTls = isTls;
    this.#settled = new Promise((resolve) => (this.#settle = resolve));
    const socket = connect({ port, host });
    this.#socket = socket;
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (this.#isConnected || isRefusal(code, host)) this.#finish('refused');
      else this.#finish('pending');
    });
    socket.once('connect', () => {
      this.#isConnected = true;
      this.#lookLater(LOOKS_MS[0]);
    });
    // A listener that closes resets its queue. So an octet or an orderly end comes from a program that has accepted.
    socket.on('data', () => this.#finish('accepted'));
    socket.on('end', () => this.#finish('accepted'));
  }

  /** The connection has an outcome: a new outcome needs a new check. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The state of the connection, at the latest after `waitMs`. Never rejects. */
  async result(waitMs: number): Promise<Acceptance> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Acceptance>((resolve) => {
      timer = setTimeout(resolve, waitMs, 'pending');
    });
    try {
      return await Promise.race([this.#settled, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the connection. Further calls have no effect. */
  close(): void {
    this.#finish('pending');
  }

  #finish(acceptance: Acceptance): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    if (this.#isConnected) {
      this.#socket.end();
      setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
    } else this.#socket.destroy();
    this.#settle(acceptance);
  }

  #lookLater(delayMs: number): void {
    this.#timer = setTimeout(() => this.#look(), delayMs);
  }

  /** Sends the first octets of a client. Any answer shows that the program has accepted. */
  #speak(): void {
    if (this.#isTls) {
      const secure = connectTls({ socket: this.#socket, rejectUnauthorized: false });
      secure.on('secureConnect', () => this.#finish('accepted'));
      secure.on('error', ({ code }: NodeJS.ErrnoException) =>
        this.#finish(code === 'ECONNRESET' ? 'refused' : 'accepted'),
      );
      return;
    }
    this.#socket.write(
      `OPTIONS * HTTP/1.1\r\nHost: localhost:${this.#port}\r\nUser-Agent: rollcall-probe/${VERSION}\r\nConnection: close\r\n\r\n`,
    );
  }

  #look(): void {
    const state = queueState(this.#port, this.#socket.localPort ?? 0);
    if (state === 'accepted') {
      this.#finish('accepted');
      return;
    }
    this.#looks += 1;
    // A connection that no table shows leads to another machine, or there is no /proc: a second check would have no result.
    if (this.#looks === (state === 'unseen' ? 1 : LOOKS_MS.length)) this.#speak();
    if (state !== 'unseen') this.#lookLater(LOOKS_MS[this.#looks] ?? LATER_LOOKS_MS);
  }
}

function queueState(port: number, ourPort: number): 'accepted' | 'queued' | 'unseen' {
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    let text: string;
    try {
      text = readFileSync(table, 'latin1');
    } catch {
      continue;
    }
    const row = connectionRow(text, port, ourPort);
    if (row !== undefined) return row[3] === ESTABLISHED && row[9] !== '0' ? 'accepted' : 'queued';
  }
  return 'unseen';
}

/** The fields of the program's end of the connection in a table of /proc/net; `undefined` if it is not listed. */
export function connectionRow(table: string, localPort: number, remotePort: number): readonly string[] | undefined {
  const pattern = new RegExp(`^ *\\d+: [0-9A-F]+:${hex(localPort)} [0-9A-F]+:${hex(remotePort)} .*$`, 'm');
  return pattern.exec(table)?.[0].trim().split(/\s+/);
}

function hex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}
