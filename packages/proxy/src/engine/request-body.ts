/**
 * The body of one request on its way to a node: finds its end, makes it canonical (a length, or chunks of our own), and
 * keeps a small one until an answer begins, so that another attempt can send it again. Used again for each request of a
 * connection.
 */
import { ChunkedDecoder, type ChunkLimits } from '../http1/chunked.ts';

const LAST_CHUNK = Buffer.from('0\r\n\r\n', 'latin1');
const NOTHING: Buffer = Buffer.alloc(0);

export class RequestBody {
  /** Nothing of it is to come. */
  isComplete = true;
  /** It breaks its own framing; what was read before may have been sent. */
  isBroken = false;
  /** Octets read from the client so far, framing included. */
  bytesRead = 0;
  readonly #decoder: ChunkedDecoder;
  #isChunked = false;
  #left = 0;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #isWhole = true;

  constructor(limits: ChunkLimits) {
    this.#decoder = new ChunkedDecoder(limits);
  }

  /** Another request, whose body has `length` octets; -1 for chunks. */
  begin(length: number): void {
    this.isComplete = length === 0;
    this.isBroken = false;
    this.bytesRead = 0;
    this.#isChunked = length < 0;
    this.#left = length;
    if (length < 0) this.#decoder.reset();
    if (this.#keptBytes > 0) this.forget();
    this.#isWhole = true;
  }

  /** Where in `octets[start…]` the part that belongs to the body ends; `piece` is then what a node gets of it. */
  read(octets: Buffer, start: number): number {
    const end = this.#isChunked ? this.#readChunks(octets, start) : this.#readLength(octets, start);
    this.bytesRead += end - start;
    return end;
  }

  /** What the last `read` found, ready to be written; empty when there was nothing. A copy: it outlives what was read. */
  piece: Buffer = NOTHING;

  #readLength(octets: Buffer, start: number): number {
    const end = Math.min(octets.length, start + this.#left);
    this.#left -= end - start;
    if (this.#left === 0) this.isComplete = true;
    this.piece = end === start ? NOTHING : Buffer.from(octets.subarray(start, end));
    return end;
  }

  #readChunks(octets: Buffer, start: number): number {
    const decoder = this.#decoder;
    const end = decoder.decode(octets, start, octets.length);
    this.isBroken = decoder.isBroken;
    this.isComplete = decoder.isDone;
    this.piece = this.isBroken ? NOTHING : chunkOf(octets, decoder.payloadStart, decoder.payloadEnd, this.isComplete);
    return end;
  }

  /** Keeps `piece` for another attempt as long as the whole stays within `maxBytes`. */
  keep(maxBytes: number): void {
    if (!this.#isWhole || this.piece.length === 0) return;
    if (this.#keptBytes + this.piece.length > maxBytes) {
      this.forget();
      this.#isWhole = false;
      return;
    }
    this.#kept.push(this.piece);
    this.#keptBytes += this.piece.length;
  }

  /** Everything that was sent is still at hand. */
  get canReplay(): boolean {
    return this.#isWhole;
  }

  get kept(): readonly Buffer[] {
    return this.#kept;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  forget(): void {
    this.#kept = [];
    this.#keptBytes = 0;
  }
}

/** `octets[from, to)` as one chunk, and the last chunk behind it when `isLast`. */
function chunkOf(octets: Buffer, from: number, to: number, isLast: boolean): Buffer {
  if (to === from) return isLast ? LAST_CHUNK : NOTHING;
  const size = `${(to - from).toString(16)}\r\n`;
  const end = isLast ? '\r\n0\r\n\r\n' : '\r\n';
  const chunk = Buffer.allocUnsafe(size.length + to - from + end.length);
  chunk.write(size, 0, 'latin1');
  octets.copy(chunk, size.length, from, to);
  chunk.write(end, chunk.length - end.length, 'latin1');
  return chunk;
}
