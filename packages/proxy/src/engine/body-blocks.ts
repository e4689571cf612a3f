/**
 * Reused memory for octets of bodies. A read has to be copied, because the next read overwrites it. A copy into a recently used block
 * stays in the CPU caches, and leaves no work for the garbage collector.
 *
 * Each user of a block holds it: its creator, a request that keeps it for another attempt, and each write in progress. The last release
 * returns the block.
 */
import type { Writable } from 'node:stream';

/** Size of the largest read, plus the framing of a chunk. */
const BLOCK_BYTES = 65_536 + 64;
/** Smaller blocks come from Node's own pool, and are left to the garbage collector. */
const SMALL_BYTES = 4_096;
/** Free blocks that are kept, 4 MiB. More are needed only while many connections are slow. */
const MAX_FREE = 64;

export class Block {
  readonly octets: Buffer;
  readonly #memory: Buffer | undefined;
  readonly #free: Buffer[];
  #holders = 1;

  /** Held by its creator. Without `memory` nothing is returned. */
  constructor(octets: Buffer, memory: Buffer | undefined, free: Buffer[]) {
    this.octets = octets;
    this.#memory = memory;
    this.#free = free;
  }

  hold(): void {
    this.#holders++;
  }

  release(): void {
    if (--this.#holders > 0) return;
    if (this.#memory !== undefined && this.#free.length < MAX_FREE) this.#free.push(this.#memory);
  }

  /** Writes the octets; false if `socket` accepts no more for now. */
  write(socket: Writable): boolean {
    if (this.#memory === undefined) return socket.write(this.octets);
    this.hold();
    // Called after the write, and if the write fails.
    return socket.write(this.octets, () => this.release());
  }
}

export class BodyBlocks {
  readonly #free: Buffer[] = [];

  /** A block of `bytes` octets, not initialised. */
  make(bytes: number): Block {
    if (bytes < SMALL_BYTES || bytes > BLOCK_BYTES) return new Block(Buffer.allocUnsafe(bytes), undefined, this.#free);
    const memory = this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
    return new Block(memory.subarray(0, bytes), memory, this.#free);
  }

  copy(octets: Buffer, start: number, end: number): Block {
    const block = this.make(end - start);
    octets.copy(block.octets, 0, start, end);
    return block;
  }

  /** Writes a copy of `octets[start, end)` to `socket`; false if it accepts no more for now. */
  write(socket: Writable, octets: Buffer, start: number, end: number): boolean {
    const block = this.copy(octets, start, end);
    const hasRoom = block.write(socket);
    block.release();
    return hasRoom;
  }
}
