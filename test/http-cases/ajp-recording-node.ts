/**
 * A node that speaks AJP and records requests as text in HTTP/1.1, so that the same judge reads them. Answers of its script are texts in
 * HTTP/1.1 too. Interim answers are not sent, because AJP has none.
 */
import net from 'node:net';
import { bodyRequest, chunkPacket, endPacket, headPacket, PONG, readForwardRequest } from '@rollcall/proxy/testing';
import type { CaseNode, NodeScript, RecordedConnection } from './recording-node.ts';
import { RequestRecord } from './request-record.ts';
import { isInterim, readResponses } from './response-record.ts';

const CPING = 10;
const HEADER_BYTES = 4;
const MAX_BODY_BYTES = 8_186;

export class AjpRecordingNode implements CaseNode {
  readonly port: number;
  connections: RecordedConnection[] = [];
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  #script: NodeScript = {};

  private constructor(server: net.Server, port: number) {
    this.#server = server;
    this.port = port;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      const connection = new AjpRecord(socket, this.connections.length + 1, this.#script);
      this.connections.push(connection);
    });
  }

  static async start(): Promise<AjpRecordingNode> {
    const server = net.createServer({ noDelay: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new AjpRecordingNode(server, (server.address() as net.AddressInfo).port);
  }

  follow(script: NodeScript): void {
    for (const socket of this.#sockets) socket.destroy();
    this.connections = [];
    this.#script = script;
  }

  close(): Promise<void> {
    this.follow({});
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

class AjpRecord implements RecordedConnection {
  readonly number: number;
  readonly record: RequestRecord;
  readonly socket: RecordedConnection['socket'];
  readonly #socket: net.Socket;
  #received = Buffer.alloc(0);
  #method = '';
  /** Octets of the body that are still to come; `Infinity` until an empty packet ends it. */
  #bodyLeft = 0;

  constructor(socket: net.Socket, number: number, script: NodeScript) {
    this.#socket = socket;
    this.number = number;
    this.record = new RequestRecord(
      (request) => script.onHead?.(request, this),
      (request) => script.onComplete?.(request, this),
    );
    this.socket = {
      get destroyed() {
        return socket.destroyed;
      },
      resetAndDestroy: () => socket.resetAndDestroy(),
      write: (text) => this.#answer(text, true),
      end: (text) => {
        this.#answer(text, false);
        socket.end();
      },
    };
    socket.on('data', (octets) => {
      this.#received = Buffer.concat([this.#received, octets]);
      this.#readPackets();
    });
    socket.on('error', () => {});
  }

  #readPackets(): void {
    while (this.#received.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + this.#received.readUInt16BE(2);
      if (this.#received.length < end) return;
      const packet = this.#received.subarray(0, end);
      this.#received = this.#received.subarray(end);
      if (this.#bodyLeft > 0) this.#onBody(packet);
      else if (packet[HEADER_BYTES] === CPING && end === HEADER_BYTES + 1) this.#socket.write(PONG);
      else this.#onRequest(packet);
    }
  }

  #onRequest(packet: Buffer): void {
    const { method, uri, protocol, fields, attributes } = readForwardRequest(packet);
    const query = attributes['query_string'];
    const target = query === undefined ? uri : `${uri}?${query}`;
    const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`);
    const fieldOf = (wanted: string) => fields.find(([name]) => name.toLowerCase() === wanted)?.[1];
    const length = Number(fieldOf('content-length') ?? 0);
    const isChunked = fieldOf('transfer-encoding') !== undefined;
    this.#method = method;
    this.#bodyLeft = isChunked ? Number.POSITIVE_INFINITY : length;
    // With a length the first part comes unasked.
    if (isChunked) this.#socket.write(bodyRequest(MAX_BODY_BYTES));
    this.record.push(`${method} ${target} ${protocol}\r\n${lines.join('')}\r\n`);
  }

  #onBody(packet: Buffer): void {
    const part = packet.length > HEADER_BYTES ? packet.toString('latin1', HEADER_BYTES + 2) : '';
    const isChunked = this.#bodyLeft === Number.POSITIVE_INFINITY;
    // The proxy has ended a body before its length: the request stays incomplete.
    if (part === '' && !isChunked) return;
    this.#bodyLeft = part === '' ? 0 : this.#bodyLeft - part.length;
    if (this.#bodyLeft > 0) this.#socket.write(bodyRequest(Math.min(this.#bodyLeft, MAX_BODY_BYTES)));
    const chunk = part === '' ? '0\r\n\r\n' : `${part.length.toString(16)}\r\n${part}\r\n`;
    this.record.push(isChunked ? chunk : part);
  }

  #answer(text: string, isKept: boolean): void {
    for (const answer of readResponses(text, [this.#method], true).filter((one) => !isInterim(one))) {
      const { status, fields, body } = answer;
      this.#socket.write(Buffer.concat([headPacket(status, fields), ...partsOf(body), endPacket(isKept)]));
    }
  }
}

function partsOf(body: string): Buffer[] {
  return body === '' ? [] : [chunkPacket(body)];
}
