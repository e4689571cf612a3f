import type { Socket } from 'node:net';
import type { Client, ClientListener } from './client.ts';
import { type ConnectionListener, connect } from './connect.ts';
import type { Traffic } from './messages.ts';
import { requestOctets } from './request-text.ts';
import { CLOSING, COMPLETE, PARTIAL, ResponseReader } from './response-reader.ts';

/** Sends requests on one keep-alive connection, or on a new connection per request if the traffic requires it. */
export class HttpClient implements Client {
  dueAtMs: number = Number.NaN;
  readonly #port: number;
  readonly #from: string;
  readonly #traffic: Traffic;
  readonly #listener: ClientListener;
  #request: Buffer;
  #cookies = '';
  #reader: ResponseReader;
  #socket: Socket | undefined;
  #isWaiting = false;

  constructor(port: number, from: string, traffic: Traffic, listener: ClientListener) {
    this.#port = port;
    this.#from = from;
    this.#traffic = traffic;
    this.#listener = listener;
    this.#request = requestOctets(traffic.request, port, '');
    this.#reader = this.#newReader();
  }

  send(): void {
    this.#isWaiting = true;
    this.#socket ??= this.#open();
    this.#socket.write(this.#request);
  }

  abandon(): void {
    this.#isWaiting = false;
    this.#drop();
  }

  #open(): Socket {
    this.#reader = this.#newReader();
    const events: ConnectionListener = {
      onOctets: (octets) => {
        if (this.#socket === socket) this.#read(octets);
      },
      onClose: (why) => {
        if (this.#socket !== socket) return;
        this.#socket = undefined;
        if (this.#isWaiting) this.#fail(why);
      },
    };
    const socket = connect({ port: this.#port, from: this.#from, isTls: this.#traffic.isTls }, events);
    return socket;
  }

  #read(octets: Buffer): void {
    const outcome = this.#isWaiting ? this.#reader.read(octets) : 'octets without a request';
    if (outcome === PARTIAL) return;
    if (outcome !== COMPLETE && outcome !== CLOSING) {
      this.#fail(outcome);
      return;
    }
    this.#isWaiting = false;
    if (outcome === CLOSING || this.#traffic.request.closes) this.#drop();
    if (this.#reader.cookies !== this.#cookies && this.#reader.cookies !== '') {
      this.#cookies = this.#reader.cookies;
      this.#request = requestOctets(this.#traffic.request, this.#port, this.#cookies);
    }
    this.#listener.onAnswer(this);
  }

  #fail(why: string): void {
    this.#isWaiting = false;
    this.#drop();
    this.#listener.onFailure(this, why);
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }

  #newReader(): ResponseReader {
    return new ResponseReader(this.#traffic.expected, this.#traffic.keepsCookies);
  }
}
