/**
 * Appends lines to a descriptor. It never throws, never blocks and keeps no process alive. Lines that exceed the buffer and
 * lines of a failed write are lost and counted; the next successful write reports them.
 */
import { type Descriptor, openPath, openStandard } from './descriptor.ts';
import { LineQueue, type Losses } from './line-queue.ts';

export interface LogDestinationOptions {
  /** Standard output (1), standard error (2), the path of a file, or an open descriptor. */
  readonly target: 1 | 2 | string | Descriptor;
  /** Whether child programs write to the same descriptor. Default false. */
  readonly isInherited?: boolean;
  /** Size of the buffer, characters. Default 1,048,576. */
  readonly maxLength?: number;
  /** Formats the log line that reports losses, with its line end. Default: no such line. */
  readonly report?: (losses: Losses) => string;
  /** Called once after losses, when a write succeeds again; with `report`, when the report is written. */
  readonly onRecovered?: (losses: Losses) => void;
  /** Called for each loss, with its reason. */
  readonly onLost?: (reason: string) => void;
  /** Called if `reopen` cannot open the file; the previous file stays open. */
  readonly onNotReopened?: (reason: string) => void;
}

const MAX_LENGTH = 1_048_576;
/** Pause after a failed write, milliseconds. */
const FAILED_PAUSE_MS = 1_000;
/** Pauses while the reader is slow, milliseconds; each is twice the previous one. */
const FIRST_PAUSE_MS = 5;
const LAST_PAUSE_MS = 100;
/** Number and length (milliseconds) of the pauses for the reader at exit and in `close`. */
const END_PAUSES = 20;
const END_PAUSE_MS = 5;
/** The reason of losses if no write has failed. */
const TOO_SLOW = 'written too slowly';

/** For synchronous pauses by Atomics.wait. */
const NEVER_CHANGED = new Int32Array(new SharedArrayBuffer(4));

export class LogDestination {
  readonly #options: LogDestinationOptions;
  readonly #queue: LineQueue;
  #descriptor: Descriptor | undefined;
  #isReopenWanted = false;
  #pumping: Promise<void> | undefined;
  /** Octets that a thread of Node's pool is writing. */
  #inFlight = 0;
  #soon: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #slowPauseMs = FIRST_PAUSE_MS;
  /** Error code of the last write; `undefined` if it succeeded. */
  #failure: string | undefined;
  #isClosed = false;
  readonly #onExit = (): void => this.#writeNow();

  constructor(options: LogDestinationOptions) {
    const { maxLength = MAX_LENGTH, report } = options;
    this.#options = options;
    this.#queue = new LineQueue({ maxLength, ...(report && { report }) });
    process.on('exit', this.#onExit);
  }

  /** Lines lost since the start. */
  get lost(): number {
    return this.#queue.lost;
  }

  /** Opens the target before the first line. Rejects with the system error; the next line retries. */
  async open(): Promise<void> {
    this.#descriptor ??= await this.#opened();
  }

  /** Buffers one or more lines, each with its line end. After `close` they are lost. */
  write(lines: string): void {
    const reason = this.#failure ?? TOO_SLOW;
    if (!this.#queue.add(lines, reason)) this.#options.onLost?.(reason);
    if (this.#isClosed) this.#queue.abandon(reason);
    else this.#pumpSoon();
  }

  /** Opens the file of the same path again, after the current write has ended. No effect on standard streams. */
  reopen(): void {
    if (typeof this.#options.target !== 'string') return;
    this.#isReopenWanted = true;
    this.#pumpSoon();
  }

  /** Writes the buffered lines, waits at most 100 ms for the reader, and closes the file. Remaining lines are lost. */
  async close(): Promise<void> {
    this.#isClosed = true;
    process.off('exit', this.#onExit);
    clearImmediate(this.#soon);
    clearTimeout(this.#timer);
    await this.#pumping;
    await this.#pump();
    for (let pauses = 0; pauses < END_PAUSES && !this.#queue.isEmpty && this.#failure === undefined; pauses++) {
      await new Promise((resolve) => setTimeout(resolve, END_PAUSE_MS));
      await this.#pump();
    }
    this.#queue.abandon(this.#failure ?? TOO_SLOW);
    this.#descriptor?.close();
    this.#descriptor = undefined;
  }

  #pumpSoon(): void {
    if (this.#isClosed || this.#pumping || this.#timer) return;
    this.#soon ??= setImmediate(() => this.#start());
  }

  #start(): void {
    this.#soon = undefined;
    this.#pumping = this.#pump().finally(() => {
      this.#pumping = undefined;
      // Lines may have been added after the last check.
      if (!this.#queue.isEmpty || this.#isReopenWanted) this.#pumpSoon();
    });
  }

  /** Writes until the queue is empty, the reader is slow, or a write fails. */
  async #pump(): Promise<void> {
    try {
      if (this.#isReopenWanted) await this.#reopenNow();
      while (!this.#queue.isEmpty) {
        this.#descriptor ??= await this.#opened();
        const octets = this.#queue.next(this.#descriptor.maxOctets)!;
        const outcome = this.#descriptor.write(octets);
        if (typeof outcome !== 'number') this.#inFlight = octets.length;
        const count = await outcome;
        this.#inFlight = 0;
        if (count === 0) {
          this.#pause(this.#slowPauseMs);
          this.#slowPauseMs = Math.min(LAST_PAUSE_MS, this.#slowPauseMs * 2);
          return;
        }
        this.#slowPauseMs = FIRST_PAUSE_MS;
        this.#failure = undefined;
        this.#advance(count);
      }
    } catch (error) {
      this.#inFlight = 0;
      this.#onFailed(reasonOf(error));
    }
  }

  #onFailed(reason: string): void {
    this.#failure = reason;
    const before = this.#queue.lost;
    this.#queue.fail(reason);
    if (this.#queue.lost > before) this.#options.onLost?.(reason);
    this.#pause(FAILED_PAUSE_MS);
  }

  #pause(ms: number): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#pumpSoon();
    }, ms);
    this.#timer.unref();
  }

  #advance(count: number): void {
    const losses = this.#queue.advance(count);
    if (losses !== undefined) this.#options.onRecovered?.(losses);
  }

  async #reopenNow(): Promise<void> {
    this.#isReopenWanted = false;
    try {
      const descriptor = await this.#opened();
      this.#descriptor?.close();
      this.#descriptor = descriptor;
    } catch (error) {
      this.#options.onNotReopened?.(reasonOf(error));
    }
  }

  #opened(): Descriptor | Promise<Descriptor> {
    const { target, isInherited = false } = this.#options;
    if (typeof target === 'object') return target;
    return typeof target === 'string' ? openPath(target) : openStandard(target, isInherited);
  }

  /** At exit: writes the buffered lines synchronously, if the descriptor cannot block. */
  #writeNow(): void {
    try {
      // A file can no longer be opened here: openPath needs the event loop.
      const opened = this.#descriptor ?? (typeof this.#options.target === 'string' ? undefined : this.#opened());
      const descriptor = opened as Descriptor | undefined;
      if (descriptor?.writeNow === undefined) return;
      // Node completes the write in flight before it exits.
      if (this.#inFlight > 0) this.#queue.advance(this.#inFlight);
      for (let pauses = 0; pauses < END_PAUSES && !this.#queue.isEmpty; ) {
        const count = descriptor.writeNow(this.#queue.next(descriptor.maxOctets)!);
        this.#queue.advance(count);
        if (count > 0) continue;
        Atomics.wait(NEVER_CHANGED, 0, 0, END_PAUSE_MS);
        pauses += 1;
      }
    } catch {
      // The lines are lost, and no process remains to report it.
    }
  }
}

function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
}
