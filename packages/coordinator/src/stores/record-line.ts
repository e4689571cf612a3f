/** A stored record with its JSON, so that a write encodes only changed records. */
import type { StoredRecord } from '@rollcall/core';
import { isObject } from '@rollcall/protocol';

export interface RecordLine {
  readonly record: StoredRecord;
  /** One line of JSON. */
  readonly text: string;
}

const MAX_KEY_LENGTH = 128;

/** Copies and encodes a record. Throws for a record that could not be read back. */
export function recordLine(record: StoredRecord): RecordLine {
  const text = JSON.stringify(record);
  // Encoded and decoded, so that the stored value equals the value read back, and later changes of the object have no effect.
  const read = readRecord(JSON.parse(text));
  if (!read) throw new Error(`record ${record.key} is not one that could be read again`);
  return { record: read, text };
}

/** Reads a record from decoded JSON; `undefined` if it is invalid. */
export function readRecord(item: unknown): StoredRecord | undefined {
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
