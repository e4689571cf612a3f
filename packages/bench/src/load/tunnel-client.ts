import type { Socket } from 'node:net';
import type { Client, ClientListener } from './client.ts';
import { connect } from './connect.ts';
import type { Traffic } from './messages.ts';
import { upgradeOctets } from './request-text.ts';

/** Size of the payload of every message, octets. */
export const MESSAGE_BYTES = 64;
/** Size of a masked request frame: two octets of header, four of mask. @see RFC 6455 §5.2 */
export const MASKED_FRAME_BYTES: number = MESSAGE_BYTES + 6;
/** Size of the response frame. */
export const FRAME_BYTES: number = MESSAGE_BYTES + 2;

/** Any sixteen octets will do. */
const KEY = Buffer.alloc(16, 'k').toString('base64');
const MASK = [0x12, 0x34, 0x56, 0x78];
const HEAD_END = '\r\n\r\n';

/** Sends messages through one WebSocket. The node answers each with a message of the same size. */
export class TunnelClient implements Client {
  dueAtMs: number = Number.NaN;
  readonly #port: number;
  readonly #from: string;
  readonly #traffic: Traffic;
  readonly #listener: ClientListener;
  readonly #frame = maskedFrame();
  #socket: Socket | undefined;
  #isUpgraded = false;
  #isWaiting = false;
  #head = '';
  /** Received octets of the response. */
  #received = 0;

  constructor(port: number, from: string, traffic: Traffic, listener: ClientListener) {
    this.#port = port;
    this.#from = from;
    this.#traffic = traffic;
    this.#listener = listener;
  }

  send(): void {
    this.#isWaiting = true;
    if (this.#isUpgraded) this.#socket!.write(this.#frame);
    else this.#open();
  }

  abandon(): void {
    this.#isWaiting = false;
    this.#drop();
  }

  #open(): void {
    const socket: Socket = connect(
      { port: this.#port, from: this.#from, isTls: this.#traffic.isTls },
      {
        onOctets: (octets) => {
          if (this.#socket === socket) this.#read(octets);
        },
        onClose: (why) => {
          if (this.#socket === socket) this.#fail(why);
        },
      },
    );
    this.#socket = socket;
    socket.write(upgradeOctets(this.#traffic.request.path, this.#port, KEY));
  }

  #read(octets: Buffer): void {
    if (this.#isUpgraded) {
      this.#take(octets.length);
      return;
    }
    this.#head += octets.toString('latin1');
    const end = this.#head.indexOf(HEAD_END);
    if (end < 0) return;
    if (!this.#head.startsWith('HTTP/1.1 101')) {
      this.#fail(`status ${this.#head.slice(9, 12)}`);
      return;
    }
    this.#isUpgraded = true;
    this.#socket!.write(this.#frame);
    const early = this.#head.length - end - HEAD_END.length;
    if (early > 0) this.#take(early);
  }

  #take(octets: number): void {
    this.#received += octets;
    if (this.#received < FRAME_BYTES) return;
    if (this.#received > FRAME_BYTES || !this.#isWaiting) {
      this.#fail('octets without a request');
      return;
    }
    this.#received = 0;
    this.#isWaiting = false;
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
    this.#isUpgraded = false;
    this.#head = '';
    this.#received = 0;
    socket?.destroy();
  }
}

function maskedFrame(): Buffer {
  const payload = Buffer.alloc(MESSAGE_BYTES, 'm').map((octet, i) => octet ^ MASK[i % MASK.length]!);
  // FIN and binary; masked, with the length in the same octet.
  return Buffer.concat([Buffer.from([0x82, 0x80 | MESSAGE_BYTES, ...MASK]), payload]);
}
