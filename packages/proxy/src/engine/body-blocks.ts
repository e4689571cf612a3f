/**
 * Memory for octets of bodies on their way out. A read is copied, because what is read is gone with the next one; in a
 * block that was used a moment ago the copy is in the CPU's caches, and nothing is left for the collector of garbage.
 *
 * Whoever needs a block holds it: who made it, who keeps it for another attempt, and each write until its octets have
 * left. The last to let go gives it back.
 */
import type { Writable } from 'node:stream';

/** As much as is read at once, and what a chunk has around it. */
const BLOCK_BYTES = 65_536 + 64;
/** Less than this comes from Node's own pool, and is left to the collector. */
const SMALL_BYTES = 4_096;
/** Memory that waits for its next use, blocks: 4 MiB. More is only needed while many are slow. */
const MAX_FREE = 64;

export class Block {
  readonly octets: Buffer;
  readonly #memory: Buffer | undefined;
  readonly #free: Buffer[];
  #holders = 1;

  /** Held by who makes it. Without `memory` nothing is given back. */
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

  /** Writes the octets; false when `socket` takes no more for now. */
  write(socket: Writable): boolean {
    if (this.#memory === undefined) return socket.write(this.octets);
    this.hold();
    // Called when the octets have left, and when they never will.
    return socket.write(this.octets, () => this.release());
  }
}

export class BodyBlocks {
  readonly #free: Buffer[] = [];

  /** A block of `bytes` octets, of which none is set. */
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

  /** Writes a copy of `octets[start, end)` to `socket`; false when it takes no more for now. */
  write(socket: Writable, octets: Buffer, start: number, end: number): boolean {
    const block = this.copy(octets, start, end);
    const hasRoom = block.write(socket);
    block.release();
    return hasRoom;
  }
}
