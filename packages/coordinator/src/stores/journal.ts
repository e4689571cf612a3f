/**
 * The journal of the file store: changes since the snapshot, one line per record or removal, in order.
 *
 * A line is the CRC-32 of its JSON in eight hexadecimal digits, a space, the JSON and a line feed. The first line contains the random
 * id of the journal, and the point of an earlier journal that it follows.
 *
 * A journal applies to its snapshot only. If the point in the snapshot has the id of the journal, reading starts at that byte. If it
 * equals the point that the journal follows, reading starts at the beginning. So no line is applied twice, and no removal is undone
 * by an older line.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { StoredRecord } from '@rollcall/core';
import { isObject } from '@rollcall/protocol';
import { isAbsent, replaceFile } from '../files/whole-file.ts';
import { type JournalPoint, readPoint } from './journal-point.ts';
import { readRecord } from './record-line.ts';

/** One line: a record, or a removed key. */
export type Change = StoredRecord | { readonly remove: string };

/** Content of a journal file. */
export interface JournalContent {
  readonly id: string;
  readonly follows: JournalPoint | undefined;
  readonly changes: readonly { readonly startsAt: number; readonly change: Change }[];
  /** End of the last complete line. Later bytes are of an interrupted write. */
  readonly bytes: number;
  /** Number of complete lines that cannot be read. */
  readonly skipped: number;
}

const LINE_FEED = 10;
const PIECE_BYTES = 1024 * 1024;

/** A new id for a journal, or for a point that no journal has. */
export function journalId(): string {
  return randomBytes(12).toString('base64url');
}

/** The line of an encoded record. */
export function lineOf(json: string): string {
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
}

export function removalLine(key: string): string {
  return lineOf(JSON.stringify({ remove: key }));
}

/**
 * Reads the file; `undefined` if it does not exist, `'unreadable'` if its first line is no head. Rejects with the error of the
 * system.
 */
export async function readJournal(path: string): Promise<JournalContent | 'unreadable' | undefined> {
  let head: Pick<JournalContent, 'id' | 'follows'> | undefined;
  const changes: { startsAt: number; change: Change }[] = [];
  let bytes = 0;
  let skipped = 0;
  let unread = 0;
  try {
    for await (const { startsAt, endsAt, text } of wholeLines(path)) {
      const item = itemOf(text);
      if (head === undefined) {
        head = headOf(item);
        if (head === undefined) return 'unreadable';
      } else {
        const change = changeOf(item);
        if (change === undefined) {
          unread += 1;
          continue;
        }
        changes.push({ startsAt, change });
      }
      bytes = endsAt;
      skipped += unread;
      unread = 0;
    }
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
  return head ? { ...head, changes, bytes, skipped: skipped + unread } : 'unreadable';
}

async function* wholeLines(path: string): AsyncGenerator<{ startsAt: number; endsAt: number; text: string }> {
  const file = await open(path, 'r');
  try {
    let rest: Buffer = Buffer.alloc(0);
    let startsAt = 0;
    for await (const piece of file.createReadStream({ highWaterMark: PIECE_BYTES, autoClose: false })) {
      const buffer = Buffer.concat([rest, piece as Buffer]);
      let start = 0;
      for (let end = buffer.indexOf(LINE_FEED); end >= 0; end = buffer.indexOf(LINE_FEED, start)) {
        const endsAt = startsAt + end + 1 - start;
        yield { startsAt, endsAt, text: buffer.toString('utf8', start, end) };
        startsAt = endsAt;
        start = end + 1;
      }
      rest = buffer.subarray(start);
    }
  } finally {
    await file.close();
  }
}

function itemOf(line: string): unknown {
  const json = line.slice(9);
  if (line[8] !== ' ' || crc32(json).toString(16).padStart(8, '0') !== line.slice(0, 8)) return undefined;
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function headOf(item: unknown): Pick<JournalContent, 'id' | 'follows'> | undefined {
  if (!isObject(item) || item['journal'] !== 1 || typeof item['id'] !== 'string') return undefined;
  return { id: item['id'], follows: readPoint(item['follows']) };
}

function changeOf(item: unknown): Change | undefined {
  if (isObject(item) && typeof item['remove'] === 'string') return { remove: item['remove'] };
  return readRecord(item);
}

/** An open journal. One call at a time: its owner waits for the end of a call before the next. */
export class Journal {
  readonly #path: string;
  #file: FileHandle;
  #id: string;
  #bytes: number;
  #isWhole = true;

  private constructor(path: string, file: FileHandle, { id, bytes }: JournalPoint) {
    this.#path = path;
    this.#file = file;
    this.#id = id;
    this.#bytes = bytes;
  }

  /** Replaces the file by a new journal with `lines`, on the disk when this resolves. */
  static async create(path: string, follows: JournalPoint, lines: string): Promise<Journal> {
    return new Journal(path, ...(await newFile(path, follows, [Buffer.from(lines)])));
  }

  /** Opens the journal that ends at `end`, and truncates bytes that a crash has left after it. */
  static async open(path: string, end: JournalPoint): Promise<Journal> {
    const file = await open(path, 'r+');
    try {
      await file.truncate(end.bytes);
    } catch (error) {
      await file.close();
      throw error;
    }
    return new Journal(path, file, end);
  }

  /** The point of the next line. */
  get end(): JournalPoint {
    return { id: this.#id, bytes: this.#bytes };
  }

  /** False after a failure that leaves the end of the file uncertain, and after the file was deleted: a new journal is needed. */
  async isUsable(): Promise<boolean> {
    return this.#isWhole && (await this.#file.stat()).nlink > 0;
  }

  /**
   * Appends lines; they are on disk when this resolves. On failure it truncates the partial write, and rejects with the error of the
   * system.
   */
  async append(lines: string): Promise<void> {
    const octets = Buffer.from(lines);
    try {
      for (let done = 0; done < octets.length; )
        done += (await this.#file.write(octets, done, octets.length - done, this.#bytes + done)).bytesWritten;
    } catch (error) {
      await this.#file.truncate(this.#bytes).catch(() => {
        this.#isWhole = false;
      });
      throw error;
    }
    try {
      await this.#file.datasync();
    } catch (error) {
      // The kernel may have dropped data that it could not write, and reports that only once.
      this.#isWhole = false;
      throw error;
    }
    this.#bytes += octets.length;
  }

  /**
   * Drops the lines before `point` by a new file that follows it. On failure nothing changes, and it rejects with the error of
   * the system.
   */
  async cut(point: JournalPoint): Promise<void> {
    const rest = Buffer.alloc(this.#bytes - point.bytes);
    const { bytesRead } = await this.#file.read(rest, 0, rest.length, point.bytes);
    if (bytesRead < rest.length) throw new Error(`${this.#path} is shorter than what was written to it`);
    const [file, end] = await newFile(this.#path, point, [rest]);
    await this.#file.close();
    this.#file = file;
    this.#id = end.id;
    this.#bytes = end.bytes;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

async function newFile(
  path: string,
  follows: JournalPoint,
  lines: readonly Buffer[],
): Promise<[FileHandle, JournalPoint]> {
  const id = journalId();
  const head = Buffer.from(lineOf(JSON.stringify({ journal: 1, id, follows })));
  await replaceFile(path, [head, ...lines]);
  let bytes = 0;
  for (const piece of [head, ...lines]) bytes += piece.length;
  return [await open(path, 'r+'), { id, bytes }];
}
