/**
 * The Lua scripts. Each is atomic in Redis. They are strings in TypeScript, so that the compiler ships them.
 *
 * Fields of the hash `cluster`:
 * - `id`: random id of the cluster. Without it the store is empty.
 * - `layout`: number of the layout.
 * - `origin`: the epoch that the store was made with.
 * - `epoch`, `change`: the last change. A new epoch begins when data were lost.
 * - `count`: number of records. Another number of entries in a key means that data were lost.
 * - `imported`: the records of layout 1 were imported.
 */
import {
  EARLIEST_CLOCK_MS,
  KEEP_ANNOUNCEMENT_MS,
  LAYOUT,
  MAX_AHEAD_MS,
  MAX_COORDINATORS,
  MAX_RECORD_TEXT_LENGTH,
  MAX_VERSION_MS,
} from '@rollcall/core';

/** First element of each answer. */
export const ANSWER = { done: 1, foreign: 0, emptied: -1 } as const;

/** Greatest size of a record that `READ` sends, bytes: a character has at most three in UTF-8. */
const MAX_RECORD_BYTES = 3 * MAX_RECORD_TEXT_LENGTH;
/** Greatest size of an announcement that `EXCHANGE` sends, bytes. */
const MAX_ANNOUNCEMENT_BYTES = 3 * 8_192;

/**
 * - `makeRoom` deletes a key that holds another type than `kind`. A command on a wrong type would abort the script for every record. All
 *   keys below the prefix belong to this store.
 * - `natural` reads a number without sign, fraction and exponent, up to which doubles are exact. Texts such as `nan` are none.
 * - `text` writes a number without exponent.
 */
const BASICS = `
local replaced = 0
local function makeRoom(key, kind)
  local found = redis.call('TYPE', key).ok
  if found == kind or found == 'none' then return end
  redis.call('DEL', key)
  replaced = replaced + 1
end
local function natural(field)
  if not field or #field > 16 or not string.find(field, '^%d+$') then return end
  local number = tonumber(field)
  if number <= 9e15 then return number end
end
local function text(number)
  return string.format('%.0f', number)
end
`;

/**
 * Begins each script that writes records. It ends the script unless the store belongs to the cluster `ARGV[1]` in a known layout.
 * Sets `epoch`, `change` and `count`.
 */
const OWN = `${BASICS}
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return {${ANSWER.emptied}} end
local stored = redis.call('HMGET', KEYS[1], 'id', 'layout', 'epoch', 'change', 'count')
if not stored[1] then return {${ANSWER.emptied}} end
if stored[1] ~= ARGV[1] or (natural(stored[2]) or 0) > ${LAYOUT} then return {${ANSWER.foreign}, stored[1], stored[2]} end
local epoch, change, count = stored[3], natural(stored[4]), natural(stored[5])
if not (epoch and change and count) then return {${ANSWER.emptied}} end
makeRoom(KEYS[2], 'hash')
makeRoom(KEYS[3], 'hash')
makeRoom(KEYS[4], 'zset')
`;

/** Reads `MS COORDINATOR`. A version that is invalid or implausible (`isPlausible` of core) counts as absent: it could have no later one. */
const VERSION = `
local highest = math.max(tonumber(redis.call('TIME')[1]) * 1000, ${EARLIEST_CLOCK_MS}) + ${MAX_AHEAD_MS}
local function version(field)
  if not field then return end
  local ms, coordinator = string.match(field, '^(%d+) ([0-9a-f]+)$')
  ms = natural(ms)
  if ms and ms > 0 and ms <= math.min(highest, ${MAX_VERSION_MS}) and #coordinator <= 32 then return ms, coordinator end
end
`;

/**
 * Announces a coordinator, and answers what has changed.
 *
 * - KEYS: cluster, records, versions, changes, coordinators.
 * - ARGV: cluster id, layout, random text of this call, coordinator, its announcement, seen epoch, seen change, epoch of the wanted keys.
 * - Returns `foreign`, id, layout. Otherwise `done`, epoch, change, is new, changed keys or nil, then ids and announcements of coordinators.
 *   The last elements are the Redis time in seconds and microseconds, and the number of replaced keys.
 *
 * Data were lost if the number of entries in a key is not that of the records, or if a seen change has not happened. Then an epoch begins.
 * Entries without a version or without a record are deleted, and the others are numbered anew. Coordinators then compare all versions, and
 * write what the store lacks.
 *
 * The random text is the same when a call is repeated because its answer was lost. Therefore the second answer has `is new`, too.
 */
export const EXCHANGE: string = `${BASICS}
makeRoom(KEYS[1], 'hash')
local stored = redis.call('HMGET', KEYS[1], 'id', 'layout', 'origin', 'epoch', 'change', 'count')
if (stored[1] and stored[1] ~= ARGV[1]) or (natural(stored[2]) or 0) > tonumber(ARGV[2]) then
  return {${ANSWER.foreign}, stored[1], stored[2]}
end
makeRoom(KEYS[2], 'hash')
makeRoom(KEYS[3], 'hash')
makeRoom(KEYS[4], 'zset')
makeRoom(KEYS[5], 'hash')
local time = redis.call('TIME')
redis.call('HSET', KEYS[5], ARGV[4], time[1] .. ' ' .. ARGV[5])
local origin = stored[3]
if not stored[1] then
  origin = ARGV[3]
  redis.call('HSET', KEYS[1], 'id', ARGV[1], 'origin', origin)
end
if stored[2] ~= ARGV[2] then redis.call('HSET', KEYS[1], 'layout', ARGV[2]) end

local epoch, change, count = stored[4], natural(stored[5]), natural(stored[6])
local function isComplete()
  return stored[1] and epoch and change and count == redis.call('HLEN', KEYS[2]) and count == redis.call('HLEN', KEYS[3])
    and count == redis.call('ZCARD', KEYS[4]) and not (ARGV[6] == epoch and tonumber(ARGV[7]) > change)
end
if not isComplete() then
  epoch, change = ARGV[3], 0
  redis.call('DEL', KEYS[4])
  for _, key in ipairs(redis.call('HKEYS', KEYS[3])) do
    if redis.call('HEXISTS', KEYS[2], key) == 1 then
      change = change + 1
      redis.call('ZADD', KEYS[4], text(change), key)
    else
      redis.call('HDEL', KEYS[3], key)
    end
  end
  for _, key in ipairs(redis.call('HKEYS', KEYS[2])) do
    if redis.call('HEXISTS', KEYS[3], key) == 0 then redis.call('HDEL', KEYS[2], key) end
  end
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'change', text(change), 'count', text(change))
end

local changed = false
if ARGV[8] == epoch then changed = redis.call('ZRANGEBYSCORE', KEYS[4], '(' .. ARGV[7], '+inf') end

local now = tonumber(time[1])
local announced = {}
local entries = redis.call('HGETALL', KEYS[5])
for i = 1, #entries, 2 do
  local seconds = natural(string.match(entries[i + 1], '^(%d+) '))
  local isKept = seconds and math.abs(now - seconds) <= ${KEEP_ANNOUNCEMENT_MS / 1_000} and #entries[i + 1] <= ${MAX_ANNOUNCEMENT_BYTES}
  if isKept then announced[#announced + 1] = {entries[i] == ARGV[4] and now + 1 or seconds, entries[i], entries[i + 1]}
  else redis.call('HDEL', KEYS[5], entries[i]) end
end
table.sort(announced, function(one, other) return one[1] > other[1] end)
local coordinators = {}
for i, each in ipairs(announced) do
  if i > ${MAX_COORDINATORS} then redis.call('HDEL', KEYS[5], each[2])
  else
    coordinators[#coordinators + 1] = each[2]
    coordinators[#coordinators + 1] = string.match(each[3], '^%d+ (.*)$')
  end
end
return {${ANSWER.done}, epoch, text(change), origin == ARGV[3] and 1 or 0, changed, coordinators, time[1], time[2], replaced}
`;

/**
 * Compare-and-set of records.
 *
 * - KEYS: cluster, records, versions, changes.
 * - ARGV: cluster id, `1` for a refresh, then key, milliseconds, coordinator and text of each record.
 * - Returns `foreign`, id, layout; or `emptied`; or `done`, epoch, change, number of replaced keys, then 1 (written) or 0 (stale) per record.
 *
 * A version without a record counts as absent.
 */
export const WRITE: string = `${OWN}${VERSION}
local answer = {${ANSWER.done}, epoch, '', 0}
for i = 3, #ARGV, 4 do
  local key, ms, coordinator, record = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local field = redis.call('HGET', KEYS[3], key)
  local storedMs, storedCoordinator = version(field)
  local isPresent = storedMs and redis.call('HEXISTS', KEYS[2], key) == 1
  local order = isPresent and tonumber(ms) - storedMs or 1
  if order == 0 and coordinator ~= storedCoordinator then order = coordinator > storedCoordinator and 1 or -1 end
  if order > 0 then
    if redis.call('HSET', KEYS[2], key, record) == 1 then count = count + 1 end
    redis.call('HSET', KEYS[3], key, ms .. ' ' .. coordinator)
    change = change + 1
    redis.call('ZADD', KEYS[4], text(change), key)
  elseif order == 0 and ARGV[2] == '1' then
    redis.call('HSET', KEYS[2], key, record)
  end
  answer[#answer + 1] = (order > 0 or (order == 0 and ARGV[2] == '1')) and 1 or 0
end
redis.call('HSET', KEYS[1], 'change', text(change), 'count', text(count))
answer[3] = text(change)
answer[4] = replaced
return answer
`;

/**
 * Removes records that are not newer than given.
 *
 * - KEYS: cluster, records, versions, changes.
 * - ARGV: cluster id, then key, milliseconds and coordinator of each record.
 * - Returns `foreign`, id, layout; or `emptied`; or `done`, number of replaced keys.
 */
export const FORGET: string = `${OWN}${VERSION}
for i = 2, #ARGV, 3 do
  local key, ms, coordinator = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local storedMs, storedCoordinator = version(redis.call('HGET', KEYS[3], key))
  local isNewer = storedMs and (storedMs > ms or (storedMs == ms and storedCoordinator > coordinator))
  if not isNewer then
    count = count - redis.call('HDEL', KEYS[2], key)
    redis.call('HDEL', KEYS[3], key)
    redis.call('ZREM', KEYS[4], key)
  end
end
redis.call('HSET', KEYS[1], 'count', text(math.max(0, count)))
return {${ANSWER.done}, replaced}
`;

/** Removes an announcement. KEYS: cluster, coordinators. ARGV: cluster id, coordinator. Returns `foreign`, id, layout; or `done`. */
export const WITHDRAW: string = `
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' or redis.call('TYPE', KEYS[2]).ok ~= 'hash' then return {${ANSWER.done}} end
local stored = redis.call('HMGET', KEYS[1], 'id', 'layout')
if stored[1] and (stored[1] ~= ARGV[1] or (tonumber(stored[2] or '') or 0) > ${LAYOUT}) then
  return {${ANSWER.foreign}, stored[1], stored[2]}
end
redis.call('HDEL', KEYS[2], ARGV[2])
return {${ANSWER.done}}
`;

/**
 * Reads records. KEYS: records. ARGV: keys of the records. Returns the text of each, 0 for one that is larger than a record may be, and
 * nil for an absent one. A foreign field may be 512 MiB large; HMGET would send it.
 */
export const READ: string = `
local answer = {}
for i, key in ipairs(ARGV) do
  local size = redis.call('HSTRLEN', KEYS[1], key)
  if size > ${MAX_RECORD_BYTES} then answer[i] = 0
  else answer[i] = redis.call('HGET', KEYS[1], key) end
end
return answer
`;

/** Sets `imported`. KEYS: cluster. ARGV: cluster id. Returns `foreign`, id, layout; or `emptied`; or `done`. */
export const MARK_IMPORTED: string = `
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return {${ANSWER.emptied}} end
local stored = redis.call('HMGET', KEYS[1], 'id', 'layout')
if not stored[1] then return {${ANSWER.emptied}} end
if stored[1] ~= ARGV[1] or (tonumber(stored[2] or '') or 0) > ${LAYOUT} then return {${ANSWER.foreign}, stored[1], stored[2]} end
redis.call('HSET', KEYS[1], 'imported', '1')
return {${ANSWER.done}}
`;
