/**
 * Reads the packets of a node, in any segmentation. Body octets are reported where they are, without a copy. Other packets are collected,
 * at most one at a time and within the size of a packet. Never throws, and never reads beyond the given octets.
 */
import { HEADER_BYTES } from './packets.ts';

/** Codes of the packets of a node. */
const CODE = { SEND_BODY_CHUNK: 3, SEND_HEADERS: 4, END_RESPONSE: 5, GET_BODY_CHUNK: 6, CPONG: 9 } as const;

/**
 * - `more`: all octets were read.
 * - `body`: `octets[bodyStart, bodyEnd)` are a part of the answer's body.
 * - `head`: `packet` is SEND_HEADERS, for `responseHead`.
 * - `body-request`: the node asks for at most `wanted` octets of the request's body.
 * - `end`: the answer is complete; `mayReuse`: the connection stays open.
 * - `pong`: the answer to CPING.
 * - `broken`: not a valid packet; `why` is the reason. Nothing behind it can be read.
 */
export type Found = 'more' | 'body' | 'head' | 'body-request' | 'end' | 'pong' | 'broken';

type State = 'header' | 'collect' | 'chunk-length' | 'chunk' | 'chunk-end' | 'broken';

export class PacketReader {
  /** Where the next `read` continues. */
  at = 0;
  bodyStart = 0;
  bodyEnd = 0;
  wanted = 0;
  mayReuse = false;
  why = '';
  packet: Buffer = Buffer.alloc(0);
  #state: State = 'header';
  /** Header and code of a packet, then the length of a chunk. */
  readonly #start = Buffer.alloc(HEADER_BYTES + 3);
  #have = 0;
  #code = 0;
  /** Octets of the payload. */
  #length = 0;
  /** Data of a chunk that is still to come. */
  #left = 0;
  /** Octets behind the data of a chunk: some nodes send a zero. */
  #trailing = 0;

  /** True between two packets. */
  get isBetween(): boolean {
    return this.#state === 'header' && this.#have === 0;
  }

  /** True within a packet that may belong to an answer. */
  get isInAnswer(): boolean {
    return this.#have > HEADER_BYTES && this.#code !== CODE.GET_BODY_CHUNK && this.#code !== CODE.CPONG;
  }

  /** Reads `octets[start…]` up to the next event. */
  read(octets: Buffer, start: number): Found {
    this.at = start;
    for (;;) {
      switch (this.#state) {
        case 'header': {
          if (!this.#take(octets, HEADER_BYTES + 1)) return 'more';
          const why = this.#onHeader();
          if (why !== undefined) return this.#break(why);
          break;
        }
        case 'chunk-length':
          if (!this.#take(octets, HEADER_BYTES + 3)) return 'more';
          this.#left = this.#start.readUInt16BE(HEADER_BYTES + 1);
          this.#trailing = this.#length - 3 - this.#left;
          if (this.#trailing < 0 || this.#trailing > 1)
            return this.#break(`a chunk of ${this.#left} octets in a packet of ${this.#length}`);
          this.#state = 'chunk';
          break;
        case 'chunk': {
          if (this.#left === 0) {
            this.#state = 'chunk-end';
            break;
          }
          if (this.at >= octets.length) return 'more';
          this.bodyStart = this.at;
          this.bodyEnd = Math.min(octets.length, this.at + this.#left);
          this.#left -= this.bodyEnd - this.bodyStart;
          this.at = this.bodyEnd;
          return 'body';
        }
        case 'chunk-end':
          if (this.#trailing > 0 && this.at >= octets.length) return 'more';
          this.at += this.#trailing;
          this.#next();
          break;
        case 'collect': {
          const bytes = Math.min(octets.length - this.at, this.packet.length - this.#have);
          octets.copy(this.packet, this.#have, this.at, this.at + bytes);
          this.#have += bytes;
          this.at += bytes;
          if (this.#have < this.packet.length) return 'more';
          return this.#onPacket();
        }
        case 'broken':
          return 'broken';
        default:
          return this.#state satisfies never;
      }
    }
  }

  /** Collects octets into `#start` until it has `bytes`. */
  #take(octets: Buffer, bytes: number): boolean {
    while (this.#have < bytes && this.at < octets.length) {
      this.#start[this.#have++] = octets[this.at++]!;
      // A wrong magic is detected with its first octet: the rest may never come.
      if (this.#have === 1 && this.#start[0] !== 0x41) return true;
    }
    return this.#have >= bytes;
  }

  /** Returns a sentence about an error, or undefined. */
  #onHeader(): string | undefined {
    if (this.#start[0] !== 0x41 || this.#start[1] !== 0x42) return 'a packet without the magic AB';
    this.#length = this.#start.readUInt16BE(2);
    this.#code = this.#start[HEADER_BYTES]!;
    switch (this.#code) {
      case CODE.SEND_BODY_CHUNK:
        if (this.#length < 3) return `a chunk packet of ${this.#length} octets`;
        this.#state = 'chunk-length';
        return undefined;
      case CODE.SEND_HEADERS:
        return this.#collect(7, 0xffff);
      case CODE.END_RESPONSE:
        return this.#collect(2, 2);
      case CODE.GET_BODY_CHUNK:
        return this.#collect(3, 3);
      case CODE.CPONG:
        return this.#collect(1, 1);
      default:
        return `a packet with the code ${this.#code}`;
    }
  }

  #collect(lowest: number, highest: number): string | undefined {
    if (this.#length < lowest || this.#length > highest)
      return `a packet with the code ${this.#code} of ${this.#length} octets`;
    this.packet = Buffer.allocUnsafe(this.#length);
    this.packet[0] = this.#code;
    this.#have = 1;
    this.#state = 'collect';
    return undefined;
  }

  #onPacket(): Found {
    this.#next();
    switch (this.#code) {
      case CODE.SEND_HEADERS:
        return 'head';
      case CODE.END_RESPONSE:
        this.mayReuse = this.packet[1] === 1;
        return 'end';
      case CODE.GET_BODY_CHUNK:
        this.wanted = this.packet.readUInt16BE(1);
        return this.wanted === 0 ? this.#break('a request for no octets') : 'body-request';
      default:
        return 'pong';
    }
  }

  #next(): void {
    this.#state = 'header';
    this.#have = 0;
  }

  #break(why: string): 'broken' {
    this.why = why;
    this.#state = 'broken';
    return 'broken';
  }
}
