/**
 * The access log of one worker. Lines are gathered and written by another thread, so that neither a slow disk nor a
 * stopped reader holds a request up; what does not fit into memory meanwhile is left out and counted. Files are
 * appended to in whole batches, so several workers may share one.
 */
import { open } from 'node:fs/promises';
import sonicBoom from 'sonic-boom';
import type { AccessEntry } from '../engine/access-entry.ts';
import { type AccessLogFormat, accessLine } from './access-line.ts';

export interface AccessLogOptions {
  /** A file to append to, made with mode 0640 when it is not there; `-` is standard output. */
  readonly path: string;
  readonly format: AccessLogFormat;
}

/** Handed to the writer when so much is gathered. */
const BATCH_CHARACTERS = 16_384;
/** Written at once when so much is there, octets; one write takes up to twice of it. */
const BATCH_BYTES = 32_768;
/** Written at the latest after this time, milliseconds. */
const FLUSH_MS = 250;
/** Kept while the disk is slow, octets; more is left out. */
const MAX_KEPT_BYTES = 16_777_216;
/** Between two complaints, milliseconds. */
const COMPLAINT_MS = 10_000;

export interface AccessLogLog {
  warn(fields: object, message: string): void;
}

interface OpenLog {
  readonly boom: sonicBoom.SonicBoom;
  readonly isFile: boolean;
  readonly format: AccessLogFormat;
  readonly nowUnixMs: () => number;
  readonly log: AccessLogLog;
}

export class AccessLog {
  readonly #boom: sonicBoom.SonicBoom;
  readonly #isFile: boolean;
  readonly #format: AccessLogFormat;
  readonly #nowUnixMs: () => number;
  readonly #log: AccessLogLog;
  #complainedAtMs = Number.NEGATIVE_INFINITY;
  #lost = 0;
  /** Lines that the writer has not been given yet. */
  #batch = '';
  #timer: NodeJS.Timeout | undefined;

  private constructor({ boom, isFile, format, nowUnixMs, log }: OpenLog) {
    this.#boom = boom;
    this.#isFile = isFile;
    this.#format = format;
    this.#nowUnixMs = nowUnixMs;
    this.#log = log;
    boom.on('drop', (text: string) => this.#onLost(text.split('\n').length - 1, 'it is written too slowly'));
    boom.on('error', (error: Error) => this.#onLost(1, error.message));
  }

  /** Opens it. Rejects when the file cannot be opened. */
  static async open(
    { path, format }: AccessLogOptions,
    nowUnixMs: () => number,
    log: AccessLogLog,
  ): Promise<AccessLog> {
    // Tried first: a writer without a file would go on asking for it.
    if (path !== '-') await (await open(path, 'a', 0o640)).close();
    const boom = new sonicBoom.SonicBoom({
      ...(path === '-' ? { fd: 1 } : { dest: path, mode: 0o640 }),
      append: true,
      sync: false,
      minLength: BATCH_BYTES,
      maxWrite: 2 * BATCH_BYTES,
      maxLength: MAX_KEPT_BYTES,
    });
    return new AccessLog({ boom, isFile: path !== '-', format, nowUnixMs, log });
  }

  /** Lines left out since the start. */
  get lost(): number {
    return this.#lost;
  }

  write(entry: AccessEntry): void {
    this.#batch += accessLine(entry, this.#format, this.#nowUnixMs());
    if (this.#batch.length >= BATCH_CHARACTERS) this.#hand();
    else this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  /** One hand-over for many lines: each costs the writer more than the line did. */
  #hand(): void {
    const batch = this.#batch;
    this.#batch = '';
    if (batch !== '') this.#boom.write(batch);
  }

  #flush(): void {
    this.#timer = undefined;
    this.#hand();
    this.#boom.flush();
  }

  /** Goes on in a new file of the same name: the old one was moved away. Standard output stays as it is. */
  reopen(): void {
    this.#hand();
    if (this.#isFile) this.#boom.reopen();
  }

  #onLost(lines: number, reason: string): void {
    this.#lost += lines;
    const nowMs = this.#nowUnixMs();
    if (nowMs - this.#complainedAtMs < COMPLAINT_MS) return;
    this.#complainedAtMs = nowMs;
    this.#log.warn({ lost: this.#lost, reason }, 'lines of the access log are lost');
  }

  /** Writes what there is, and closes the file. */
  close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#hand();
    return new Promise((resolve) => {
      this.#boom.once('close', resolve);
      this.#boom.once('error', () => resolve());
      this.#boom.end();
    });
  }
}
