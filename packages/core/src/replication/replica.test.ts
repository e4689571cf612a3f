import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Replica } from './replica.ts';
import { KEEP_DELETION_MS, type SharedRecord } from './shared-record.ts';
import { compareVersions, MAX_AHEAD_MS, MAX_VERSION_MS, type Version, VersionClock } from './version.ts';

const at = (nowMs: number, nowUnixMs = 1_000_000 + nowMs) => ({ nowMs, nowUnixMs });

test('a later request has the higher version, whatever the wall clocks are', () => {
  const [ahead, behind] = [new VersionClock('a'), new VersionClock('b')];
  const first = ahead.next(7_200_000);
  behind.saw(first);
  const second = behind.next(3_600_000);
  assert.ok(compareVersions(second, first) > 0);
  assert.ok(compareVersions(behind.next(3_600_000), second) > 0, 'also with a clock that stands');
  assert.deepEqual(new VersionClock('a').next(5.9), [5, 'a']);
});

test('an equal value is not written again, so that two coordinators do not answer each other without end', () => {
  const replica = new Replica('a');
  const version = replica.put('override/n1', { status: 'draining' }, { deadline: 60_000 }, at(0));
  assert.deepEqual(replica.put('override/n1', { status: 'draining' }, { deadline: 50_000 }, at(10_000)), version);
  assert.notDeepEqual(replica.put('override/n1', { status: 'draining' }, { deadline: 90_000 }, at(10_000)), version);
  assert.notDeepEqual(replica.put('override/n1', { status: 'draining' }, {}, at(10_000)), version);
});

test('remaining times count on the own clock; of two for one version the shorter one stands', () => {
  const [one, other] = [new Replica('a'), new Replica('b')];
  one.put('override/n1', { status: 'draining' }, { deadline: 60_000 }, at(0));
  const sent = one.all(10_000);
  assert.deepEqual(sent[0]?.remaining, { deadline: 50_000 });
  other.merge(sent, at(500_000));
  assert.deepEqual(other.get('override/n1', 520_000)?.remaining, { deadline: 30_000 });
  // The same record, which waited in the store.
  assert.deepEqual(other.merge(sent, at(520_000)).changed, []);
  assert.deepEqual(other.get('override/n1', 520_000)?.remaining, { deadline: 30_000 });
  assert.deepEqual(other.merge(one.all(45_000), at(520_000)).changed, ['override/n1']);
  assert.deepEqual(other.get('override/n1', 520_000)?.remaining, { deadline: 15_000 });
});

test('a renewed record is higher than the version that it replaces', () => {
  const replica = new Replica('a');
  replica.put('balancer/shop', { retries: 1 }, {}, at(0));
  const above: Version = [7_200_000, 'b'];
  assert.equal(replica.renew('balancer/shop', at(1), above), true);
  const renewed = replica.get('balancer/shop', 1)!;
  assert.ok(compareVersions(renewed.version, above) > 0);
  assert.deepEqual(renewed.value, { retries: 1 });
  assert.equal(replica.renew('node/unknown', at(1), above), false);
});

test('a deletion keeps older values away for a day, then it is gone', () => {
  const [one, other] = [new Replica('a'), new Replica('b')];
  one.put('balancer/shop', { retries: 1 }, {}, at(0));
  other.merge(one.all(0), at(0));
  one.delete('balancer/shop', at(1));
  assert.deepEqual(one.merge(other.all(2), at(2)).changed, []);
  assert.equal(one.get('balancer/shop', 2)?.value, null);
  other.merge(one.all(2), at(2));
  assert.equal(other.get('balancer/shop', 2)?.value, null);
  assert.equal(other.get('balancer/shop', 1 + KEEP_DELETION_MS), undefined);
  assert.deepEqual(other.all(1 + KEEP_DELETION_MS), []);
  assert.deepEqual([...other.expire(1 + KEEP_DELETION_MS).keys()], ['balancer/shop']);
  assert.equal(other.size, 0);
});

test('an expired record is not taken, and a value of its key may be written again', () => {
  const replica = new Replica('a');
  const old: SharedRecord = { key: 'node/n1', version: [5, 'b'], value: {}, remaining: { expires: 0 } };
  assert.deepEqual(replica.merge([old], at(0)), { changed: [], lost: [], unreadable: [], leftOut: [] });
  assert.equal(replica.size, 0);
});

test('a revocation wins over a later change of the token, and gets a version that reaches all coordinators', () => {
  const [one, other] = [new Replica('a'), new Replica('b')];
  one.put('token/t1', { digests: 1 }, {}, at(0));
  other.merge(one.all(0), at(0));
  one.delete('token/t1', at(1), true);
  const changed = other.put('token/t1', { digests: 2 }, {}, at(9_000));
  one.merge(other.all(9_000), at(9_000));
  const revocation = one.get('token/t1', 9_000)!;
  assert.equal(revocation.value, null);
  assert.ok(compareVersions(revocation.version, changed) > 0);
  assert.deepEqual(revocation.remaining, {}, 'it does not expire');
});

test('records that cannot be read are counted, and change nothing', () => {
  const replica = new Replica('a');
  const good: SharedRecord = { key: 'node/n1', version: [1, 'b'], value: {}, remaining: {} };
  const versions = [undefined, [], [1], [0, 'b'], [1.5, 'b'], [MAX_VERSION_MS + 1, 'b'], [1, 'B!'], ['1', 'b']];
  const bad = [
    ...versions.map((version) => ({ ...good, version: version as unknown as Version })),
    { ...good, key: 'x'.repeat(129) },
    { ...good, value: undefined },
    { ...good, remaining: undefined as unknown as SharedRecord['remaining'] },
    null as unknown as SharedRecord,
    'text' as unknown as SharedRecord,
    { ...good, remaining: { expires: Number.NaN } },
    { ...good, remaining: { until: '5' as unknown as number } },
  ];
  const { unreadable, ...rest } = replica.merge(bad, at(0));
  assert.deepEqual(rest, { changed: [], lost: [], leftOut: [] });
  assert.equal(unreadable.length, bad.length);
  assert.deepEqual(new Set(unreadable), new Set(['node/n1', 'x'.repeat(128), '']));
  assert.deepEqual(replica.merge([good], at(0)).changed, ['node/n1']);
});

test('a store that lacks records, or has lower versions, gets them; with equal ones it gets none', () => {
  const replica = new Replica('a');
  const versions = new Map(['x', 'y', 'z'].map((key, i) => [key, replica.put(key, i, {}, at(i))]));
  assert.deepEqual(replica.missing(versions, at(9)), []);
  versions.delete('x');
  versions.set('y', [1, 'b']);
  assert.deepEqual(
    replica.missing(versions, at(9)).map(({ key }) => key),
    ['x', 'y'],
  );
  assert.equal(replica.takeChanged(9).length, 3);
  assert.deepEqual(replica.takeChanged(9), []);
});

/** After 2026, as a wall clock that was set. */
const UNIX_MS = 1_800_000_000_000;

test('a version of the far future is unreadable, and does not stop the clock', () => {
  const replica = new Replica('a');
  const instants = at(0, UNIX_MS);
  const forged: SharedRecord = { key: 'node/n1', version: [MAX_VERSION_MS, 'b'], value: {}, remaining: {} };
  assert.deepEqual(replica.merge([forged], instants).unreadable, ['node/n1']);
  assert.deepEqual(replica.put('node/n1', { own: 1 }, {}, instants), [UNIX_MS, 'a']);
  assert.deepEqual(replica.merge([forged], instants).unreadable, ['node/n1']);
  const stored = new Map<string, Version>([['node/n1', forged.version]]);
  assert.deepEqual(
    replica.missing(stored, instants).map(({ key }) => key),
    ['node/n1'],
    'the store takes the own record in its place',
  );
});

test('after a version as far ahead as one may be, later requests still reach the other coordinators', () => {
  const [one, other] = [new Replica('a'), new Replica('b')];
  const forged: SharedRecord = { key: 'node/n1', version: [UNIX_MS + MAX_AHEAD_MS, 'f'], value: 0, remaining: {} };
  for (const replica of [one, other]) assert.deepEqual(replica.merge([forged], at(0, UNIX_MS)).unreadable, []);
  for (let ms = 1; ms < 100; ms++) {
    one.put('node/n1', ms, {}, at(ms, UNIX_MS + ms));
    other.merge(one.all(ms), at(ms, UNIX_MS + ms));
    assert.equal(other.get('node/n1', ms)?.value, ms);
  }
});

test('a clock that was never set takes the records of others', () => {
  const replica = new Replica('a');
  const record: SharedRecord = { key: 'node/n1', version: [UNIX_MS, 'b'], value: 1, remaining: {} };
  assert.deepEqual(replica.merge([record], at(0, 0)).changed, ['node/n1']);
});

test('a full replica leaves new records out, and takes later versions of records that it holds', () => {
  const replica = new Replica('a', { maxRecords: 4, maxUnknown: 2 });
  replica.know('node');
  const record = (key: string, ms: number): SharedRecord => ({ key, version: [ms, 'b'], value: ms, remaining: {} });
  const mixed = ['word/1', 'word/2', 'word/3', 'node/1', 'nokind'];
  const versions = (keys: readonly string[]) => new Map(keys.map((key) => [key, [1, 'b'] as const]));
  assert.deepEqual(replica.lower(versions(mixed), 0), {
    keys: ['word/1', 'word/2', 'node/1'],
    leftOut: ['word/3', 'nokind'],
  });
  assert.deepEqual(
    replica.merge(
      mixed.map((key) => record(key, 1)),
      at(0),
    ).leftOut,
    ['word/3', 'nokind'],
  );
  const nodes = ['node/2', 'node/3', 'node/4'];
  assert.deepEqual(
    replica.merge(
      nodes.map((key) => record(key, 1)),
      at(0),
    ).leftOut,
    ['node/3', 'node/4'],
  );
  assert.deepEqual(replica.merge([record('word/1', 2)], at(0)).changed, ['word/1']);
  replica.put('node/own', 1, { expires: 5 }, at(0));
  assert.equal(replica.size, 5, 'what this coordinator writes itself has no bound');
  replica.put('word/own', 1, { expires: 5 }, at(0));
  replica.expire(5);
  assert.equal(replica.size, 4);
  assert.deepEqual(replica.lower(versions(['node/5', 'word/4', 'node/1']), 5), {
    keys: [],
    leftOut: ['node/5', 'word/4'],
  });
});

test('room of unknown kinds is free again when their records expire', () => {
  const replica = new Replica('a', { maxUnknown: 1 });
  const word = (name: string): SharedRecord => ({
    key: `word/${name}`,
    version: [1, 'b'],
    value: 1,
    remaining: { expires: 5 },
  });
  assert.deepEqual(replica.merge([word('1'), word('2')], at(0)).leftOut, ['word/2']);
  replica.expire(5);
  assert.deepEqual(replica.merge([word('2')], at(5)).leftOut, []);
});

test('a version in the store that cannot be read is read again, and replaced by what is held', () => {
  const replica = new Replica('a');
  replica.put('node/held', 1, {}, at(0));
  const stored = new Map<string, Version | undefined>([
    ['node/held', undefined],
    ['node/other', undefined],
  ]);
  assert.deepEqual(replica.lower(stored, 0).keys, ['node/other']);
  assert.deepEqual(
    replica.missing(stored, at(0)).map(({ key }) => key),
    ['node/held'],
  );
});
