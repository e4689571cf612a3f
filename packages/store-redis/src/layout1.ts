/**
 * Records that release 0.1.0 has written: a set of keys, and a hash per record with `v0`, `v1`, `value` and `expires`. They are only read.
 * Expired ones have been removed by Redis.
 */
import { MAX_KEY_LENGTH, MAX_VALUE_LENGTH, type StoredRecord } from '@rollcall/core';
import type { Redis } from 'ioredis';
import type { Keys } from './keys.ts';

/** KEYS: cluster. Returns 1 if the records were imported. */
const IS_IMPORTED = `
return redis.call('TYPE', KEYS[1]).ok == 'hash' and redis.call('HEXISTS', KEYS[1], 'imported') or 0
`;
/** KEYS: index. Returns the keys of the records. */
const INDEX = `
return redis.call('TYPE', KEYS[1]).ok == 'set' and redis.call('SMEMBERS', KEYS[1]) or {}
`;
/** KEYS: hashes of records. Returns the four fields of each, or nil for one that is absent, too large or of another type. */
const READ = `
local answer = {}
for i, key in ipairs(KEYS) do
  local isRecord = redis.call('TYPE', key).ok == 'hash' and redis.call('HSTRLEN', key, 'value') <= ${3 * MAX_VALUE_LENGTH}
  answer[i] = isRecord and redis.call('HMGET', key, 'v0', 'v1', 'value', 'expires')
end
return answer
`;

const MAX_PER_CALL = 100;

/** The records; `undefined` if they were imported. Records that cannot be read are left out. */
export async function readLayout1(redis: Redis, keys: Keys): Promise<StoredRecord[] | undefined> {
  if ((await redis.eval(IS_IMPORTED, 1, keys.cluster)) === 1) return undefined;
  const index = (await redis.eval(INDEX, 1, keys.oldRecords)) as unknown[];
  const names = index.filter((name): name is string => typeof name === 'string' && name.length <= MAX_KEY_LENGTH);
  const records: StoredRecord[] = [];
  for (let start = 0; start < names.length; start += MAX_PER_CALL) {
    const some = names.slice(start, start + MAX_PER_CALL);
    const hashes = some.map((name) => keys.oldRecord(name));
    const answers = (await redis.eval(READ, hashes.length, ...hashes)) as unknown[];
    for (const [i, name] of some.entries()) {
      const record = recordOf(name, answers[i]);
      if (record !== undefined) records.push(record);
    }
  }
  return records;
}

function recordOf(key: string, answer: unknown): StoredRecord | undefined {
  if (!Array.isArray(answer)) return undefined;
  const [v0, v1, value, expires] = answer as unknown[];
  const version = [countOf(v0), countOf(v1)] as const;
  const [first, second] = version;
  if (first === undefined || second === undefined || typeof value !== 'string' || value.length > MAX_VALUE_LENGTH)
    return undefined;
  const expiresAtUnixMs = countOf(expires);
  try {
    const record = { key, version: [first, second] as const, value: JSON.parse(value) as unknown };
    return expiresAtUnixMs === undefined ? record : { ...record, expiresAtUnixMs };
  } catch {
    return undefined;
  }
}

function countOf(text: unknown): number | undefined {
  if (typeof text !== 'string' || text === '') return undefined;
  const number = Number(text);
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}
