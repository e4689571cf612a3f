/**
 * The file store, for a coordinator that shares its records with no other: a snapshot and a journal of later changes.
 *
 * Changes that arrive close together share one append and one sync. A change is on disk when `write` has resolved. The journal is
 * compacted into a new snapshot while appends continue. Each step leaves files that load completely: the new snapshot contains the
 * point of the journal up to which it is complete. Only then the journal is cut at that point.
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
   * Path of the snapshot; its folder is created if missing. Beside it are the journal (`.journal` for `.json`), during a write
   * `*.tmp`, and after damage `*.bad`.
   */
  readonly path: string;
  /** Called with one sentence about damage that was found and the action taken. */
  readonly onProblem: (message: string) => void;
  /** Minimum interval between two writes to the disk, milliseconds. Default 20. */
  readonly intervalMs?: number;
  /** Length of the journal beyond which it is compacted, bytes. Default 16 MiB. */
  readonly compactBytes?: number;
}

/** A change that waits for the next write to the disk. */
interface Waiting {
  readonly apply: (batch: Batch) => void;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Delay of the next compaction after a failed one, milliseconds. */
const COMPACT_AGAIN_MS = 10_000;

/**
 * Opens the store. Never rejects. While the files cannot be read, `load` and `write` read them again and reject; while they cannot be
 * written, `write` rejects.
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
  /** Records on disk. */
  #lines: RecordLines = new Map();
  #journal: Journal | undefined;
  /** End of a journal that was found and is not open yet. */
  #foundEnd: JournalPoint | undefined;
  /** The point that a new journal must follow; `undefined` if the next write must be a snapshot. */
  #follows: JournalPoint | undefined;
  #isJournaled = false;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #lastWriteMs = Number.NEGATIVE_INFINITY;
  #compacting: Promise<void> | undefined;
  /** The snapshot contains the journal up to this point. */
  #cutAt: JournalPoint | undefined;
  #compactNotBeforeMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor({ path, onProblem, intervalMs = 20, compactBytes = 16 * 1024 * 1024 }: FileStoreOptions) {
    this.#paths = storePaths(path);
    this.#onProblem = onProblem;
    this.#intervalMs = intervalMs;
    this.#compactBytes = compactBytes;
  }

  /** Resolves when the files have been read; rejects if the system cannot read them. A repeat retries. */
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
    // The snapshot of this journal was damaged, so no snapshot refers to it: its records must be written elsewhere.
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

  /** Writes all waiting changes. After a failure the store is unchanged, in memory and on disk. */
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

  /** A journal that remains is not read, because the snapshot refers to another one. */
  async #removeJournal(): Promise<void> {
    await rm(this.#paths.journal, { force: true }).catch(() => undefined);
  }

  #compactSoon(): void {
    if (this.#journal === undefined || this.#journal.end.bytes <= this.#compactBytes) return;
    // One after the other, because the snapshot and the cut journal must refer to the same point.
    if (this.#compacting || this.#cutAt || performance.now() < this.#compactNotBeforeMs) return;
    const point = this.#journal.end;
    this.#compacting = writeSnapshot(this.#paths.snapshot, [...this.#lines.values()], point)
      .then(() => {
        this.#follows = point;
        this.#cutAt = point;
      })
      // Appends continue: the records are safe in the journal.
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
      // A start reads the journal from the point in the snapshot.
      this.#postponeCompaction();
    }
  }

  /**
   * Replaces the journal by a snapshot while no append can happen. This is done at the end for a release that has no journal, and
   * at the start because reading a long journal takes time.
   */
  async #leaveSnapshot(): Promise<void> {
    const point = this.#journal?.end ?? this.#foundEnd;
    if (!this.#isJournaled || point === undefined) return;
    try {
      await writeSnapshot(this.#paths.snapshot, [...this.#lines.values()], point);
    } catch {
      return; // The journal contains the records.
    }
    await this.#removeJournal();
    this.#follows = point;
    this.#foundEnd = undefined;
    this.#isJournaled = false;
  }
}

/** Changes being written, over the records on disk. */
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
