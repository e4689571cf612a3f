/**
 * Appends lines to a descriptor. It never throws, never blocks and keeps no process alive: what does not fit into memory
 * and what a failed write took is lost and counted, and made known once a write succeeds again.
 */
import { type Descriptor, openPath, openStandard } from './descriptor.ts';
import { LineQueue, type Losses } from './line-queue.ts';

export interface LogDestinationOptions {
  /** Standard output or standard error, the name of a file, or what is open already. */
  readonly target: 1 | 2 | string | Descriptor;
  /** Programs that are not ours write to the same descriptor. Default false. */
  readonly isInherited?: boolean;
  /** Characters kept while nothing can be written. Default 1 MiB. */
  readonly maxLength?: number;
  /** A line about losses, with its line end, for the log itself. */
  readonly report?: (losses: Losses) => string;
  /** A write has succeeded again; called after `report` is written, or for logs without one. */
  readonly onRecovered?: (losses: Losses) => void;
  /** Lines were lost. Called for each loss. */
  readonly onLost?: (reason: string) => void;
  /** A file could not be opened again under its name; the one opened before is kept. */
  readonly onNotReopened?: (reason: string) => void;
}

const MAX_LENGTH = 1_048_576;
/** After a failed write, milliseconds. */
const FAILED_PAUSE_MS = 1_000;
/** While the reader is slow, doubled from the first to the last, milliseconds. */
const FIRST_PAUSE_MS = 5;
const LAST_PAUSE_MS = 100;
/** At the end a reader that reads gets what is kept: it is waited for so often, so many milliseconds each time. */
const END_PAUSES = 20;
const END_PAUSE_MS = 5;
/** The reason when it is not an error. */
const TOO_SLOW = 'written too slowly';

/** What a synchronous pause waits on. */
const NEVER_CHANGED = new Int32Array(new SharedArrayBuffer(4));

export class LogDestination {
  readonly #options: LogDestinationOptions;
  readonly #queue: LineQueue;
  #descriptor: Descriptor | undefined;
  #isReopenWanted = false;
  #pumping: Promise<void> | undefined;
  /** Octets that a thread of Node's pool writes now. */
  #inFlight = 0;
  #soon: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #slowPauseMs = FIRST_PAUSE_MS;
  /** Why the last write failed. */
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

  /** Opens it before the first line. Rejects with the system's error when that cannot be; it is tried again with a line. */
  async open(): Promise<void> {
    this.#descriptor ??= await this.#opened();
  }

  /** Takes one or more lines, each with its line end. */
  write(lines: string): void {
    const reason = this.#failure ?? TOO_SLOW;
    if (!this.#queue.add(lines, reason)) this.#options.onLost?.(reason);
    if (this.#isClosed) this.#queue.abandon(reason);
    else this.#pumpSoon();
  }

  /** Continues in a new file of the same name, once what is being written is in the old one. Standard streams stay. */
  reopen(): void {
    if (typeof this.#options.target !== 'string') return;
    this.#isReopenWanted = true;
    this.#pumpSoon();
  }

  /** Writes what can be written, with at most a short wait for a reader, and closes the file. */
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
      // Lines may have come after the last look.
      if (!this.#queue.isEmpty || this.#isReopenWanted) this.#pumpSoon();
    });
  }

  /** Writes until nothing is left, the reader is slow, or a write fails. */
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

  /** At the end of the process: what is left, where that cannot block. */
  #writeNow(): void {
    try {
      // A file that is not open yet cannot be opened any more: that takes a turn of the event loop.
      const opened = this.#descriptor ?? (typeof this.#options.target === 'string' ? undefined : this.#opened());
      const descriptor = opened as Descriptor | undefined;
      if (descriptor?.writeNow === undefined) return;
      // Exit waits for what is in flight.
      if (this.#inFlight > 0) this.#queue.advance(this.#inFlight);
      for (let pauses = 0; pauses < END_PAUSES && !this.#queue.isEmpty; ) {
        const count = descriptor.writeNow(this.#queue.next(descriptor.maxOctets)!);
        this.#queue.advance(count);
        if (count > 0) continue;
        Atomics.wait(NEVER_CHANGED, 0, 0, END_PAUSE_MS);
        pauses += 1;
      }
    } catch {
      // The lines are lost, and so is the process that could report it.
    }
  }
}

function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
}
