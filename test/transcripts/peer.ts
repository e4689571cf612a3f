/** One end of a WebSocket, whose messages and end are taken one after another. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { Message } from './transcript.ts';

export type Received = { readonly message: Message } | { readonly close: number };

const PATIENCE_MS = 30_000;

export class Peer {
  readonly socket: WebSocket;
  readonly #received: Received[] = [];
  #onReceived: (() => void) | undefined;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => this.#add({ message: JSON.parse(String(data)) as Message }));
    socket.on('close', (close) => this.#add({ close }));
    socket.on('error', () => undefined);
  }

  send(message: unknown): void {
    this.socket.send(JSON.stringify(message));
  }

  async next(): Promise<Received> {
    const late = new AbortController();
    while (this.#received.length === 0) {
      const news = new Promise<true>((resolve) => {
        this.#onReceived = () => resolve(true);
      });
      const timeout = sleep(PATIENCE_MS, false, { signal: late.signal }).catch(() => false);
      const isNews = await Promise.race([news, timeout]);
      late.abort();
      if (!isNews) throw new Error(`nothing received within ${PATIENCE_MS} ms`);
    }
    return this.#received.shift()!;
  }

  #add(received: Received): void {
    this.#received.push(received);
    this.#onReceived?.();
  }
}
