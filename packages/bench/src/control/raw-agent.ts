/**
 * An agent on a bare socket. It sends the same messages as the SDK and waits as long between attempts, at a fraction of the CPU cost.
 * @see packages/protocol/PROTOCOL.md
 */
import net from 'node:net';
import { backoffMs } from '@rollcall/agent';
import { AGENT_PATH, AGENT_SUBPROTOCOL } from '@rollcall/protocol';

export interface RawAgentOptions {
  readonly controlPort: number;
  readonly token: string;
  /** The `node` of the registration. */
  readonly node: object;
  onRegistered(): void;
  /** A connection has ended, or was refused: its HTTP status, its close code, or the error. */
  onEnd(why: string): void;
}

const CONNECT_MS = 1_000;
const UPGRADE_MS = 5_000;
const HEAD_END = '\r\n\r\n';
/** Reads are looked at to their end before the next: all agents share the buffer. */
const SHARED_BUFFER = Buffer.allocUnsafe(65_536);

export class RawAgent {
  readonly #options: RawAgentOptions;
  #socket: net.Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isUpgraded = false;
  #isRegistered = false;
  #hasLeft = false;
  #received: Buffer = Buffer.alloc(0);
  #attempts = 0;
  #seq = 0;

  constructor(options: RawAgentOptions) {
    this.#options = options;
    this.#connect();
  }

  get isRegistered(): boolean {
    return this.#isRegistered;
  }

  heartbeat(load: number): void {
    if (!this.#isRegistered) return;
    this.#send({ type: 'heartbeat', seq: this.#seq++, load, sessions: 3, inFlight: 1 });
  }

  status(status: 'enabled' | 'stopped'): void {
    this.#send({ type: 'status', status });
  }

  leave(): void {
    this.#hasLeft = true;
    clearTimeout(this.#timer);
    if (this.#isRegistered) this.#send({ type: 'leave' });
    this.#socket?.end();
    this.#isRegistered = false;
  }

  #connect(): void {
    const { controlPort, token } = this.#options;
    const socket = net.connect({
      port: controlPort,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: SHARED_BUFFER,
        callback: (length, octets) => {
          if (socket === this.#socket) this.#read((octets as Buffer).subarray(0, length));
          return true;
        },
      },
    });
    this.#socket = socket;
    this.#isUpgraded = false;
    this.#received = Buffer.alloc(0);
    this.#timer = setTimeout(() => this.#end(socket, 'connect timeout', 0), CONNECT_MS);
    socket.once('connect', () => {
      clearTimeout(this.#timer);
      if (socket !== this.#socket) return;
      this.#timer = setTimeout(() => this.#end(socket, 'upgrade timeout', 0), UPGRADE_MS);
      socket.write(
        `GET ${AGENT_PATH} HTTP/1.1\r\nHost: 127.0.0.1:${controlPort}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n` +
          `Sec-WebSocket-Protocol: ${AGENT_SUBPROTOCOL}\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      );
    });
    let why = 'closed';
    socket.on('error', (error: NodeJS.ErrnoException) => {
      why = error.code ?? error.message;
    });
    socket.on('end', () => socket.destroy());
    socket.on('close', () => this.#end(socket, why, 0));
  }

  #read(octets: Buffer): void {
    this.#received = this.#received.length === 0 ? Buffer.from(octets) : Buffer.concat([this.#received, octets]);
    if (!this.#isUpgraded && !this.#upgraded()) return;
    for (let frame = this.#frame(); frame !== undefined; frame = this.#frame()) this.#take(frame.opcode, frame.payload);
  }

  #upgraded(): boolean {
    const end = this.#received.indexOf(HEAD_END);
    if (end < 0) return false;
    const head = this.#received.toString('latin1', 0, end);
    if (!head.startsWith('HTTP/1.1 101')) {
      const retrySeconds = Number(/\r\nretry-after: *(\d+)/i.exec(head)?.[1] ?? 0);
      this.#end(this.#socket!, `HTTP ${head.slice(9, 12)}`, retrySeconds * 1_000);
      return false;
    }
    clearTimeout(this.#timer);
    this.#isUpgraded = true;
    this.#received = this.#received.subarray(end + HEAD_END.length);
    this.#send({ type: 'register', node: this.#options.node });
    return true;
  }

  /** The next whole frame. @see RFC 6455 §5.2 */
  #frame(): { readonly opcode: number; readonly payload: Buffer } | undefined {
    const octets = this.#received;
    if (octets.length < 2) return undefined;
    let [length, start] = [octets[1]! & 0x7f, 2];
    if (length === 126) {
      if (octets.length < 4) return undefined;
      [length, start] = [octets.readUInt16BE(2), 4];
    } else if (length === 127) {
      if (octets.length < 10) return undefined;
      [length, start] = [Number(octets.readBigUInt64BE(2)), 10];
    }
    if (octets.length < start + length) return undefined;
    this.#received = octets.subarray(start + length);
    return { opcode: octets[0]! & 0x0f, payload: octets.subarray(start, start + length) };
  }

  #take(opcode: number, payload: Buffer): void {
    if (opcode === 8) this.#end(this.#socket!, `close ${payload.length >= 2 ? payload.readUInt16BE(0) : 1005}`, 0);
    else if (opcode === 9) this.#write(10, payload);
    else if (opcode === 1 && !this.#isRegistered && payload.includes('"type":"registered"')) {
      this.#isRegistered = true;
      this.#attempts = 0;
      this.#options.onRegistered();
    }
  }

  #send(message: object): void {
    this.#write(1, Buffer.from(JSON.stringify(message)));
  }

  /** A final frame with the mask 0, which leaves the payload as it is. */
  #write(opcode: number, payload: Buffer): void {
    const isLong = payload.length > 125;
    const head = Buffer.alloc(isLong ? 8 : 6);
    head[0] = 0x80 | opcode;
    head[1] = 0x80 | (isLong ? 126 : payload.length);
    if (isLong) head.writeUInt16BE(payload.length, 2);
    this.#socket?.write(Buffer.concat([head, payload]));
  }

  #end(socket: net.Socket, why: string, retryMs: number): void {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    this.#isRegistered = false;
    clearTimeout(this.#timer);
    socket.destroy();
    if (this.#hasLeft) return;
    this.#options.onEnd(why);
    const waitMs = backoffMs(this.#attempts, Math.random);
    this.#attempts += 1;
    this.#timer = setTimeout(() => this.#connect(), retryMs * (0.5 + Math.random() / 2) + waitMs);
  }
}
