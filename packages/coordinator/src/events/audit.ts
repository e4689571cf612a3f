/**
 * The audit: who changed what, why and when, as one JSON line per change in `audit.jsonl`. Entries that cannot be written are
 * kept up to a bound, and written later. Entries beyond the bound are lost, counted, and noted in the file.
 *
 * A full or broken disk never stops the coordinator, and is always reported, by `trouble` and `settled`.
 */
import { type FileHandle, open, rename } from 'node:fs/promises';
import { join } from 'node:path';

/** Beyond this size, bytes, the file is renamed to `audit.jsonl.1`, which replaces the previous one. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** Upper bound of the entries that wait for the disk, characters; further entries are lost. */
const MAX_WAITING_LENGTH = 1024 * 1024;
/** Upper bound of one write, characters. */
const PIECE_LENGTH = 64 * 1024;
/** Delay of the retry after a failed write, milliseconds. */
const FAILED_PAUSE_MS = 1_000;

export interface AuditEntry {
  /** Increases. Events and entries have one order. Absent from notes on lost entries. */
  readonly id?: number;
  readonly atUnixMs: number;
  readonly what: string;
  readonly message: string;
  readonly node?: string;
  readonly balancer?: string;
  readonly by?: string;
  readonly reason?: string;
  /** Address of the peer that sent the request. */
  readonly from?: string;
  /** Present if the entry is an event as well. */
  readonly isEvent?: true;
  /** The change of an operator, and what it has replaced. */
  readonly change?: string;
  readonly before?: unknown;
  readonly after?: unknown;
  /** Code of a refusal. */
  readonly code?: string;
  /** Number of refusals that this entry counts. */
  readonly count?: number;
}

/** The reason why entries are not on disk. */
export interface AuditTrouble {
  readonly path: string;
  /** Code of the error. */
  readonly reason: string;
  /** Number of entries that wait to be written. */
  readonly waiting: number;
}

interface Waiting {
  readonly line: string;
  /** False for a note that replaces lost entries. */
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
  /** Number of entries added, and of entries that are written or lost. */
  #added = 0;
  #done = 0;
  #lost = 0;
  /** Number of entries lost since the last note in the file. */
  #unnoted = 0;
  #lastLostAtUnixMs = 0;
  /** Error code of the last failed write. */
  #reason: string | undefined;
  /** The last line of the file is incomplete. */
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
   * The audit in `directory`; its file is opened for the first entry. Calls `onProblem` when writes begin to fail, and `onRecovered`
   * when all kept entries are written.
   */
  static async open(
    directory: string,
    onProblem: (error: Error) => void,
    onRecovered: () => void = () => {},
  ): Promise<Audit> {
    return new Audit(join(directory, 'audit.jsonl'), onProblem, onRecovered);
  }

  /** Number of entries lost since the start. */
  get lost(): number {
    return this.#lost;
  }

  get path(): string {
    return this.#path;
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
   * Resolves when all entries so far are written or cannot be written, or after `limitMs`. The value is the reason why they are
   * not on disk, or `undefined` if they are. Retries a failed write first.
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

  /** Writes the waiting entries a last time, and closes the file. Entries that cannot be written are lost. */
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

  /** A line that replaces lost entries. It is not an entry itself. */
  #noteLosses(): void {
    if (this.#unnoted === 0) return;
    const message = `${this.#unnoted} entries before this line were lost (${this.#reason ?? 'the disk is too slow'})`;
    this.#keep({ line: lineOf({ atUnixMs: this.#lastLostAtUnixMs, what: 'audit', message }), isEntry: false });
    this.#unnoted = 0;
  }

  /** Writes all waiting entries. Never rejects. A concurrent call waits for the first. */
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
      // The retry opens the file again: its directory may be another one by then.
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

  /** Writes all of the text or nothing: after an error the file is truncated to its previous length. */
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
    // A directory that was deleted and created again has another file.
    if (this.#file !== undefined && (await this.#file.stat()).nlink > 0) return this.#file;
    await this.#closeFile();
    const file = await open(this.#path, 'a', 0o600);
    this.#bytes = (await file.stat()).size;
    this.#file = file;
    return file;
  }

  async #rotate(): Promise<void> {
    // After a failed rename, the next attempt follows after as many bytes again.
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
