/**
 * The directory with the files that the coordinator keeps besides the store. It may be full, read-only, owned by another user or
 * missing. While it cannot be written, the texts are kept in memory, and the writes are retried every few seconds.
 */
import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Clocks } from '../clocks.ts';
import { isAbsent, makeFolder, replaceFile } from './whole-file.ts';

export interface StateDirectoryOptions {
  readonly path: string;
  readonly clocks: Clocks;
  readonly log: Logger;
}

export interface StateProblem {
  /** The error of the system. */
  readonly message: string;
  readonly sinceUnixMs: number;
}

/** Retry interval while the directory cannot be written, milliseconds. */
const RETRY_MS = 5_000;
/** Drafts that a killed coordinator has left, also of earlier releases. */
const LEFTOVER =
  /^(tokens\.json|logins\.json|admin-token|cluster-id|coordinator-id|writable)\.([0-9a-f]{12}|tmp)$|^writable$/;

export class StateDirectory {
  readonly path: string;
  readonly #options: StateDirectoryOptions;
  /** Texts that are not written yet, by path. */
  readonly #unwritten = new Map<string, string>();
  /** Paths that may only be written if no file exists. */
  readonly #ifAbsent = new Set<string>();
  #problem: StateProblem | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** Resolves after all writes so far; never rejects. */
  #writes: Promise<void> = Promise.resolve();

  /** Creates the directory if it does not exist, and checks whether it can be written. Never rejects. */
  static async open(options: StateDirectoryOptions): Promise<StateDirectory> {
    const directory = new StateDirectory(options);
    await directory.#write();
    await removeLeftovers(options.path);
    return directory;
  }

  private constructor(options: StateDirectoryOptions) {
    this.path = options.path;
    this.#options = options;
  }

  /** Cause and start of the present failure; `undefined` while the directory can be written. */
  get problem(): StateProblem | undefined {
    return this.#problem;
  }

  /** Writes the files, by path, as soon as possible. With `isReplacing` false an existing file is not changed. */
  async writeAll(
    files: ReadonlyMap<string, string>,
    { isReplacing = true }: { readonly isReplacing?: boolean } = {},
  ): Promise<void> {
    if (files.size === 0) return;
    for (const [path, text] of files) {
      this.#unwritten.set(path, text);
      if (isReplacing) this.#ifAbsent.delete(path);
      else this.#ifAbsent.add(path);
    }
    await this.#write();
  }

  /** Resolves when a write in progress has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#writes;
  }

  /** One write at a time, because two writes of one file would use the same draft. */
  #write(): Promise<void> {
    this.#writes = this.#writes.then(() => this.#writeNow());
    return this.#writes;
  }

  async #writeNow(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      await makeFolder(this.path);
      for (const [path, text] of this.#unwritten) {
        if (!this.#ifAbsent.has(path) || !(await isThere(path))) await replaceFile(path, text);
        if (this.#unwritten.get(path) === text) this.#unwritten.delete(path);
      }
      await probe(this.path);
      this.#succeeded();
    } catch (error) {
      this.#failed((error as Error).message);
    }
  }

  #succeeded(): void {
    if (this.#problem) this.#options.log.info(`the state directory ${this.path} can be written again`);
    this.#problem = undefined;
  }

  #failed(message: string): void {
    const sinceUnixMs = this.#problem?.sinceUnixMs ?? Math.floor(this.#options.clocks.nowUnixMs());
    if (!this.#problem)
      this.#options.log.warn(
        `cannot write the state directory ${this.path} (${message}); keeping state in memory, retrying every ${RETRY_MS / 1_000} s`,
      );
    this.#problem = { message, sinceUnixMs };
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.#write(), RETRY_MS);
  }
}

/** Only a write shows whether the disk has room. */
async function probe(directory: string): Promise<void> {
  const path = join(directory, 'writable');
  await replaceFile(path, '\n');
  await rm(path);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

async function removeLeftovers(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  for (const name of names) if (LEFTOVER.test(name)) await rm(join(directory, name)).catch(() => undefined);
}
