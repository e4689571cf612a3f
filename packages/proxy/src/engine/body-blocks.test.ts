import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { BodyBlocks } from './body-blocks.ts';

const BYTES = 20_000;

/** Accepts one write at a time, on request; keeps a copy of its octets. */
class SlowWritable extends Writable {
  readonly taken: Buffer[] = [];
  #next: (() => void) | undefined;

  override _write(octets: Buffer, _encoding: string, callback: (error?: Error) => void): void {
    this.#next = () => {
      this.taken.push(Buffer.from(octets));
      callback();
    };
  }

  take(): void {
    const next = this.#next;
    this.#next = undefined;
    next?.();
  }
}

function filled(value: number): Buffer {
  return Buffer.alloc(BYTES, value);
}

/** Memory of the blocks. */
function memoryOf({ octets }: { readonly octets: Buffer }): ArrayBufferLike {
  return octets.buffer;
}

test('a waiting write is not changed by later writes', async () => {
  const blocks = new BodyBlocks();
  const socket = new SlowWritable({ highWaterMark: 10 * BYTES });
  for (let value = 1; value <= 5; value++) blocks.write(socket, filled(value), 0, BYTES);
  for (let value = 1; value <= 5; value++) {
    socket.take();
    await new Promise((resolve) => setImmediate(resolve));
    blocks.make(BYTES).octets.fill(99);
  }
  assert.deepEqual(
    socket.taken.map((octets) => octets.equals(filled(octets[0]!)) && octets[0]),
    [1, 2, 3, 4, 5],
  );
});

test('memory is reused after its last holder releases it', async () => {
  const blocks = new BodyBlocks();
  const socket = new SlowWritable();
  const block = blocks.copy(filled(1), 0, BYTES);
  block.hold();
  block.write(socket);
  block.release();
  socket.take();
  await new Promise((resolve) => setImmediate(resolve));
  assert.notEqual(memoryOf(blocks.make(BYTES)), memoryOf(block));
  block.release();
  assert.equal(memoryOf(blocks.make(BYTES)), memoryOf(block));
});

test('a failed write releases its block too', async () => {
  const blocks = new BodyBlocks();
  const socket = new SlowWritable();
  blocks.write(socket, filled(1), 0, BYTES);
  const second = blocks.copy(filled(2), 0, BYTES);
  second.write(socket);
  second.release();
  socket.destroy();
  await once(socket, 'close');
  // The system releases the write in progress; then no later write is left.
  socket.take();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(memoryOf(blocks.make(BYTES)), memoryOf(second));
});
