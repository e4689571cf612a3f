/** A record as Redis holds it, read from what anybody may have written there. */
import type { StoredRecord } from '@rollcall/core';
import { MAX_VERSION } from './lua.ts';

/** Longest value, in characters of JSON. */
export const MAX_VALUE_LENGTH = 16_384;
/** Longest key, in characters. */
export const MAX_KEY_LENGTH = 128;

/** Fields of the hash, in the order they are asked for. */
export const FIELDS = ['v0', 'v1', 'value', 'expires', 'by'] as const;

/** A record and the store that wrote it. */
export interface Written {
  readonly record: StoredRecord;
  readonly by: string;
}

/** Reads the answer to HMGET of `FIELDS`. `absent`: there is no such record; `unreadable`: it is none of ours. */
export function readWritten(key: string, answer: unknown): Written | 'absent' | 'unreadable' {
  if (!Array.isArray(answer) || answer.length !== FIELDS.length) return 'unreadable';
  const fields: unknown[] = answer;
  if (fields.every((field) => field === null)) return 'absent';
  const [v0, v1, value, expires, by] = fields.map((field) => (typeof field === 'string' ? field : undefined));
  const version = [versionPart(v0), versionPart(v1)] as const;
  const [first, second] = version;
  if (first === undefined || second === undefined || value === undefined) return 'unreadable';
  if (value.length > MAX_VALUE_LENGTH || key.length > MAX_KEY_LENGTH) return 'unreadable';
  const expiresAtUnixMs = count(expires);
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    return 'unreadable';
  }
  const record = { key, version: [first, second] as const, value: parsed };
  return { record: expiresAtUnixMs === undefined ? record : { ...record, expiresAtUnixMs }, by: by ?? '' };
}

function versionPart(text: string | undefined): number | undefined {
  const part = count(text);
  return part !== undefined && part <= MAX_VERSION ? part : undefined;
}

function count(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const number = Number(text);
  return Number.isFinite(number) && number >= 0 ? number : undefined;
}

/** The five arguments the write script takes for one record. Throws for a record that is out of bounds: our bug. */
export function argumentsOf(record: StoredRecord): [string, string, string, string, string] {
  const { key, version, expiresAtUnixMs } = record;
  const value: string | undefined = JSON.stringify(record.value);
  if (value === undefined || value.length > MAX_VALUE_LENGTH || key.length > MAX_KEY_LENGTH)
    throw new Error(`record ${key.slice(0, MAX_KEY_LENGTH)} is larger than a record may be, or has no value`);
  const expires = expiresAtUnixMs === undefined ? '' : String(Math.floor(expiresAtUnixMs));
  return [key, String(version[0]), String(version[1]), value, expires];
}
