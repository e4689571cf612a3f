/** The writes to one client: texts and octets in order, and the end of the proxy's side behind them. */
import type net from 'node:net';
import type { BodyBlocks } from './body-blocks.ts';
import type { Counters } from './counters.ts';
import type { SocketAccess } from './shared-services.ts';
import { TextWriter } from './text-writer.ts';

/** Services of the engine that an output uses. */
export interface OutputServices extends Pick<SocketAccess, 'direct' | 'outbox'> {
  readonly blocks: BodyBlocks;
  readonly counters: Pick<Counters, 'bytesOut'>;
}

export class ClientOutput {
  /** Octets written so far. */
  bytesOut = 0;
  readonly #socket: net.Socket;
  readonly #services: OutputServices;
  readonly #writer: TextWriter;

  /** `isDirect`: texts may be written to the handle of `socket`. `onDrained`: the socket takes more; its own `drain` is separate. */
  constructor(socket: net.Socket, isDirect: boolean, onDrained: () => void, services: OutputServices) {
    this.#socket = socket;
    this.#services = services;
    this.#writer = new TextWriter(socket, isDirect ? services.direct : undefined, onDrained, services.outbox);
  }

  /** Octets were written that the kernel has not taken yet. */
  get hasQueued(): boolean {
    return this.#writer.hasQueued;
  }

  /** False when the text is queued: `onDrained` follows. */
  write(text: string): boolean {
    this.#count(text.length);
    return this.#writer.write(text);
  }

  /** Writes a copy of `octets[start, end)` with texts around it. False when it is queued: `onDrained` follows. */
  writeOctets(before: string, octets: Buffer, start: number, end: number, after: string): boolean {
    const socket = this.#socket;
    const { blocks } = this.#services;
    this.#count(before.length + end - start + after.length);
    this.#writer.flush();
    if (before === '' && after === '') return blocks.write(socket, octets, start, end);
    socket.cork();
    if (before !== '') socket.write(before, 'latin1');
    let hasRoom = blocks.write(socket, octets, start, end);
    if (after !== '') hasRoom = socket.write(after, 'latin1');
    socket.uncork();
    return hasRoom;
  }

  #count(bytes: number): void {
    this.bytesOut += bytes;
    this.#services.counters.bytesOut += bytes;
  }

  /** Closes the proxy's side behind what was written. */
  end(): void {
    this.#writer.flush();
    this.#socket.end();
  }

  /** Closes both sides once everything written has left. */
  destroySoon(): void {
    this.#writer.flush();
    this.#socket.destroySoon();
  }

  /** Closes both sides at once; texts of this turn are still given to the kernel. */
  destroy(): void {
    this.#writer.flush();
    this.#socket.destroy();
  }

  /** The same, with a reset. */
  reset(): void {
    this.#writer.flush();
    this.#socket.resetAndDestroy();
  }
}
