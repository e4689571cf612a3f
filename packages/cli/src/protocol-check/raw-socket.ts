/**
 * A WebSocket client that can send invalid frames: without a mask, with reserved bits, with wrong lengths.
 * Reads text messages, pongs and the end of the connection. For the conformance suite only.
 */
import { createHash, randomBytes } from 'node:crypto';
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';

/** Opcodes of RFC 6455 section 5.2. */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const NO_MASK = Buffer.alloc(4);
/** Longest frame of a coordinator, bytes; a longer one ends the connection. */
const MAX_FRAME = 1_048_576;
/** Longest part of the body of a refused upgrade that is read, bytes. */
const MAX_BODY = 4_096;

export interface UpgradeOptions {
  /** Default: `rollcall.v1`; an empty list sends no field. */
  readonly protocols?: readonly string[];
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Appended to the path, e.g. `?token=x`. */
  readonly query?: string;
  /** For `wss`: what is trusted, and the client certificate. */
  readonly tls?: ConnectionOptions | undefined;
}

/** The answer to an upgrade; `socket` when it is 101, otherwise the beginning of the body. */
export interface Upgrade {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly socket?: RawSocket;
}

/** `close`: a close frame, with its code or 1005. `cut`: the connection has ended without one. */
export type Received =
  | { readonly type: 'message'; readonly text: string }
  | { readonly type: 'pong'; readonly payload: Buffer }
  | { readonly type: 'close'; readonly code: number }
  | { readonly type: 'cut' };

export interface Frame {
  readonly opcode: number;
  readonly payload?: Buffer | string;
  /** Default true. */
  readonly isFinal?: boolean;
  /** Default true, as RFC 6455 demands of clients. */
  readonly isMasked?: boolean;
  /** Reserved bits, 0–7. Default 0. */
  readonly reserved?: number;
}

/** The octets of one frame. */
export function frameOf({ opcode, payload = '', isFinal = true, isMasked = true, reserved = 0 }: Frame): Buffer {
  const body = Buffer.from(payload as string);
  const length = body.length;
  const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + extra);
  head[0] = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode;
  head[1] = (isMasked ? 0x80 : 0) | (extra === 0 ? length : extra === 2 ? 126 : 127);
  if (extra === 2) head.writeUInt16BE(length, 2);
  if (extra === 8) head.writeBigUInt64BE(BigInt(length), 2);
  // A mask of zeros is a mask: the octets stay as they are.
  return isMasked ? Buffer.concat([head, NO_MASK, body]) : Buffer.concat([head, body]);
}

/** Requests an upgrade. Rejects if the connection fails or no answer arrives within `timeoutMs`. */
export function upgrade(url: string, options: UpgradeOptions, timeoutMs: number): Promise<Upgrade> {
  const { protocols = ['rollcall.v1'], token, headers = {}, query = '', tls } = options;
  const key = randomBytes(16).toString('base64');
  const send = url.startsWith('wss:') ? httpsRequest : httpRequest;
  const request = send(url.replace(/^ws/, 'http') + query, {
    ...tls,
    agent: false,
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': key,
      'sec-websocket-version': '13',
      ...(protocols.length > 0 && { 'sec-websocket-protocol': protocols.join(', ') }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => request.destroy(new DOMException(`no answer to the upgrade within ${timeoutMs} ms`, 'TimeoutError')),
      timeoutMs,
    );
    request.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    request.on('response', (response: IncomingMessage) => {
      let body = '';
      const done = (): void => {
        clearTimeout(timer);
        request.destroy();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      };
      response.on('data', (octets: Buffer) => {
        body += octets.toString('latin1');
        if (body.length >= MAX_BODY) done();
      });
      response.on('end', done);
      response.on('error', done);
    });
    request.on('upgrade', (response, socket: Socket, head: Buffer) => {
      clearTimeout(timer);
      const raw = new RawSocket(socket, head);
      const expected = createHash('sha1')
        .update(key + GUID)
        .digest('base64');
      if (response.headers['sec-websocket-accept'] === expected)
        resolve({ status: 101, headers: response.headers, body: '', socket: raw });
      else {
        raw.cut();
        reject(new Error('the answer to the upgrade has a wrong Sec-WebSocket-Accept'));
      }
    });
    request.end();
  });
}

export class RawSocket {
  readonly #socket: Socket;
  readonly #received: Received[] = [];
  #waiting: ((received: Received) => void) | undefined;
  #buffer: Buffer;
  #text = '';
  #isOver = false;

  constructor(socket: Socket, head: Buffer) {
    this.#socket = socket;
    this.#buffer = head;
    socket.on('data', (octets: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, octets]);
      this.#read();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.#end({ type: 'cut' }));
    this.#read();
  }

  get localAddress(): string {
    return this.#socket.localAddress ?? '127.0.0.1';
  }

  /** The coordinator has ended the connection, or this side has. */
  get isOver(): boolean {
    return this.#isOver;
  }

  write(octets: Buffer): void {
    if (this.#socket.writable) this.#socket.write(octets);
  }

  send(frame: Frame): void {
    this.write(frameOf(frame));
  }

  sendText(text: string): void {
    this.send({ opcode: OPCODE.text, payload: text });
  }

  /** The next event, or `undefined` if there is none within `timeoutMs`. After the end, each call returns the end. */
  next(timeoutMs: number): Promise<Received | undefined> {
    const received = this.#received[0];
    if (received !== undefined) {
      if (received.type !== 'close' && received.type !== 'cut') this.#received.shift();
      return Promise.resolve(received);
    }
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting = undefined;
        resolve(undefined);
      }, timeoutMs);
      this.#waiting = () => {
        clearTimeout(timer);
        this.#waiting = undefined;
        resolve(this.next(timeoutMs));
      };
    });
  }

  /** Sends a close frame. */
  close(code: number): void {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.send({ opcode: OPCODE.close, payload });
  }

  cut(): void {
    this.#end({ type: 'cut' });
    this.#socket.destroy();
  }

  #read(): void {
    for (let frame = this.#takeFrame(); frame !== undefined; frame = this.#takeFrame()) {
      const { opcode, payload, isFinal } = frame;
      if (opcode === OPCODE.close) {
        this.#end({ type: 'close', code: payload.length >= 2 ? payload.readUInt16BE() : 1005 });
        this.send({ opcode: OPCODE.close, payload: payload.subarray(0, 2) });
        this.#socket.end();
      } else if (opcode === OPCODE.ping) this.send({ opcode: OPCODE.pong, payload });
      else if (opcode === OPCODE.pong) this.#add({ type: 'pong', payload });
      else {
        this.#text += payload.toString();
        if (!isFinal) continue;
        this.#add({ type: 'message', text: this.#text });
        this.#text = '';
      }
    }
  }

  #takeFrame(): { opcode: number; payload: Buffer; isFinal: boolean } | undefined {
    const buffer = this.#buffer;
    if (buffer.length < 2) return undefined;
    const short = buffer[1]! & 0x7f;
    const start = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (buffer.length < start) return undefined;
    const length = short === 126 ? buffer.readUInt16BE(2) : short === 127 ? Number(buffer.readBigUInt64BE(2)) : short;
    if (length > MAX_FRAME) this.cut();
    if (buffer.length < start + length) return undefined;
    this.#buffer = buffer.subarray(start + length);
    return {
      opcode: buffer[0]! & 0x0f,
      payload: buffer.subarray(start, start + length),
      isFinal: (buffer[0]! & 0x80) !== 0,
    };
  }

  #add(received: Received): void {
    if (this.#isOver) return;
    this.#received.push(received);
    this.#waiting?.(received);
  }

  #end(received: Received): void {
    this.#add(received);
    this.#isOver = true;
  }
}
