/**
 * Writing a text straight to the handle of a socket. `socket.write` keeps books for streams of any kind, which costs a
 * tenth of a whole request; a message of ours is one text, and the kernel takes it at once nearly always. What it does
 * not take is queued by libuv, in order with whatever else is written to the socket.
 *
 * This leans on parts of Node that are reachable but not promised. `tryHandles` tries them at the start; without them
 * every text goes through `socket.write`.
 */
import type net from 'node:net';

/** A write under way; Node's own class. */
interface WriteRequest {
  oncomplete?: (status: number) => void;
}

/** What we use of Node's `stream_wrap`. */
interface StreamWrap {
  readonly WriteWrap: new () => WriteRequest;
  readonly streamBaseState: ArrayLike<number>;
  readonly kLastWriteWasAsync: number;
}

export interface TextHandle {
  /** Zero, or a negative system error. */
  writeLatin1String(request: WriteRequest, text: string): number;
}

/** The handle of `socket`, when it has one. */
export function textHandle(socket: net.Socket): TextHandle | undefined {
  return (socket as net.Socket & { readonly _handle?: TextHandle | null })._handle ?? undefined;
}

/** Direct writes of one engine. */
export class DirectWrites {
  readonly #wrap: StreamWrap;
  /** Given to each write, and given away to one that the kernel did not take at once. */
  #request: WriteRequest;

  /** Throws where Node does not let us. */
  constructor() {
    const { binding } = process as unknown as { binding(name: string): unknown };
    this.#wrap = binding.call(process, 'stream_wrap') as StreamWrap;
    this.#request = new this.#wrap.WriteWrap();
  }

  /** Writes `text` to `handle`: 0 taken whole, 1 queued, `onComplete` comes later; negative: a system error. */
  write(handle: TextHandle, text: string, onComplete: (status: number) => void): number {
    const error = handle.writeLatin1String(this.#request, text);
    if (error !== 0) return error;
    const { streamBaseState, kLastWriteWasAsync, WriteWrap } = this.#wrap;
    if (streamBaseState[kLastWriteWasAsync] === 0) return 0;
    this.#request.oncomplete = onComplete;
    this.#request = new WriteWrap();
    return 1;
  }
}
