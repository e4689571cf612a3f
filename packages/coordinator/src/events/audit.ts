/**
 * Who changed what, why and when: one JSON line per change in `audit.jsonl`. A full or broken disk loses lines and counts them;
 * it never stops the coordinator.
 */
import { createWriteStream, type WriteStream } from 'node:fs';
import { rename, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** The file is renamed to `audit.jsonl.1` beyond this, bytes; the one before is given up. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** Lines waiting for the disk beyond this are lost, bytes. */
const MAX_WAITING_BYTES = 1024 * 1024;

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
}

export class Audit {
  readonly #path: string;
  readonly #onProblem: (error: Error) => void;
  #stream: WriteStream;
  #bytes: number;
  #lost = 0;
  #isRotating = false;

  private constructor(path: string, bytes: number, onProblem: (error: Error) => void) {
    this.#path = path;
    this.#bytes = bytes;
    this.#onProblem = onProblem;
    this.#stream = this.#open();
  }

  /** Opens `audit.jsonl` in `directory` for appending. `onProblem` hears of failures of the disk. */
  static async open(directory: string, onProblem: (error: Error) => void): Promise<Audit> {
    const path = join(directory, 'audit.jsonl');
    const bytes = await stat(path).then(
      (found) => found.size,
      () => 0,
    );
    return new Audit(path, bytes, onProblem);
  }

  /** Lines that did not reach the disk since the start. */
  get lost(): number {
    return this.#lost;
  }

  add(entry: AuditEntry): void {
    const line = `${JSON.stringify(entry)}\n`;
    if (this.#stream.destroyed || this.#stream.writableLength > MAX_WAITING_BYTES) {
      this.#lost += 1;
      return;
    }
    this.#bytes += Buffer.byteLength(line);
    this.#stream.write(line, (error) => {
      if (error) this.#lost += 1;
    });
    if (this.#bytes > MAX_FILE_BYTES) this.#rotate();
  }

  /** Resolves when all lines are with the operating system. */
  async close(): Promise<void> {
    const stream = this.#stream;
    if (stream.destroyed) return;
    await new Promise<void>((resolve) => {
      stream.once('close', resolve);
      stream.end();
    });
  }

  #open(): WriteStream {
    const stream = createWriteStream(this.#path, { flags: 'a', mode: 0o600 });
    stream.on('error', this.#onProblem);
    return stream;
  }

  #rotate(): void {
    if (this.#isRotating) return;
    this.#isRotating = true;
    // Lines in flight still go to the renamed file: the stream holds it open until all are written.
    const full = this.#stream;
    rename(this.#path, `${this.#path}.1`)
      .then(() => {
        full.end();
        this.#stream = this.#open();
        this.#bytes = 0;
      })
      .catch(this.#onProblem)
      .finally(() => {
        this.#isRotating = false;
      });
  }
}
