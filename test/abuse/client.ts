/** Clients of the control port that ignore the protocol: a WebSocket that sends any text, and a TCP connection that sends any octets. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { AGENT_PATH, AGENT_SUBPROTOCOL } from '@rollcall/protocol';
import { WebSocket } from 'ws';
import { until } from '../site/site.ts';

/** A received message. */
export interface Message {
  readonly type: string;
  readonly code?: string;
  readonly message?: string;
  readonly holderConnected?: boolean;
  readonly [field: string]: unknown;
}

export interface ConnectOptions {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly subprotocol?: string;
  readonly path?: string;
}

/** An agent connection that sends any text. */
export class AgentClient {
  readonly socket: WebSocket;
  /** All received messages, in order. */
  readonly received: Message[] = [];
  /** Resolves with the close code. */
  readonly closed: Promise<number>;
  #taken = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    socket.on('message', (data) => this.received.push(JSON.parse(String(data)) as Message));
  }

  /** Resolves when the upgrade is accepted; rejects with its HTTP status when it is refused. */
  static async connect(controlUrl: string, options: ConnectOptions = {}): Promise<AgentClient> {
    const { path = AGENT_PATH, subprotocol = AGENT_SUBPROTOCOL } = options;
    const socket = new WebSocket(`${controlUrl.replace('http', 'ws')}${path}`, [subprotocol], {
      headers: headersOf(options),
    });
    const client = new AgentClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('unexpected-response', (_, response) => reject(new Error(`HTTP ${response.statusCode}`)));
      socket.once('error', reject);
    });
    return client;
  }

  send(message: object | string): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** The next message that was not read yet. */
  async next(): Promise<Message> {
    await until(() => this.received.length > this.#taken, 'no message from the coordinator');
    return this.received[this.#taken++]!;
  }

  /** Registers `node`; fails unless it is accepted. */
  async register(node: object): Promise<Message> {
    this.send({ type: 'register', node });
    const answer = await this.next();
    if (answer.type !== 'registered') throw new Error(`not registered: ${JSON.stringify(answer)}`);
    return answer;
  }

  /** Registers `node`, which is refused: the error and, when it closes the connection, the close code. */
  async refusal(node: object): Promise<Message> {
    this.send({ type: 'register', node });
    const answer = await this.next();
    if (answer.type !== 'error') throw new Error(`not refused: ${JSON.stringify(answer)}`);
    return answer;
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  /** Ends the connection without a close frame. */
  close(): void {
    this.socket.terminate();
  }
}

function headersOf({ token, headers = {} }: ConnectOptions): Record<string, string> {
  return { ...headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
}

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameOptions {
  /** Default true. */
  readonly isFinal?: boolean;
  /** The three reserved bits, 0–7. Default 0. */
  readonly reserved?: number;
  /** Default true, as clients must. */
  readonly isMasked?: boolean;
  /** The length that the head announces. Default: that of the payload. */
  readonly announced?: number;
}

/** One WebSocket frame, right or wrong. */
export function frame(opcode: number, payload: Buffer | string, options: FrameOptions = {}): Buffer {
  const { isFinal = true, reserved = 0, isMasked = true } = options;
  const octets = Buffer.from(payload);
  const { announced = octets.length } = options;
  const mask = isMasked ? 0x80 : 0;
  const first = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode;
  const head = Buffer.alloc(announced < 126 ? 2 : announced < 65_536 ? 4 : 10);
  head[0] = first;
  head[1] = mask | (announced < 126 ? announced : announced < 65_536 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(announced, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(announced), 2);
  // A mask of zeros leaves the payload as it is.
  return Buffer.concat([head, Buffer.alloc(isMasked ? 4 : 0), octets]);
}

/** A TCP connection to the control port. */
export class RawClient {
  readonly socket: net.Socket;
  /** All received octets. */
  received: Buffer = Buffer.alloc(0);
  #isEnded = false;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (octets: Buffer) => {
      this.received = Buffer.concat([this.received, octets]);
    });
    socket.once('close', () => {
      this.#isEnded = true;
    });
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const client = new RawClient(socket);
    await once(socket, 'connect');
    return client;
  }

  /** A connection whose upgrade as an agent was accepted. Reads only the answer by itself. */
  static async agent(controlUrl: string, fields: Readonly<Record<string, string>> = {}): Promise<RawClient> {
    const { port, host } = new URL(controlUrl);
    const client = await RawClient.connect(Number(port));
    const head = {
      Host: host,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
      'Sec-WebSocket-Protocol': AGENT_SUBPROTOCOL,
      ...fields,
    };
    const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
    client.socket.write(`GET ${AGENT_PATH} HTTP/1.1\r\n${lines.join('')}\r\n`);
    await until(() => client.received.includes('\r\n\r\n'), 'no answer to the upgrade');
    if (client.status !== 101) throw new Error(client.head);
    return client;
  }

  /** The head of the first answer. */
  get head(): string {
    const text = this.received.toString('latin1');
    return text.slice(0, text.indexOf('\r\n\r\n') + 4);
  }

  get status(): number {
    return Number(/^HTTP\/1\.1 (\d+)/.exec(this.head)?.[1] ?? 0);
  }

  /** Resolves with the code of the close frame, or 1006 when the connection ended without one. */
  async closeCode(): Promise<number> {
    await until(() => this.#isEnded || this.#closeFrame() !== undefined, 'the connection does not end');
    return this.#closeFrame() ?? 1006;
  }

  /** Texts of the received messages. */
  get messages(): readonly Message[] {
    return [...this.#frames()]
      .filter(({ opcode }) => opcode === OPCODE.text)
      .map(({ payload }) => JSON.parse(payload.toString()) as Message);
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  send(octets: Buffer | string): void {
    this.socket.write(octets);
  }

  /** Resolves when the peer has closed the connection completely. */
  async ended(): Promise<void> {
    await until(() => this.#isEnded || this.socket.readableEnded, 'the connection does not end');
  }

  close(): void {
    this.socket.destroy();
  }

  #closeFrame(): number | undefined {
    for (const { opcode, payload } of this.#frames())
      if (opcode === OPCODE.close) return payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
    return undefined;
  }

  *#frames(): Generator<{ readonly opcode: number; readonly payload: Buffer }> {
    let rest = this.received.subarray(this.head.length);
    while (rest.length >= 2) {
      const short = rest[1]! & 0x7f;
      const start = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (rest.length < start) return;
      const length = short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
      if (rest.length < start + length) return;
      yield { opcode: rest[0]! & 0x0f, payload: rest.subarray(start, start + length) };
      rest = rest.subarray(start + length);
    }
  }
}
