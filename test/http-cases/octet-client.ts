import net from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { Part } from './http-case.ts';
import { isInterim, type ReceivedResponse, readResponses } from './response-record.ts';

/** A client that sends the parts of a case and keeps what comes back. */
export class OctetClient {
  readonly socket: net.Socket;
  received = '';
  hasEnded = false;
  /** A 100 came while one was waited for. */
  sawContinue = false;
  readonly #methods: readonly string[];
  #look: () => void = () => {};

  private constructor(socket: net.Socket, methods: readonly string[]) {
    this.socket = socket;
    this.#methods = methods;
    const end = (): void => {
      this.hasEnded = true;
      this.#look();
    };
    socket.on('data', (octets) => {
      this.received += octets.toString('latin1');
      this.#look();
    });
    socket.on('end', end);
    socket.on('error', end);
    socket.on('close', end);
  }

  /** `methods` of the requests it is going to send, which decide where answers end. */
  static async connect(port: number, methods: readonly string[] = []): Promise<OctetClient> {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', () => resolve());
      socket.once('error', reject);
    });
    return new OctetClient(socket, methods);
  }

  get responses(): ReceivedResponse[] {
    return readResponses(this.received, this.#methods, this.hasEnded);
  }

  get finals(): ReceivedResponse[] {
    return this.responses.filter((response) => !isInterim(response) && response.status > 0);
  }

  /** Resolves when `is` holds, the connection has ended, or `ms` are over. */
  async until(is: () => boolean, ms: number): Promise<void> {
    if (is() || this.hasEnded) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#look = () => {
        if (!is() && !this.hasEnded) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#look = () => {};
  }

  async send(parts: readonly Part[]): Promise<void> {
    for (const part of parts) await this.#sendPart(part);
  }

  async #sendPart(part: Part): Promise<void> {
    switch (part.type) {
      case 'octets':
        await this.#write(part.octets);
        return;
      case 'dribble':
        for (const octet of part.octets) {
          await this.#write(octet);
          await wait(part.gapMs);
        }
        return;
      case 'drip':
        for (let left = part.totalMs; left > 0 && !this.hasEnded; left -= part.everyMs) {
          await this.#write(part.octets);
          await this.until(() => false, part.everyMs);
        }
        return;
      case 'wait':
        await this.until(() => false, part.ms);
        return;
      case 'wait-100':
        await this.until(() => this.responses.length > 0, part.ms);
        this.sawContinue = this.responses[0]?.status === 100;
        return;
      case 'wait-final':
        await this.until(() => this.finals.length > 0, part.ms);
        return;
      case 'fin':
        this.socket.end();
        return;
      case 'rst':
        this.socket.resetAndDestroy();
        return;
      default:
        part satisfies never;
    }
  }

  /** Writes, and waits until the octets have been sent or the connection has ended. */
  async #write(octets: string): Promise<void> {
    if (!this.socket.writable) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.socket.off('close', done);
        resolve();
      };
      this.socket.write(octets, 'latin1', done);
      this.socket.once('close', done);
    });
  }

  close(): void {
    this.socket.destroy();
  }
}
