/**
 * The store in one JSON file, for a coordinator that nobody shares its memory with.
 *
 * The file is always whole: it is written beside, synced and renamed over the old one. Writes that come close together
 * share one; what `write` has answered is on the disk.
 */
import { mkdir, open, readFile, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Store, StoredRecord, WriteOutcome } from '@rollcall/core';
import { isNewer } from '@rollcall/core';
import { isObject } from '@rollcall/protocol';

export interface FileStoreOptions {
  /** Its folder is made when it is not there. Beside it come `PATH.tmp` and, after damage, `PATH.bad`. */
  readonly path: string;
  /** Told in one sentence of damage that was found and what was done about it. */
  readonly onProblem: (message: string) => void;
  /** At most one write to the disk in so many milliseconds. Default 250. */
  readonly intervalMs?: number;
}

/** A record with its line in the file, so that a write encodes only what has changed. */
interface Line {
  readonly record: StoredRecord;
  readonly text: string;
}

type Lines = ReadonlyMap<string, Line>;

/** A change that waits for the next write to the disk. */
interface Change {
  readonly apply: (lines: Map<string, Line>) => void;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

const MAX_FILE_BYTES = 256 * 1024 * 1024;
const MAX_KEY_LENGTH = 128;
const HEAD = '{"version":1,"records":[\n';
const TAIL = '\n]}\n';

/**
 * Opens the store. A file that cannot be understood is moved aside and the store starts empty. Rejects only when the
 * folder cannot be made.
 */
export async function openFileStore(options: FileStoreOptions): Promise<Store> {
  await mkdir(dirname(options.path), { recursive: true, mode: 0o700 });
  return new FileStore(options, await readLines(options));
}

class FileStore implements Store {
  readonly kind = 'file';
  readonly #path: string;
  readonly #intervalMs: number;
  /** What is on the disk. */
  #lines: Lines;
  #changes: Change[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #lastWriteMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(options: FileStoreOptions, lines: Lines) {
    this.#path = options.path;
    this.#intervalMs = options.intervalMs ?? 250;
    this.#lines = lines;
  }

  async load(): Promise<readonly StoredRecord[]> {
    this.#assertOpen();
    return [...this.#lines.values()].map(({ record }) => structuredClone(record));
  }

  async write(records: readonly StoredRecord[]): Promise<readonly WriteOutcome[]> {
    this.#assertOpen();
    const lines = records.map(lineOf);
    let outcomes: WriteOutcome[] = [];
    await this.#change((current) => {
      outcomes = lines.map((line) => replace(current, line));
    });
    return outcomes;
  }

  async remove(keys: readonly string[]): Promise<void> {
    this.#assertOpen();
    await this.#change((current) => {
      for (const key of keys) current.delete(key);
    });
  }

  watch(): () => void {
    return () => {};
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#writing;
    if (this.#changes.length > 0) await this.#writeOut();
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new Error('the store is closed');
  }

  #change(apply: Change['apply']): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#changes.push({ apply, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#writing !== undefined || this.#changes.length === 0) return;
    const waitMs = Math.max(0, this.#lastWriteMs + this.#intervalMs - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#writing = this.#writeOut().then(() => {
        this.#writing = undefined;
        if (!this.#isClosed) this.#schedule();
      });
    }, waitMs);
  }

  /** Writes all waiting changes. What could not be written never was: the store goes on with what is on the disk. */
  async #writeOut(): Promise<void> {
    const changes = this.#changes;
    this.#changes = [];
    this.#lastWriteMs = performance.now();
    const next = new Map(this.#lines);
    for (const { apply } of changes) apply(next);
    try {
      await replaceFile(this.#path, HEAD + [...next.values()].map(({ text }) => text).join(',\n') + TAIL);
    } catch (error) {
      for (const { reject } of changes) reject(asError(error));
      return;
    }
    this.#lines = next;
    for (const { resolve } of changes) resolve();
  }
}

function replace(lines: Map<string, Line>, line: Line): WriteOutcome {
  const { key, version } = line.record;
  const stored = lines.get(key);
  if (stored && !isNewer(version, stored.record.version)) return 'stale';
  lines.set(key, line);
  return 'written';
}

function lineOf(record: StoredRecord): Line {
  const text = JSON.stringify(record);
  // Encoded and decoded, so that nobody can change it from outside, and so that what is kept is what will be read.
  const read = readRecord(JSON.parse(text));
  if (!read) throw new Error(`record ${record.key} is not one that could be read again`);
  return { record: read, text };
}

async function replaceFile(path: string, text: string): Promise<void> {
  const beside = `${path}.tmp`;
  const file = await open(beside, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
  // Without this the rename itself may be lost with the power.
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function readLines({ path, onProblem }: FileStoreOptions): Promise<Lines> {
  const lines = new Map<string, Line>();
  try {
    const text = await readBounded(path);
    if (text === undefined) return lines;
    const content: unknown = JSON.parse(text);
    if (!isObject(content) || content['version'] !== 1 || !Array.isArray(content['records']))
      throw new Error('it is not a store of version 1');
    let skipped = 0;
    for (const item of content['records']) {
      const record = readRecord(item);
      if (record) replace(lines, { record, text: JSON.stringify(record) });
      else skipped += 1;
    }
    if (skipped > 0) onProblem(`skipped ${skipped} records of ${path} that cannot be read`);
  } catch (error) {
    lines.clear();
    await moveAside(path, asError(error).message, onProblem);
  }
  return lines;
}

async function readBounded(path: string): Promise<string | undefined> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) throw new Error(`its ${size} bytes are more than ${MAX_FILE_BYTES}`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isObject(error) && error['code'] === 'ENOENT') return undefined;
    throw error;
  }
}

async function moveAside(path: string, reason: string, onProblem: (message: string) => void): Promise<void> {
  try {
    await rename(path, `${path}.bad`);
    onProblem(`cannot read ${path}: ${reason}; moved it to ${path}.bad and started empty`);
  } catch (error) {
    onProblem(`cannot read ${path}: ${reason}; cannot move it aside either: ${asError(error).message}; started empty`);
  }
}

function readRecord(item: unknown): StoredRecord | undefined {
  if (!isObject(item)) return undefined;
  const { key, version, value, expiresAtUnixMs } = item;
  if (typeof key !== 'string' || key.length === 0 || key.length > MAX_KEY_LENGTH) return undefined;
  if (!Array.isArray(version) || version.length !== 2) return undefined;
  const [first, second]: unknown[] = version;
  if (!isVersionPart(first) || !isVersionPart(second) || value === undefined) return undefined;
  const record = { key, version: [first, second] as const, value };
  if (expiresAtUnixMs === undefined) return record;
  return isVersionPart(expiresAtUnixMs) ? { ...record, expiresAtUnixMs } : undefined;
}

function isVersionPart(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
