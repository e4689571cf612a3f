/**
 * The Lua scripts. Each is atomic in Redis. They are strings in TypeScript, so that the compiler ships them.
 *
 * Fields of a record's hash:
 * - `v0`, `v1`: version
 * - `value`: JSON
 * - `expires`: Unix time in ms, or empty
 * - `by`: the store that wrote the record
 * - `op`: the operation that wrote the record
 */

/** Approximate maximum length of the stream. A reader that misses older hints finds their changes in the next full sync. */
export const MAX_HINTS = 10_000;

/** Maximum of `v0` and `v1`. Doubles beyond it are not consecutive, so that no later record could be newer. */
export const MAX_VERSION: number = Number.MAX_SAFE_INTEGER;

/**
 * Deletes the key if it holds another type than `kind`, and returns whether it did. A command on a wrong type would abort the
 * script for every record. All keys below the prefix belong to this store.
 */
const MAKE_ROOM = `
local function makeRoom(key, kind)
  local found = redis.call('TYPE', key).ok
  if found == kind or found == 'none' then return false end
  redis.call('DEL', key)
  return true
end
`;

/**
 * Compare-and-set of records.
 *
 * - KEYS: index, hints, then one hash per record.
 * - ARGV: by, operation, then key, v0, v1, value, expires of each record.
 * - Returns 1 (written) or 0 (stale) per record, then the number of replaced keys of a wrong type.
 *
 * A stored version that is invalid or beyond `MAX_VERSION` is older than any other. A record that the same operation has already
 * written counts as written, because a command whose answer was lost may be sent twice.
 */
export const WRITE: string = `${MAKE_ROOM}
local function count(text)
  local number = tonumber(text or '')
  if number ~= nil and number >= 0 and number <= ${MAX_VERSION} then return number end
end
local outcomes = {}
local replaced = 0
if makeRoom(KEYS[1], 'set') then replaced = replaced + 1 end
if makeRoom(KEYS[2], 'stream') then replaced = replaced + 1 end
for i = 3, #KEYS do
  local a = 3 + (i - 3) * 5
  local key, v0, v1, value, expires = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4]
  if makeRoom(KEYS[i], 'hash') then replaced = replaced + 1 end
  local stored = redis.call('HMGET', KEYS[i], 'v0', 'v1', 'op')
  local s0, s1 = count(stored[1]), count(stored[2])
  local n0, n1 = tonumber(v0), tonumber(v1)
  if s0 == nil or s1 == nil or n0 > s0 or (n0 == s0 and n1 > s1) then
    redis.call('HSET', KEYS[i], 'v0', v0, 'v1', v1, 'value', value, 'expires', expires, 'by', ARGV[1], 'op', ARGV[2])
    if expires == '' then redis.call('PERSIST', KEYS[i]) else redis.call('PEXPIREAT', KEYS[i], expires) end
    redis.call('SADD', KEYS[1], key)
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', '${MAX_HINTS}', '*', 'key', key, 'by', ARGV[1])
    outcomes[#outcomes + 1] = 1
  elseif stored[3] == ARGV[2] and n0 == s0 and n1 == s1 then
    outcomes[#outcomes + 1] = 1
  else
    outcomes[#outcomes + 1] = 0
  end
end
outcomes[#outcomes + 1] = replaced
return outcomes
`;

/** Deletes records. KEYS: index, hints, then one hash per record. ARGV: by, then the keys of the records. Returns their number. */
export const REMOVE: string = `${MAKE_ROOM}
makeRoom(KEYS[1], 'set')
makeRoom(KEYS[2], 'stream')
for i = 3, #KEYS do
  local key = ARGV[i - 1]
  redis.call('SREM', KEYS[1], key)
  if redis.call('DEL', KEYS[i]) == 1 then
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', '${MAX_HINTS}', '*', 'key', key, 'by', ARGV[1])
  end
end
return #KEYS - 2
`;

/** Removes the keys of expired records from the index. KEYS and ARGV as for `REMOVE`. Returns the number of removed keys. */
export const PRUNE: string = `${MAKE_ROOM}
makeRoom(KEYS[1], 'set')
local pruned = 0
for i = 3, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then pruned = pruned + redis.call('SREM', KEYS[1], ARGV[i - 1]) end
end
return pruned
`;
