/**
 * Writing a text straight to the handle of a socket. `socket.write` keeps books for streams of any kind, which costs a
 * tenth of a whole request; a message of ours is one text, and the kernel takes it at once nearly always. What it does
 * not take is queued by libuv, in order with whatever else is written to the socket.
 *
 * This leans on parts of Node that are reachable but not promised. `HandleTrial` tries them at the start; without them
 * every text goes through `socket.write`.
 */
import type net from 'node:net';
import { getSystemErrorName } from 'node:util';

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

interface TextHandle {
  /** Zero, or a negative system error. */
  writeLatin1String(request: WriteRequest, text: string): number;
}

type WithHandle = net.Socket & { readonly _handle?: TextHandle | null };

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

/** Writes texts to one socket, directly where `direct` is given and nothing stands before them. */
export class TextWriter {
  readonly #socket: WithHandle;
  readonly #direct: DirectWrites | undefined;
  readonly #onDrained: () => void;
  readonly #onComplete: (status: number) => void;
  #queued = 0;

  /** `onDrained`: what had been queued has left. The socket's own `drain` comes beside it. */
  constructor(socket: net.Socket, direct: DirectWrites | undefined, onDrained: () => void) {
    this.#socket = socket;
    this.#direct = direct;
    this.#onDrained = onDrained;
    this.#onComplete = (status) => {
      this.#queued--;
      if (status < 0) this.#fail(status);
      else if (this.#queued === 0) this.#onDrained();
    };
  }

  /** Something that was written has not been taken by the kernel yet. */
  get hasQueued(): boolean {
    return this.#queued > 0 || this.#socket.writableLength > 0;
  }

  /** True when the socket takes more; false: after `onDrained`, or the socket's `drain`. */
  write(text: string): boolean {
    const socket = this.#socket;
    const handle = socket._handle;
    if (
      this.#direct === undefined ||
      handle === null ||
      handle === undefined ||
      socket.connecting ||
      socket.writableLength > 0 ||
      socket.writableEnded
    )
      return socket.write(text, 'latin1');
    const result = this.#direct.write(handle, text, this.#onComplete);
    if (result === 0) return true;
    if (result < 0) this.#fail(result);
    else this.#queued++;
    return false;
  }

  #fail(status: number): void {
    if (this.#socket.destroyed) return;
    const code = getSystemErrorName(status);
    this.#socket.destroy(Object.assign(new Error(`write ${code}`), { code, errno: status, syscall: 'write' }));
  }
}
