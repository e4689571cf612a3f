/**
 * The access log of one worker. Another thread writes the lines in batches, so that neither a slow disk nor a stopped reader delays a
 * request. Lines that do not fit into memory are dropped and counted. Files are appended to in whole lines, so several workers may share
 * one.
 */
import { LogDestination, lossText } from '@rollcall/logging';
import type { AccessEntry } from '../engine/access-entry.ts';
import { type AccessLogFormat, accessLine } from './access-line.ts';

export interface AccessLogOptions {
  /** A file to append to, created with mode 0640; `-` is standard output. */
  readonly path: string;
  readonly format: AccessLogFormat;
  /** Start without the file if it cannot be opened; opening is retried. Default false. */
  readonly isOptional?: boolean;
}

/** Size of a batch for the writer. */
const BATCH_CHARACTERS = 32_768;
/** Longest delay of a batch, milliseconds. */
const FLUSH_MS = 250;
/** Lines kept for a slow disk, characters; further lines are dropped. */
const MAX_KEPT_CHARACTERS = 16_777_216;
/** Time between two warnings, milliseconds. */
const COMPLAINT_MS = 10_000;

export interface AccessLogLog {
  warn(fields: object, message: string): void;
}

export class AccessLog {
  readonly #destination: LogDestination;
  readonly #format: AccessLogFormat;
  readonly #nowUnixMs: () => number;
  readonly #log: AccessLogLog;
  #complainedAtMs = Number.NEGATIVE_INFINITY;
  /** Lines that the writer has not received yet. */
  #batch = '';
  #timer: NodeJS.Timeout | undefined;

  private constructor({ path, format }: AccessLogOptions, nowUnixMs: () => number, log: AccessLogLog) {
    this.#format = format;
    this.#nowUnixMs = nowUnixMs;
    this.#log = log;
    this.#destination = new LogDestination({
      target: path === '-' ? 1 : path,
      maxLength: MAX_KEPT_CHARACTERS,
      onLost: (reason) => this.#onLost(reason),
      onRecovered: (losses) =>
        log.warn({ lost: losses.lines, reason: losses.reason }, lossText(losses, 'access log line')),
      onNotReopened: (reason) =>
        log.warn({ reason }, 'cannot reopen the access log; writing to the file opened before'),
    });
  }

  /** Opens it. Rejects if the file cannot be opened, unless it is optional or a pipe without a reader. */
  static async open(options: AccessLogOptions, nowUnixMs: () => number, log: AccessLogLog): Promise<AccessLog> {
    const accessLog = new AccessLog(options, nowUnixMs, log);
    try {
      await accessLog.#destination.open();
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      // A pipe is opened after its reader has started.
      if (options.isOptional || code === 'ENXIO')
        log.warn({ reason: code ?? message }, 'cannot open the access log; keeping its lines and retrying');
      else {
        await accessLog.close();
        throw error;
      }
    }
    return accessLog;
  }

  /** Lines lost since the start. */
  get lost(): number {
    return this.#destination.lost;
  }

  write(entry: AccessEntry): void {
    this.#batch += accessLine(entry, this.#format, this.#nowUnixMs());
    if (this.#batch.length >= BATCH_CHARACTERS) this.#hand();
    else this.#timer ??= setTimeout(() => this.#hand(), FLUSH_MS);
  }

  /** One message for many lines: each costs the writer more than a line. */
  #hand(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#batch;
    this.#batch = '';
    if (batch !== '') this.#destination.write(batch);
  }

  /** Continues in a new file of the same name: the old one was moved. Standard output is not changed. */
  reopen(): void {
    this.#hand();
    this.#destination.reopen();
  }

  #onLost(reason: string): void {
    const nowMs = this.#nowUnixMs();
    if (nowMs - this.#complainedAtMs < COMPLAINT_MS) return;
    this.#complainedAtMs = nowMs;
    this.#log.warn({ lost: this.lost, reason }, 'access log lines dropped');
  }

  /** Writes the remaining lines, and closes the file. */
  async close(): Promise<void> {
    this.#hand();
    await this.#destination.close();
  }
}
