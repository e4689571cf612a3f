/**
 * Who changed what, why and when: one JSON line per change in `audit.jsonl`. Entries that cannot be written are kept, up to a
 * bound, and written once there is room; what does not fit is lost, counted, and noted in the file. A full or broken disk never
 * stops the coordinator, and never goes unnoticed: `trouble` and `settled` report it.
 */
import { type FileHandle, open, rename } from 'node:fs/promises';
import { join } from 'node:path';

/** The file is renamed to `audit.jsonl.1` beyond this, bytes; the one before is given up. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** Entries waiting for the disk beyond this are lost, characters. */
const MAX_WAITING_LENGTH = 1024 * 1024;
/** So much is written at a time, characters. */
const PIECE_LENGTH = 64 * 1024;
/** After a failed write, milliseconds. */
const FAILED_PAUSE_MS = 1_000;

export interface AuditEntry {
  readonly atUnixMs: number;
  readonly what: string;
  readonly message: string;
  readonly node?: string;
  readonly balancer?: string;
  readonly by?: string;
  readonly reason?: string;
  /** Address of the peer that asked. */
  readonly from?: string;
  /** Of a refusal. */
  readonly code?: string;
  /** Refusals that this entry sums up. */
  readonly count?: number;
}

/** Why entries are not on the disk. */
export interface AuditTrouble {
  readonly path: string;
  /** Code of the error. */
  readonly reason: string;
  /** Entries that wait to be written. */
  readonly waiting: number;
}

interface Waiting {
  readonly line: string;
  /** False for a note in the place of entries that are lost. */
  readonly isEntry: boolean;
}

export class Audit {
  readonly #path: string;
  readonly #onProblem: (error: Error) => void;
  readonly #onRecovered: () => void;
  #file: FileHandle | undefined;
  #bytes = 0;
  readonly #waiting: Waiting[] = [];
  #waitingLength = 0;
  /** Entries added, and those of them that are written or lost. */
  #added = 0;
  #done = 0;
  #lost = 0;
  /** Entries lost since the last note of it in the file. */
  #unnoted = 0;
  #lastLostAtUnixMs = 0;
  /** Why the last write failed. */
  #reason: string | undefined;
  /** The file ends within a line. */
  #isCut = false;
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  private constructor(path: string, onProblem: (error: Error) => void, onRecovered: () => void) {
    this.#path = path;
    this.#onProblem = onProblem;
    this.#onRecovered = onRecovered;
  }

  /**
   * The audit in `directory`; its file is opened for the first entry. `onProblem` is called when writes begin to fail,
   * `onRecovered` when all that was kept is written.
   */
  static async open(
    directory: string,
    onProblem: (error: Error) => void,
    onRecovered: () => void = () => {},
  ): Promise<Audit> {
    return new Audit(join(directory, 'audit.jsonl'), onProblem, onRecovered);
  }

  /** Entries that did not, and will not, reach the disk since the start. */
  get lost(): number {
    return this.#lost;
  }

  /** `undefined` while writes succeed. */
  get trouble(): AuditTrouble | undefined {
    if (this.#reason === undefined) return undefined;
    return { path: this.#path, reason: this.#reason, waiting: entriesIn(this.#waiting) };
  }

  add(entry: AuditEntry): void {
    this.#added += 1;
    const line = lineOf(entry);
    if (this.#isClosed || this.#waitingLength + line.length > MAX_WAITING_LENGTH) {
      this.#lose(1, entry.atUnixMs);
      return;
    }
    this.#noteLosses();
    this.#keep({ line, isEntry: true });
    if (this.#timer === undefined) void this.#write();
  }

  /**
   * Resolves when all entries so far are written, or cannot be, or after `limitMs`: with why they are not on the disk, or
   * `undefined` when they are. A failed write is tried again first.
   */
  async settled(limitMs: number): Promise<string | undefined> {
    const mark = this.#added;
    const hasLost = this.#unnoted > 0;
    if (this.#waiting.length === 0 && !hasLost) return undefined;
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limitMs);
    });
    await Promise.race([this.#write(), limit]);
    clearTimeout(timer);
    const file = `${this.#path} ${this.#reason === undefined ? 'is written too slowly' : `cannot be written (${this.#reason})`}`;
    if (hasLost) return `entries of the audit are lost: ${file}`;
    return this.#done >= mark ? undefined : `the audit entry is not written yet: ${file}; it is kept and tried again`;
  }

  /** Tries a last time to write what waits, and closes the file. What is left is lost. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    await this.#writing;
    await this.#write();
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#lose(entriesIn(this.#waiting), 0);
    this.#waiting.length = 0;
    await this.#closeFile();
  }

  #keep(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#waitingLength += waiting.line.length;
  }

  #lose(entries: number, atUnixMs: number): void {
    this.#lost += entries;
    this.#done += entries;
    this.#unnoted += entries;
    this.#lastLostAtUnixMs = atUnixMs;
  }

  /** A line in the place of those that are lost. It is no entry. */
  #noteLosses(): void {
    if (this.#unnoted === 0) return;
    const message = `${this.#unnoted} entries before this line were lost (${this.#reason ?? 'the disk is too slow'})`;
    this.#keep({ line: lineOf({ atUnixMs: this.#lastLostAtUnixMs, what: 'audit', message }), isEntry: false });
    this.#unnoted = 0;
  }

  /** Writes all that waits. Never rejects. A repeat waits for the first. */
  #write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #writeAll(): Promise<void> {
    try {
      for (;;) {
        let count = 0;
        let text = '';
        while (count < this.#waiting.length && text.length < PIECE_LENGTH) text += this.#waiting[count++]!.line;
        if (count === 0) break;
        await this.#append(Buffer.from((this.#isCut ? '\n' : '') + text));
        this.#isCut = false;
        this.#waitingLength -= text.length;
        this.#done += entriesIn(this.#waiting.splice(0, count));
        this.#noteLosses();
        if (this.#bytes > MAX_FILE_BYTES) await this.#rotate();
      }
      if (this.#reason === undefined) return;
      this.#reason = undefined;
      this.#onRecovered();
    } catch (error) {
      // Opened again for the next try: the directory may be another one by then.
      await this.#closeFile();
      this.#onFailed(error as NodeJS.ErrnoException);
    }
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(this.#onProblem);
  }

  #onFailed(error: NodeJS.ErrnoException): void {
    const reason = error.code ?? error.message;
    if (this.#reason === undefined) this.#onProblem(error);
    this.#reason = reason;
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#write(), FAILED_PAUSE_MS);
    this.#timer.unref();
  }

  /** All of it, or nothing: what was written before an error is taken back. */
  async #append(octets: Buffer): Promise<void> {
    const file = await this.#opened();
    let written = 0;
    try {
      while (written < octets.length) written += (await file.write(octets, written)).bytesWritten;
      this.#bytes += written;
    } catch (error) {
      if (written > 0) await this.#takeBack(file, written);
      throw error;
    }
  }

  async #takeBack(file: FileHandle, written: number): Promise<void> {
    try {
      const { size } = await file.stat();
      await file.truncate(size - written);
    } catch {
      this.#bytes += written;
      this.#isCut = true;
    }
  }

  async #opened(): Promise<FileHandle> {
    // A directory that was removed and made again has another file.
    if (this.#file !== undefined && (await this.#file.stat()).nlink > 0) return this.#file;
    await this.#closeFile();
    const file = await open(this.#path, 'a', 0o600);
    this.#bytes = (await file.stat()).size;
    this.#file = file;
    return file;
  }

  async #rotate(): Promise<void> {
    // Without a rename it is tried again after as much again.
    this.#bytes = 0;
    try {
      await rename(this.#path, `${this.#path}.1`);
      await this.#closeFile();
    } catch (error) {
      this.#onProblem(error as Error);
    }
  }
}

function entriesIn(waiting: readonly Waiting[]): number {
  return waiting.reduce((sum, { isEntry }) => sum + Number(isEntry), 0);
}

function lineOf(entry: AuditEntry): string {
  return `${JSON.stringify(entry)}\n`;
}
