/** The snapshot of the file store: all records as one JSON object, replaced whole. */
import { rename, stat } from 'node:fs/promises';
import { isNewer } from '@rollcall/core';
import { isObject } from '@rollcall/protocol';
import { isAbsent, readIfThere, replaceFile } from '../files/whole-file.ts';
import { type JournalPoint, readPoint } from './journal-point.ts';
import { type RecordLine, readRecord } from './record-line.ts';

export type RecordLines = Map<string, RecordLine>;

export interface Snapshot {
  readonly lines: RecordLines;
  /** The point at which the journal continues; `undefined` in a file of a release without a journal. */
  readonly point: JournalPoint | undefined;
  /** Number of records that could not be read. */
  readonly skipped: number;
}

/** The file exists and is no snapshot. */
export interface Damaged {
  readonly reason: string;
}

const MAX_FILE_BYTES = 256 * 1024 * 1024;
/** Number of lines per write: the event loop runs between two writes. */
const LINES_PER_PIECE = 200;

/** Reads the file; `undefined` if it does not exist. Rejects if the system cannot read it now. */
export async function readSnapshot(path: string): Promise<Snapshot | Damaged | undefined> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) return { reason: `its ${size} bytes are more than ${MAX_FILE_BYTES}` };
    const text = await readIfThere(path);
    return text === undefined ? undefined : snapshotOf(JSON.parse(text));
  } catch (error) {
    if (isAbsent(error)) return undefined;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined || code === 'EISDIR') return { reason: message };
    throw error;
  }
}

function snapshotOf(content: unknown): Snapshot | Damaged {
  if (!isObject(content) || content['version'] !== 1 || !Array.isArray(content['records']))
    return { reason: 'it is not a store of version 1' };
  const lines: RecordLines = new Map();
  let skipped = 0;
  for (const item of content['records']) {
    const record = readRecord(item);
    const known = record && lines.get(record.key);
    if (!record) skipped += 1;
    else if (!known || isNewer(record.version, known.record.version))
      lines.set(record.key, { record, text: JSON.stringify(record) });
  }
  return { lines, point: readPoint(content['journal']), skipped };
}

/** Replaces the snapshot by `lines`, which contain the records of the journal up to `point`. */
export async function writeSnapshot(path: string, lines: readonly RecordLine[], point: JournalPoint): Promise<void> {
  await replaceFile(path, textOf(lines, point));
}

function* textOf(lines: readonly RecordLine[], point: JournalPoint): Generator<string> {
  yield `{"version":1,"journal":${JSON.stringify(point)},"records":[\n`;
  for (let start = 0; start < lines.length; start += LINES_PER_PIECE) {
    const piece = lines.slice(start, start + LINES_PER_PIECE).map(({ text }) => text);
    yield `${start === 0 ? '' : ',\n'}${piece.join(',\n')}`;
  }
  yield '\n]}\n';
}

/** Renames an unusable file to `PATH.bad`. Returns a sentence about the result. */
export async function moveAside(path: string): Promise<string> {
  try {
    await rename(path, `${path}.bad`);
    return `moved it to ${path}.bad`;
  } catch (error) {
    return `cannot move it aside either: ${(error as Error).message}`;
  }
}
