/**
 * Receives octets directly from the handle of a socket. Node's own path checks at each read whether the socket has a timer, a buffer or a
 * parser. Sockets of the engine always read into a given buffer. Ends and errors still use Node's path.
 *
 * This uses undocumented parts of Node. `tryHandles` tests them at the start. Without them sockets call `onread.callback` in the normal
 * way.
 */
import type net from 'node:net';

/** The part of Node's `stream_wrap` that is used. */
interface StreamWrap {
  readonly streamBaseState: ArrayLike<number>;
  readonly kReadBytesOrError: number;
}

interface ReadingHandle {
  onread?: (this: unknown, octets: unknown) => unknown;
}

type WithHandle = net.Socket & { readonly _handle?: ReadingHandle | null };

export class DirectReads {
  readonly #state: ArrayLike<number>;
  readonly #at: number;

  /** Throws if this version of Node does not support it. */
  constructor() {
    const { binding } = process as unknown as { binding(name: string): unknown };
    const { streamBaseState, kReadBytesOrError } = binding.call(process, 'stream_wrap') as StreamWrap;
    if (streamBaseState === undefined || kReadBytesOrError === undefined) throw new Error('no state of reads');
    this.#state = streamBaseState;
    this.#at = kReadBytesOrError;
  }

  /** `onRead` gets the number of octets read into the buffer of `socket`, which was made with one. */
  attach(socket: net.Socket, onRead: (bytes: number) => void): void {
    const handle = (socket as WithHandle)._handle;
    const nodes = handle?.onread;
    if (handle === null || handle === undefined || typeof nodes !== 'function') return;
    const state = this.#state;
    const at = this.#at;
    handle.onread = function (octets) {
      const bytes = state[at]!;
      if (bytes > 0) onRead(bytes);
      else nodes.call(this, octets);
      return undefined;
    };
  }
}
