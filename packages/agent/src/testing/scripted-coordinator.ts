/** A coordinator that is controlled by a test, on a real WebSocket on loopback. */
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  AGENT_PATH,
  AGENT_SUBPROTOCOL,
  type AgentMessage,
  COORDINATOR_ID_HEADER,
  type CoordinatorMessage,
  DEFAULT_HEARTBEAT_MS,
  DEFAULT_LEASE_MS,
  DEFAULT_SUSPECT_MS,
  decodeAgentMessage,
  encode,
  type NodeRegistration,
} from '@rollcall/protocol';
import { type WebSocket, WebSocketServer } from 'ws';

/** The connection of one agent. */
export class ScriptedPeer {
  readonly #ws: WebSocket;
  readonly #events = new EventEmitter();
  readonly received: AgentMessage[] = [];
  /** `Authorization` of the upgrade, `undefined` for none. */
  readonly authorization: string | undefined;
  closeCode: number | undefined;
  /** Number of messages that the test has taken. */
  #taken = 0;

  constructor(ws: WebSocket, authorization: string | undefined) {
    this.#ws = ws;
    this.authorization = authorization;
    ws.on('message', (data) => {
      const message = decodeAgentMessage(String(data));
      if (message.type === 'malformed') throw new Error(`the agent sent ${String(data)}: ${message.message}`);
      this.received.push(message);
      this.#events.emit('message');
    });
    ws.on('close', (code) => {
      this.closeCode = code;
      this.#events.emit('closed');
    });
    ws.on('error', () => {});
  }

  send(message: CoordinatorMessage): void {
    this.#ws.send(encode(message));
  }

  sendText(text: string): void {
    this.#ws.send(text);
  }

  sendBinary(bytes: Buffer): void {
    this.#ws.send(bytes);
  }

  /** Takes the next message of this type; messages before it are skipped. */
  async next<Type extends AgentMessage['type']>(type: Type): Promise<Extract<AgentMessage, { type: Type }>> {
    for (;;) {
      const message = this.received[this.#taken];
      if (message === undefined) {
        await once(this.#events, 'message');
        continue;
      }
      this.#taken += 1;
      if (message.type === type) return message as Extract<AgentMessage, { type: Type }>;
    }
  }

  /** Takes the registration and accepts it. */
  async accept(
    pace: {
      heartbeatMs?: number;
      leaseMs?: number;
      coordinators?: string[];
      coordinatorId?: string;
      coordinatorUrl?: string;
    } = {},
  ): Promise<NodeRegistration> {
    const { node } = await this.next('register');
    this.send({
      type: 'registered',
      node,
      heartbeatMs: pace.heartbeatMs ?? DEFAULT_HEARTBEAT_MS,
      suspectMs: DEFAULT_SUSPECT_MS,
      leaseMs: pace.leaseMs ?? DEFAULT_LEASE_MS,
      epoch: 'test',
      ...(pace.coordinatorId === undefined ? {} : { coordinatorId: pace.coordinatorId }),
      ...(pace.coordinatorUrl === undefined ? {} : { coordinatorUrl: pace.coordinatorUrl }),
      coordinators: pace.coordinators ?? [],
      warnings: [],
    });
    return node;
  }

  close(code: number): void {
    this.#ws.close(code);
  }

  /** Cuts the connection without a close frame. */
  cut(): void {
    this.#ws.terminate();
  }

  async closed(): Promise<void> {
    if (this.closeCode === undefined) await once(this.#events, 'closed');
  }
}

export interface ScriptedCoordinator {
  /** `ws://HOST:PORT/v1/agent`. */
  readonly url: string;
  /** Number of connections so far. */
  readonly connections: number;
  /** Takes the next connection; waits for one if all are taken. */
  peer(): Promise<ScriptedPeer>;
  /** Refuses the next upgrades with this HTTP status; `undefined` accepts them again. */
  refuseWith(status: number | undefined): void;
  close(): Promise<void>;
}

/** Listens on a free port of `host`, or on the UNIX socket `path`. `id` is sent in the answer to each upgrade. */
export async function startScriptedCoordinator({
  id,
  host = '127.0.0.1',
  port = 0,
  path,
}: {
  readonly id?: string;
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
} = {}): Promise<ScriptedCoordinator> {
  const server = createServer();
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => AGENT_SUBPROTOCOL });
  if (id !== undefined) sockets.on('headers', (headers) => headers.push(`${COORDINATOR_ID_HEADER}: ${id}`));
  const events = new EventEmitter();
  const waiting: ScriptedPeer[] = [];
  let refusal: number | undefined;
  let connections = 0;
  server.on('upgrade', (request, socket, head) => {
    // The agent may abort a refused upgrade.
    socket.on('error', () => {});
    if (refusal !== undefined || request.url !== AGENT_PATH) {
      socket.end(`HTTP/1.1 ${refusal ?? 404} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (ws) => {
      connections += 1;
      waiting.push(new ScriptedPeer(ws, request.headers.authorization));
      events.emit('peer');
    });
  });
  if (path === undefined) server.listen(port, host);
  else server.listen(path);
  await once(server, 'listening');
  const address = server.address();
  return {
    url:
      path === undefined
        ? `ws://${host}:${(address as AddressInfo).port}${AGENT_PATH}`
        : `ws+unix:${path}:${AGENT_PATH}`,
    get connections() {
      return connections;
    },
    async peer() {
      while (waiting.length === 0) await once(events, 'peer');
      return waiting.shift()!;
    },
    refuseWith(status) {
      refusal = status;
    },
    async close() {
      for (const client of sockets.clients) client.terminate();
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
}
