/**
 * The body of one request on its way to a node. Finds its end, and makes its framing canonical: a length, or chunks of the proxy. Keeps a
 * small body until an answer begins, for another attempt. Reused for each request of a connection.
 */
import { ChunkedDecoder, type ChunkLimits, LAST_CHUNK } from '../http1/chunked.ts';
import type { Block, BodyBlocks } from './body-blocks.ts';

export class RequestBody {
  /** No more of it will arrive. */
  isComplete = true;
  /** Its framing is invalid; earlier parts may have been sent. */
  isBroken = false;
  /** Octets read from the client so far, including framing. */
  bytesRead = 0;
  readonly #decoder: ChunkedDecoder;
  #isChunked = false;
  #left = 0;
  readonly #blocks: BodyBlocks;
  #kept: Block[] = [];
  #keptBytes = 0;
  #isWhole = true;

  constructor(limits: ChunkLimits, blocks: BodyBlocks) {
    this.#blocks = blocks;
    this.#decoder = new ChunkedDecoder(limits);
  }

  /** Starts the next request, whose body has `length` octets; -1 for chunks. */
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

  /** Returns where the body ends in `octets[start…]`. `piece` is then the part for the node, and is released after the write. */
  read(octets: Buffer, start: number): number {
    const end = this.#isChunked ? this.#readChunks(octets, start) : this.#readLength(octets, start);
    this.bytesRead += end - start;
    return end;
  }

  /** Result of the last `read`, ready to be written. A copy, which stays valid after the next read. */
  piece: Block | undefined;

  #readLength(octets: Buffer, start: number): number {
    const end = Math.min(octets.length, start + this.#left);
    this.#left -= end - start;
    if (this.#left === 0) this.isComplete = true;
    this.piece = end === start ? undefined : this.#blocks.copy(octets, start, end);
    return end;
  }

  #readChunks(octets: Buffer, start: number): number {
    const decoder = this.#decoder;
    const end = decoder.decode(octets, start, octets.length);
    this.isBroken = decoder.isBroken;
    this.isComplete = decoder.isDone;
    this.piece = this.isBroken ? undefined : this.#chunkOf(octets, decoder.payloadStart, decoder.payloadEnd);
    return end;
  }

  /** `octets[from, to)` as one chunk, with the last chunk behind it if the body is complete. */
  #chunkOf(octets: Buffer, from: number, to: number): Block | undefined {
    const before = to === from ? '' : `${(to - from).toString(16)}\r\n`;
    const after = `${to === from ? '' : '\r\n'}${this.isComplete ? LAST_CHUNK : ''}`;
    const bytes = before.length + to - from + after.length;
    if (bytes === 0) return undefined;
    const block = this.#blocks.make(bytes);
    block.octets.write(before, 0, 'latin1');
    octets.copy(block.octets, before.length, from, to);
    block.octets.write(after, bytes - after.length, 'latin1');
    return block;
  }

  /** Keeps `piece` for another attempt while the whole stays within `maxBytes`. */
  keep(maxBytes: number): void {
    const { piece } = this;
    if (!this.#isWhole || piece === undefined) return;
    if (this.#keptBytes + piece.octets.length > maxBytes) {
      this.forget();
      this.#isWhole = false;
      return;
    }
    piece.hold();
    this.#kept.push(piece);
    this.#keptBytes += piece.octets.length;
  }

  /** Everything that was sent is still held. */
  get canReplay(): boolean {
    return this.#isWhole;
  }

  get kept(): readonly Block[] {
    return this.#kept;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  forget(): void {
    for (const piece of this.#kept) piece.release();
    this.#kept = [];
    this.#keptBytes = 0;
  }
}
