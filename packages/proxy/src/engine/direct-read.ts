/**
 * Hearing of what was read straight from the handle of a socket. Node's own way there asks of every read whether the
 * socket has a timer, a buffer, a parser; ours always reads into a buffer of its owner. Ends and errors still go Node's
 * way.
 *
 * This leans on parts of Node that are reachable but not promised. `tryHandles` tries them at the start; without them
 * sockets call `onread.callback` as Node does it.
 */
import type net from 'node:net';

/** What we use of Node's `stream_wrap`. */
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

  /** Throws where Node does not let us. */
  constructor() {
    const { binding } = process as unknown as { binding(name: string): unknown };
    const { streamBaseState, kReadBytesOrError } = binding.call(process, 'stream_wrap') as StreamWrap;
    if (streamBaseState === undefined || kReadBytesOrError === undefined) throw new Error('no state of reads');
    this.#state = streamBaseState;
    this.#at = kReadBytesOrError;
  }

  /** `onRead` hears how many octets came into the buffer of `socket`, which was made with one. */
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
