/**
 * Writes a text directly to the handle of a socket. The bookkeeping of `socket.write` costs a tenth of a request. A message of the engine
 * is one text, and the kernel accepts it at once nearly always. libuv queues the rest, in order with other writes to the socket.
 *
 * This uses undocumented parts of Node. `tryHandles` tests them at the start. Without them every text is written by `socket.write`.
 */
import type net from 'node:net';

/** A write in progress; Node's own class. */
interface WriteRequest {
  oncomplete?: (status: number) => void;
}

/** The part of Node's `stream_wrap` that is used. */
interface StreamWrap {
  readonly WriteWrap: new () => WriteRequest;
  readonly streamBaseState: ArrayLike<number>;
  readonly kLastWriteWasAsync: number;
}

export interface TextHandle {
  /** Zero, or a negative system error. */
  writeLatin1String(request: WriteRequest, text: string): number;
}

/** The handle of `socket`, if it has one. */
export function textHandle(socket: net.Socket): TextHandle | undefined {
  return (socket as net.Socket & { readonly _handle?: TextHandle | null })._handle ?? undefined;
}

/** Direct writes of one engine. */
export class DirectWrites {
  readonly #wrap: StreamWrap;
  /** Used for each write until the kernel does not accept one at once; that write keeps it. */
  #request: WriteRequest;

  /** Throws if this version of Node does not support it. */
  constructor() {
    const { binding } = process as unknown as { binding(name: string): unknown };
    this.#wrap = binding.call(process, 'stream_wrap') as StreamWrap;
    this.#request = new this.#wrap.WriteWrap();
  }

  /** Writes `text` to `handle`. Returns 0 if all was written, 1 if it is queued and `onComplete` follows, or a negative system error. */
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
