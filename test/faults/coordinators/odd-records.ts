/** Records in Redis that this release cannot read or does not know, written with all their entries, as another release would write them. */
import { encodeRecord, encodeVersion, LAYOUT, type Version } from '@rollcall/core';
import type { StatusResource } from '@rollcall/protocol';
import { CLUSTER_KEY } from './next-layout.ts';
import type { Pair } from './pair.ts';

/** No coordinator holds them: they are skipped. */
const UNREADABLE = ['node/cut-off', 'node/large'] as const;
/** Both coordinators hold it: they replace what cannot be read. */
const HELD = 'balancer/site';
/** Of a kind that this release does not know: it stays as it is. */
const FOREIGN = 'kind-of-a-later-release/one';
/** The writer of the held record has a clock that is an hour fast. */
const FAST_MS = 3_600_000;

const [RECORDS, VERSIONS, CHANGES] = ['records', 'versions', 'changes'].map((name) => `{rollcall}:${LAYOUT}:${name}`);

/** KEYS: cluster, records, versions, changes. ARGV: key, version and text of each record. */
const WRITE = `
local change = tonumber(redis.call('HGET', KEYS[1], 'change'))
for i = 1, #ARGV, 3 do
  change = change + 1
  if redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 2]) == 1 then redis.call('HINCRBY', KEYS[1], 'count', 1) end
  redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
  redis.call('ZADD', KEYS[4], change, ARGV[i])
end
redis.call('HSET', KEYS[1], 'change', string.format('%.0f', change))
`;

export async function writeOddRecords(pair: Pair): Promise<void> {
  const version: Version = [Date.now(), 'c'.repeat(32)];
  const foreign = encodeRecord({ key: FOREIGN, version, value: { of: 'a later release' }, remaining: {} });
  const fast: Version = [version[0] + FAST_MS, version[1]];
  const records = [
    [UNREADABLE[0], encodeVersion(version), '{"version":'],
    [UNREADABLE[1], encodeVersion(version), 'x'.repeat(200_000)],
    [FOREIGN, encodeVersion(version), foreign],
    [HELD, encodeVersion(fast), 'not a record'],
  ];
  await pair.command(['EVAL', WRITE, '4', CLUSTER_KEY, RECORDS!, VERSIONS!, CHANGES!, ...records.flat()]);
}

/** What is wrong with the effect of the records after a whole comparison, one sentence each. */
export async function wrongWithOddRecords(pair: Pair): Promise<string[]> {
  const found: string[] = [];
  for (const coordinator of pair.coordinators) {
    const { body } = await coordinator.api('GET', '/v1/status');
    const { sharing } = body as StatusResource;
    if (sharing?.unreadable !== UNREADABLE.length)
      found.push(`${coordinator.name} counts ${sharing?.unreadable} unreadable records`);
    for (const key of UNREADABLE)
      if (!coordinator.log().includes(key)) found.push(`the log of ${coordinator.name} does not name ${key}`);
  }
  const [foreign, held] = await pair.command(['HGET', RECORDS!, FOREIGN], ['HGET', RECORDS!, HELD]);
  if (!String(foreign).includes('a later release')) found.push(`the record of another kind is now ${foreign}`);
  if (!String(held).includes('"retries"')) found.push(`the record that both hold is still ${held}`);
  return found;
}
