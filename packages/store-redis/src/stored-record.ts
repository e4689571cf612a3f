/** Encodes and decodes a record in Redis. Other programs may have written there, so decoding never throws. */
import type { StoredRecord } from '@rollcall/core';
import { MAX_VERSION } from './lua.ts';

/** Maximum length of a value, characters of JSON. */
export const MAX_VALUE_LENGTH = 16_384;
/** Maximum length of a key, characters. */
export const MAX_KEY_LENGTH = 128;

/** Fields of the hash, in the order of HMGET. */
export const FIELDS = ['v0', 'v1', 'value', 'expires', 'by'] as const;

/** A record, and the name of the store that wrote it (empty if unknown). */
export interface Written {
  readonly record: StoredRecord;
  readonly by: string;
}

/** Decodes the answer to HMGET of `FIELDS`. `absent`: no such record; `unreadable`: not a valid record. */
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

/** The five arguments of the write script for one record. Throws if the record exceeds a limit or has no value, which is a bug. */
export function argumentsOf(record: StoredRecord): [string, string, string, string, string] {
  const { key, version, expiresAtUnixMs } = record;
  const value: string | undefined = JSON.stringify(record.value);
  if (value === undefined || value.length > MAX_VALUE_LENGTH || key.length > MAX_KEY_LENGTH)
    throw new Error(`record ${key.slice(0, MAX_KEY_LENGTH)} is larger than a record may be, or has no value`);
  const expires = expiresAtUnixMs === undefined ? '' : String(Math.floor(expiresAtUnixMs));
  return [key, String(version[0]), String(version[1]), value, expires];
}
