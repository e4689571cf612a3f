/** A relay between a worker and the coordinator that changes their messages. For tests. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';

/** Replaces one message by others. */
export type Rewrite = (message: { type: string; [field: string]: unknown }) => readonly object[];

export interface Dialect {
  readonly toWorker: Rewrite;
  readonly toCoordinator: Rewrite;
}

export const PLAIN: Dialect = { toWorker: (message) => [message], toCoordinator: (message) => [message] };

export class FeedRelay {
  readonly url: string;
  /** Connections that workers have made. */
  connections = 0;
  readonly #server: WebSocketServer;
  readonly #sockets = new Set<WebSocket>();
  #dialect = PLAIN;

  private constructor(server: WebSocketServer, coordinatorUrl: string) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (worker, request) => {
      this.connections++;
      const { authorization = '', 'sec-websocket-protocol': protocol = '' } = request.headers;
      const coordinator = new WebSocket(`${coordinatorUrl.replace('http:', 'ws:')}${request.url}`, protocol, {
        headers: { authorization },
      });
      // Messages of the worker before the other connection is open.
      const early: string[] = [];
      const { toWorker, toCoordinator } = this.#dialect;
      coordinator.on('open', () => {
        for (const text of early.splice(0)) coordinator.send(text);
      });
      worker.on('message', (data) => {
        for (const text of rewritten(data, toCoordinator))
          if (coordinator.readyState === WebSocket.OPEN) coordinator.send(text);
          else early.push(text);
      });
      coordinator.on('message', (data) => {
        for (const text of rewritten(data, toWorker)) worker.send(text);
      });
      this.#joinEnds(worker, coordinator);
      this.#joinEnds(coordinator, worker);
    });
  }

  static async start(t: TestContext, coordinatorUrl: string): Promise<FeedRelay> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    const relay = new FeedRelay(server, coordinatorUrl);
    t.after(() => relay.close());
    return relay;
  }

  /** Takes effect from the next connection on; open connections are cut. */
  speak(dialect: Dialect): void {
    this.#dialect = dialect;
    for (const socket of this.#sockets) socket.terminate();
  }

  close(): void {
    for (const socket of this.#sockets) socket.terminate();
    this.#server.close();
  }

  /** When `one` closes, closes `other` with the same code. */
  #joinEnds(one: WebSocket, other: WebSocket): void {
    this.#sockets.add(one);
    one.on('error', () => undefined);
    one.on('close', (code, reason) => {
      this.#sockets.delete(one);
      if (code >= 1_000 && code !== 1_005 && code !== 1_006) other.close(code, reason);
      else other.terminate();
    });
  }
}

function rewritten(data: unknown, rewrite: Rewrite): readonly string[] {
  return rewrite(JSON.parse(String(data))).map((message) => JSON.stringify(message));
}
