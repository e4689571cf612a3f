/** A WebSocket client that waits for messages by type, for agents and workers in tests. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import type { ClientOptions } from 'ws';
import { WebSocket } from 'ws';

/** A received message as JSON, without a type. */
export interface TestMessage {
  readonly type: string;
  readonly [field: string]: unknown;
}

export class TestSocket {
  readonly socket: WebSocket;
  readonly #received: TestMessage[] = [];
  readonly #waiting: { readonly type: string; readonly resolve: (message: TestMessage) => void }[] = [];
  readonly #closed: Promise<{ code: number; reason: string }>;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => this.#take(JSON.parse(data.toString()) as TestMessage));
    socket.on('error', () => undefined);
    this.#closed = once(socket, 'close').then(([code, reason]: unknown[]) => ({
      code: Number(code),
      reason: String(reason),
    }));
  }

  static async open(url: string, protocol: string, options: ClientOptions = {}): Promise<TestSocket> {
    const socket = new WebSocket(url, [protocol], options);
    const opened = new TestSocket(socket);
    await once(socket, 'open');
    return opened;
  }

  /** Status of the HTTP answer that refuses the upgrade. */
  static async refusal(url: string, protocols: string[], options: ClientOptions = {}): Promise<number> {
    return (await TestSocket.refusalText(url, protocols, options)).status;
  }

  /** Status and body of the HTTP answer that refuses the upgrade. */
  static async refusalText(
    url: string,
    protocols: string[],
    options: ClientOptions = {},
  ): Promise<{ readonly status: number; readonly body: string }> {
    const socket = new WebSocket(url, protocols, options);
    socket.on('error', () => undefined);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    const body = await text(response);
    socket.terminate();
    return { status: response.statusCode ?? 0, body };
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** The next message of a type, also if it has already arrived. Earlier messages of other types stay. */
  next(type: string): Promise<TestMessage> {
    const i = this.#received.findIndex((message) => message.type === type);
    if (i >= 0) return Promise.resolve(this.#received.splice(i, 1)[0]!);
    return new Promise((resolve) => {
      this.#waiting.push({ type, resolve });
    });
  }

  /** Close code and reason of the connection. */
  get closed(): Promise<{ code: number; reason: string }> {
    return this.#closed;
  }

  async close(): Promise<void> {
    this.socket.close(1000);
    await this.#closed;
  }

  terminate(): void {
    this.socket.terminate();
  }

  #take(message: TestMessage): void {
    const i = this.#waiting.findIndex(({ type }) => type === message.type);
    if (i >= 0) this.#waiting.splice(i, 1)[0]!.resolve(message);
    else this.#received.push(message);
  }
}
