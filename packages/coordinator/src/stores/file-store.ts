/**
 * The store in files, for a coordinator that shares its records with no other: a snapshot and a journal of what has changed
 * since.
 *
 * Changes that come close together share one append and one sync; what `write` has answered is on the disk. The journal is
 * compacted into a new snapshot while appends go on. Each step leaves files that load completely: the new snapshot names the
 * point of the journal that it holds, and only then is the journal cut there.
 */
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Store, StoredRecord, WriteOutcome } from '@rollcall/core';
import { isNewer } from '@rollcall/core';
import { isAbsent, makeFolder } from '../files/whole-file.ts';
import { readContents, type StorePaths, storePaths } from './contents.ts';
import { Journal, journalId, lineOf, removalLine } from './journal.ts';
import type { JournalPoint } from './journal-point.ts';
import { type RecordLine, recordLine } from './record-line.ts';
import { type RecordLines, writeSnapshot } from './snapshot.ts';

export interface FileStoreOptions {
  /**
   * The snapshot; its folder is made when it is not there. Beside it are the journal (`.journal` for `.json`), during a write
   * `*.tmp`, and after damage `*.bad`.
   */
  readonly path: string;
  /** Called with one sentence about damage that was found and what was done about it. */
  readonly onProblem: (message: string) => void;
  /** At most one write to the disk in so many milliseconds. Default 20. */
  readonly intervalMs?: number;
  /** The journal is compacted when it is longer. Default 16 MiB. */
  readonly compactBytes?: number;
}

/** A change that waits for the next write to the disk. */
interface Waiting {
  readonly apply: (batch: Batch) => void;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** After a compaction that failed, the next one waits this long, milliseconds. */
const COMPACT_AGAIN_MS = 10_000;

/**
 * Opens the store. Never rejects: while the files cannot be read, `load` and `write` reject and read them again; while they
 * cannot be written, `write` does.
 */
export async function openFileStore(options: FileStoreOptions): Promise<Store> {
  const store = new FileStore(options);
  await store.whenRead().catch(() => undefined);
  return store;
}

class FileStore implements Store {
  readonly kind = 'file';
  readonly #paths: StorePaths;
  readonly #onProblem: (message: string) => void;
  readonly #intervalMs: number;
  readonly #compactBytes: number;
  #reading: Promise<void> | undefined;
  #isRead = false;
  /** What is on the disk. */
  #lines: RecordLines = new Map();
  #journal: Journal | undefined;
  /** End of the journal that was found and not opened yet. */
  #foundEnd: JournalPoint | undefined;
  /** What a journal has to follow; `undefined` when the next write has to be a snapshot. */
  #follows: JournalPoint | undefined;
  #isJournaled = false;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #lastWriteMs = Number.NEGATIVE_INFINITY;
  #compacting: Promise<void> | undefined;
  /** The snapshot holds the journal up to here. */
  #cutAt: JournalPoint | undefined;
  #compactNotBeforeMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor({ path, onProblem, intervalMs = 20, compactBytes = 16 * 1024 * 1024 }: FileStoreOptions) {
    this.#paths = storePaths(path);
    this.#onProblem = onProblem;
    this.#intervalMs = intervalMs;
    this.#compactBytes = compactBytes;
  }

  /** Resolves when the files have been read; rejects when the system does not let them, and a repeat tries again. */
  whenRead(): Promise<void> {
    this.#reading ??= this.#read().catch((error: unknown) => {
      this.#reading = undefined;
      throw error;
    });
    return this.#reading;
  }

  async load(): Promise<readonly StoredRecord[]> {
    this.#assertOpen();
    await this.whenRead();
    return [...this.#lines.values()].map(({ record }) => structuredClone(record));
  }

  async write(records: readonly StoredRecord[]): Promise<readonly WriteOutcome[]> {
    this.#assertOpen();
    const lines = records.map(recordLine);
    let outcomes: WriteOutcome[] = [];
    await this.#change((batch) => {
      outcomes = lines.map((line) => batch.write(line));
    });
    return outcomes;
  }

  async remove(keys: readonly string[]): Promise<void> {
    this.#assertOpen();
    await this.#change((batch) => {
      for (const key of keys) batch.remove(key);
    });
  }

  watch(): () => void {
    return () => {};
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#writing;
    if (this.#waiting.length > 0) await this.#writeOut();
    await this.#compacting;
    await this.#leaveSnapshot();
    await this.#journal?.close();
  }

  async #read(): Promise<void> {
    await makeFolder(dirname(this.#paths.snapshot)).catch(() => undefined);
    const { lines, follows, end, isJournaled } = await readContents(this.#paths, this.#onProblem);
    this.#lines = lines;
    this.#follows = follows;
    this.#foundEnd = end;
    this.#isJournaled = isJournaled;
    // A journal whose snapshot was damaged belongs to none now: what it says has to be safe elsewhere.
    if (follows === undefined && isJournaled) await this.#replaceAll(lines).catch(() => undefined);
    else if (end && end.bytes > this.#compactBytes / 4) await this.#leaveSnapshot();
    this.#isRead = true;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new Error('the store is closed');
  }

  async #change(apply: Waiting['apply']): Promise<void> {
    if (!this.#isRead) {
      await this.whenRead();
      this.#assertOpen();
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ apply, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#writing !== undefined) return;
    if (this.#waiting.length === 0 && this.#cutAt === undefined) return;
    const waitMs = Math.max(0, this.#lastWriteMs + this.#intervalMs - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#writing = this.#writeOut().then(() => {
        this.#writing = undefined;
        if (!this.#isClosed) this.#schedule();
      });
    }, waitMs);
  }

  /** Writes all waiting changes. After a failure the store is what it was before them, in memory and on the disk. */
  async #writeOut(): Promise<void> {
    const changes = this.#waiting;
    this.#waiting = [];
    this.#lastWriteMs = performance.now();
    const batch = new Batch(this.#lines);
    for (const { apply } of changes) apply(batch);
    try {
      await this.#cut();
      if (batch.changed.size > 0) await this.#persist(batch);
    } catch (error) {
      const cause = error instanceof Error ? error : new Error(String(error));
      for (const { reject } of changes) reject(cause);
      return;
    }
    batch.commit(this.#lines);
    for (const { resolve } of changes) resolve();
    this.#compactSoon();
  }

  async #persist(batch: Batch): Promise<void> {
    if (this.#journal && !(await this.#journal.isUsable())) this.#follows = undefined;
    if (this.#follows === undefined) {
      const lines = new Map(this.#lines);
      batch.commit(lines);
      await this.#replaceAll(lines);
      return;
    }
    const text = batch.text();
    if (this.#journal === undefined && this.#foundEnd !== undefined) {
      this.#journal = await Journal.open(this.#paths.journal, this.#foundEnd).catch((error: unknown) => {
        if (isAbsent(error)) this.#follows = undefined;
        throw error;
      });
      this.#foundEnd = undefined;
    }
    if (this.#journal) await this.#journal.append(text);
    else {
      await makeFolder(dirname(this.#paths.snapshot));
      this.#journal = await Journal.create(this.#paths.journal, this.#follows, text);
    }
    this.#isJournaled = true;
  }

  /** Writes a snapshot that no journal belongs to yet. */
  async #replaceAll(lines: RecordLines): Promise<void> {
    await this.#compacting;
    const point = { id: journalId(), bytes: 0 };
    await makeFolder(dirname(this.#paths.snapshot));
    await writeSnapshot(this.#paths.snapshot, [...lines.values()], point);
    this.#follows = point;
    this.#isJournaled = false;
    this.#cutAt = undefined;
    this.#foundEnd = undefined;
    const journal = this.#journal;
    this.#journal = undefined;
    await journal?.close().catch(() => undefined);
    await this.#removeJournal();
  }

  /** A journal that stays is not read: the snapshot names another. */
  async #removeJournal(): Promise<void> {
    await rm(this.#paths.journal, { force: true }).catch(() => undefined);
  }

  #compactSoon(): void {
    if (this.#journal === undefined || this.#journal.end.bytes <= this.#compactBytes) return;
    // One after the other: the snapshot and the journal that is cut have to name the same point.
    if (this.#compacting || this.#cutAt || performance.now() < this.#compactNotBeforeMs) return;
    const point = this.#journal.end;
    this.#compacting = writeSnapshot(this.#paths.snapshot, [...this.#lines.values()], point)
      .then(() => {
        this.#follows = point;
        this.#cutAt = point;
      })
      // Appends continue: records are as safe in the journal.
      .catch(() => this.#postponeCompaction())
      .finally(() => {
        this.#compacting = undefined;
        if (!this.#isClosed) this.#schedule();
      });
  }

  #postponeCompaction(): void {
    this.#compactNotBeforeMs = performance.now() + COMPACT_AGAIN_MS;
  }

  async #cut(): Promise<void> {
    const point = this.#cutAt;
    this.#cutAt = undefined;
    if (point === undefined) return;
    try {
      await this.#journal?.cut(point);
    } catch {
      // Reading starts at the point that the snapshot names.
      this.#postponeCompaction();
    }
  }

  /**
   * Writes a snapshot in place of the journal, while no append can come. At the end it is done for a release that knows no
   * journal, at the start because reading a long journal takes time.
   */
  async #leaveSnapshot(): Promise<void> {
    const point = this.#journal?.end ?? this.#foundEnd;
    if (!this.#isJournaled || point === undefined) return;
    try {
      await writeSnapshot(this.#paths.snapshot, [...this.#lines.values()], point);
    } catch {
      return; // The journal has it.
    }
    await this.#removeJournal();
    this.#follows = point;
    this.#foundEnd = undefined;
    this.#isJournaled = false;
  }
}

/** Changes on their way to the disk, over the records that are there. */
class Batch {
  readonly #stored: ReadonlyMap<string, RecordLine>;
  /** By key; `undefined` for a removal. */
  readonly changed = new Map<string, RecordLine | undefined>();

  constructor(stored: ReadonlyMap<string, RecordLine>) {
    this.#stored = stored;
  }

  write(line: RecordLine): WriteOutcome {
    const { key, version } = line.record;
    const known = this.changed.has(key) ? this.changed.get(key) : this.#stored.get(key);
    if (known && !isNewer(version, known.record.version)) return 'stale';
    this.changed.set(key, line);
    return 'written';
  }

  remove(key: string): void {
    if (this.#stored.has(key)) this.changed.set(key, undefined);
    else this.changed.delete(key);
  }

  text(): string {
    let text = '';
    for (const [key, line] of this.changed) text += line ? lineOf(line.text) : removalLine(key);
    return text;
  }

  commit(lines: RecordLines): void {
    for (const [key, line] of this.changed)
      if (line) lines.set(key, line);
      else lines.delete(key);
  }
}
