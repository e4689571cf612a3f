/** An agent of the tests: a WebSocket with a token, its received frames, and its end. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { AGENT_PATH, AGENT_SUBPROTOCOL } from '@rollcall/protocol';
import { WebSocket } from 'ws';

export interface Frame {
  readonly type: string;
  readonly code?: string;
  readonly message?: string;
}

export interface Ended {
  readonly code: number;
  readonly reason: string;
  /** On the clock of `performance.now`. */
  readonly atMs: number;
}

export class TokenAgent {
  readonly frames: Frame[] = [];
  readonly ended: Promise<Ended>;
  readonly #socket: WebSocket;
  readonly #timer: NodeJS.Timeout;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => this.frames.push(JSON.parse(String(data)) as Frame));
    socket.on('error', () => {});
    this.#timer = setInterval(() => this.send({ type: 'heartbeat' }), 1_000);
    this.ended = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        clearInterval(this.#timer);
        resolve({ code, reason: String(reason), atMs: performance.now() });
      });
    });
  }

  /** Connects and registers. Resolves with the agent after the first answer, which is `registered` or `error`. */
  static async register(t: TestContext, url: string, token: string | undefined, node: object): Promise<TokenAgent> {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const socket = new WebSocket(`${url.replace('http', 'ws')}${AGENT_PATH}`, [AGENT_SUBPROTOCOL], { headers });
    t.after(() => socket.terminate());
    const answered = once(socket, 'message');
    const agent = new TokenAgent(socket);
    await once(socket, 'open');
    agent.send({ type: 'register', node: { instance: randomBytes(16).toString('hex'), ...node } });
    await answered;
    return agent;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(message: object): void {
    if (this.isOpen) this.#socket.send(JSON.stringify(message));
  }

  close(): void {
    this.#socket.close();
  }
}

/** The HTTP status that refuses an upgrade with this token; 101 when it is accepted. */
export async function upgradeStatus(
  url: string,
  token: string | undefined,
  path: string,
  protocol: string,
): Promise<number> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, [protocol], { headers });
  socket.on('error', () => {});
  try {
    return await new Promise((resolve) => {
      socket.once('open', () => resolve(101));
      socket.once('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
    });
  } finally {
    socket.terminate();
  }
}
