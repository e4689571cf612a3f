/** Writes texts to one socket: directly to its handle if possible, and then together with texts of other sockets. */
import type net from 'node:net';
import { getSystemErrorName } from 'node:util';
import { type DirectWrites, textHandle } from './direct-write.ts';
import type { Outbox, WaitingWriter } from './outbox.ts';

/** Longer texts of a socket are written at once, characters. */
const MAX_WAITING = 16_384;

export class TextWriter implements WaitingWriter {
  readonly #socket: net.Socket;
  readonly #direct: DirectWrites | undefined;
  readonly #outbox: Outbox | undefined;
  readonly #onDrained: () => void;
  readonly #onComplete: (status: number) => void;
  /** Text that waits in the outbox. */
  #waiting = '';
  /** Writes that the kernel did not accept at once. */
  #queued = 0;

  /** `onDrained`: queued texts have been written. The socket's own `drain` is separate. */
  constructor(
    socket: net.Socket,
    direct: DirectWrites | undefined,
    onDrained: () => void,
    outbox: Outbox | undefined = undefined,
  ) {
    this.#socket = socket;
    this.#direct = direct;
    this.#outbox = outbox;
    this.#onDrained = onDrained;
    this.#onComplete = (status) => {
      this.#queued--;
      if (status < 0) this.#fail(status);
      else if (this.#queued === 0) this.#onDrained();
    };
  }

  /** True while the kernel has not accepted all written texts. */
  get hasQueued(): boolean {
    return this.#queued > 0 || this.#waiting !== '' || this.#socket.writableLength > 0;
  }

  /** True if the socket accepts more; otherwise `onDrained`, or the socket's `drain`, follows. */
  write(text: string): boolean {
    if (this.#direct === undefined || !this.#isFree()) {
      this.flush();
      return this.#socket.write(text, 'latin1');
    }
    const isFirst = this.#waiting === '';
    if (this.#outbox === undefined || (!this.#outbox.asksToWait() && isFirst))
      return this.#writeNow(this.#direct, text);
    this.#waiting += text;
    // Only now: a full outbox writes the texts of its writers at once.
    if (isFirst) this.#outbox.add(this);
    if (this.#waiting.length > MAX_WAITING) this.flush();
    return this.#queued === 0;
  }

  /** Writes the waiting text. Has to be called before the socket is used in any other way. */
  flush(): void {
    if (this.#waiting === '') return;
    const text = this.#waiting;
    this.#waiting = '';
    if (this.#socket.destroyed) return;
    if (this.#direct !== undefined && this.#isFree()) this.#writeNow(this.#direct, text);
    else this.#socket.write(text, 'latin1');
  }

  /** True if no queued write precedes a text that is written to the handle. */
  #isFree(): boolean {
    const socket = this.#socket;
    return (
      !socket.connecting && socket.writableLength === 0 && !socket.writableEnded && textHandle(socket) !== undefined
    );
  }

  #writeNow(direct: DirectWrites, text: string): boolean {
    const result = direct.write(textHandle(this.#socket)!, text, this.#onComplete);
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
