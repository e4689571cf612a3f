/** Reads the audit files backwards, in pieces, so that a large file needs little memory. */
import { type FileHandle, open } from 'node:fs/promises';
import { isObject } from '@rollcall/protocol';

/** Size of one read, bytes. */
const PIECE_BYTES = 64 * 1024;
/** Upper bound of the bytes that are looked at for one answer, after those of earlier pages. The files themselves are bounded too. */
const MAX_READ_BYTES = 16 * 1024 * 1024;
/** Longer lines are not read, bytes: no entry is as long. */
const MAX_LINE_BYTES = 1024 * 1024;

/** An entry as a line of the file has it. `id` of entries of earlier releases is their time. */
export interface StoredEntry {
  readonly id: number;
  readonly atUnixMs: number;
  readonly what: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

export interface EntriesRead {
  /** Newest first. */
  readonly entries: StoredEntry[];
  /** Id of the last entry that was looked at; absent: there are no earlier entries. */
  readonly next?: number;
}

/**
 * The newest `limit` entries before the id `beforeId` for which `isWanted` is true. Fewer than `limit` entries with `next` are no end: the
 * bound of the bytes was reached. A line that is no entry is skipped. `directory` has `audit.jsonl` and the earlier `audit.jsonl.1`.
 */
export async function readEntries(
  path: string,
  { limit, beforeId, isWanted }: { limit: number; beforeId: number; isWanted: (entry: StoredEntry) => boolean },
): Promise<EntriesRead> {
  const entries: StoredEntry[] = [];
  let bytes = 0;
  let last: number | undefined;
  for (const file of [path, `${path}.1`])
    for await (const line of linesBackwards(file)) {
      const entry = entryOf(line);
      if (entry === undefined || entry.id >= beforeId) continue;
      bytes += line.length + 1;
      if (entries.length === limit || bytes > MAX_READ_BYTES)
        return { entries, ...(last !== undefined && { next: last }) };
      last = entry.id;
      if (isWanted(entry)) entries.push(entry);
    }
  return { entries };
}

function entryOf(line: string): StoredEntry | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (!isObject(value) || typeof value['atUnixMs'] !== 'number' || typeof value['message'] !== 'string')
      return undefined;
    const { id = value['atUnixMs'] } = value;
    return { ...value, id } as StoredEntry;
  } catch {
    return undefined;
  }
}

/** Lines from the last to the first, without empty ones; none of a file that does not exist. */
async function* linesBackwards(path: string): AsyncGenerator<string> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    let end = (await file.stat()).size;
    /** The beginning of a line whose end was read: pieces in their order. */
    let rest: Buffer = Buffer.alloc(0);
    while (end > 0) {
      const length = Math.min(PIECE_BYTES, end);
      const piece = Buffer.alloc(length);
      await file.read(piece, 0, length, end - length);
      end -= length;
      const octets = Buffer.concat([piece, rest]);
      const first = end === 0 ? -1 : octets.indexOf(0x0a);
      rest = end === 0 ? Buffer.alloc(0) : octets.subarray(0, first < 0 ? octets.length : first);
      if (rest.length > MAX_LINE_BYTES) rest = Buffer.alloc(0);
      if (end > 0 && first < 0) continue;
      const lines = octets
        .subarray(first + 1)
        .toString()
        .split('\n');
      for (const line of lines.reverse()) if (line !== '') yield line;
    }
  } finally {
    await file.close();
  }
}
