/**
 * The access log of one worker. Lines are gathered and written in batches by another thread, so that neither a slow disk nor
 * a stopped reader delays a request; what does not fit into memory is lost and counted. Files are appended to in whole lines,
 * so several workers may share one.
 */
import { LogDestination, lossText } from '@rollcall/logging';
import type { AccessEntry } from '../engine/access-entry.ts';
import { type AccessLogFormat, accessLine } from './access-line.ts';

export interface AccessLogOptions {
  /** A file to append to, made with mode 0640 when it is not there; `-` is standard output. */
  readonly path: string;
  readonly format: AccessLogFormat;
  /** Start without it when the file cannot be opened; it is tried again. Default false. */
  readonly isOptional?: boolean;
}

/** Handed to the writer when so much is gathered. */
const BATCH_CHARACTERS = 32_768;
/** Handed to it at the latest after this time, milliseconds. */
const FLUSH_MS = 250;
/** Kept while the disk is slow, characters; more is lost. */
const MAX_KEPT_CHARACTERS = 16_777_216;
/** Between two complaints, milliseconds. */
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
  /** Lines that the writer has not been given yet. */
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

  /** Opens it. Rejects when the file cannot be opened, unless it is optional or a pipe without a reader. */
  static async open(options: AccessLogOptions, nowUnixMs: () => number, log: AccessLogLog): Promise<AccessLog> {
    const accessLog = new AccessLog(options, nowUnixMs, log);
    try {
      await accessLog.#destination.open();
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      // A pipe whose reader has not started yet is opened when it has.
      if (options.isOptional || code === 'ENXIO')
        log.warn({ reason: code ?? message }, 'cannot open the access log; its lines are kept and it is tried again');
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

  /** One hand-over for many lines: each costs the writer more than the line did. */
  #hand(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#batch;
    this.#batch = '';
    if (batch !== '') this.#destination.write(batch);
  }

  /** Continues in a new file of the same name: the old one was moved away. Standard output stays as it is. */
  reopen(): void {
    this.#hand();
    this.#destination.reopen();
  }

  #onLost(reason: string): void {
    const nowMs = this.#nowUnixMs();
    if (nowMs - this.#complainedAtMs < COMPLAINT_MS) return;
    this.#complainedAtMs = nowMs;
    this.#log.warn({ lost: this.lost, reason }, 'lines of the access log are lost');
  }

  /** Writes what there is, and closes the file. */
  async close(): Promise<void> {
    this.#hand();
    await this.#destination.close();
  }
}
