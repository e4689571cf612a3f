/** Writes texts to one socket: straight to its handle where that works, and then together with those of other sockets. */
import type net from 'node:net';
import { getSystemErrorName } from 'node:util';
import { type DirectWrites, textHandle } from './direct-write.ts';
import type { Outbox } from './outbox.ts';

/** Beyond this much a socket's texts do not wait for others, characters. */
const MAX_WAITING = 16_384;

export class TextWriter {
  readonly #socket: net.Socket;
  readonly #direct: DirectWrites | undefined;
  readonly #outbox: Outbox | undefined;
  readonly #onDrained: () => void;
  readonly #onComplete: (status: number) => void;
  /** Written, and waiting in the outbox. */
  #waiting = '';
  /** Writes that the kernel did not take at once. */
  #queued = 0;

  /** `onDrained`: what had been queued has left. The socket's own `drain` comes beside it. */
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

  /** Something that was written has not been taken by the kernel yet. */
  get hasQueued(): boolean {
    return this.#queued > 0 || this.#waiting !== '' || this.#socket.writableLength > 0;
  }

  /** True when the socket takes more; false: after `onDrained`, or the socket's `drain`. */
  write(text: string): boolean {
    if (this.#direct === undefined || !this.#isFree()) {
      this.flush();
      return this.#socket.write(text, 'latin1');
    }
    const isFirst = this.#waiting === '';
    if (this.#outbox === undefined || (!this.#outbox.asksToWait() && isFirst))
      return this.#writeNow(this.#direct, text);
    this.#waiting += text;
    // Only now: a full outbox writes at once what its writers have.
    if (isFirst) this.#outbox.add(this);
    if (this.#waiting.length > MAX_WAITING) this.flush();
    return this.#queued === 0;
  }

  /** Writes what waits. To be called before anything is done to the socket by other ways. */
  flush(): void {
    if (this.#waiting === '') return;
    const text = this.#waiting;
    this.#waiting = '';
    if (this.#socket.destroyed) return;
    if (this.#direct !== undefined && this.#isFree()) this.#writeNow(this.#direct, text);
    else this.#socket.write(text, 'latin1');
  }

  /** Nothing stands before a text that goes straight to the handle. */
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
