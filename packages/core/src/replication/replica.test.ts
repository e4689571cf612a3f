import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Replica } from './replica.ts';
import { KEEP_DELETION_MS, type SharedRecord } from './shared-record.ts';
import { compareVersions, MAX_VERSION_MS, type Version, VersionClock } from './version.ts';

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
  assert.deepEqual(replica.merge([old], at(0)), { changed: [], lost: [], unreadable: 0 });
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
  assert.deepEqual(replica.merge(bad, at(0)), { changed: [], lost: [], unreadable: bad.length });
  assert.deepEqual(replica.merge([good], at(0)).changed, ['node/n1']);
});

test('a store that lacks records, or has lower versions, gets them; with equal ones it gets none', () => {
  const replica = new Replica('a');
  const versions = new Map(['x', 'y', 'z'].map((key, i) => [key, replica.put(key, i, {}, at(i))]));
  assert.deepEqual(replica.missing(versions, 9), []);
  versions.delete('x');
  versions.set('y', [1, 'b']);
  assert.deepEqual(
    replica.missing(versions, 9).map(({ key }) => key),
    ['x', 'y'],
  );
  assert.equal(replica.takeChanged(9).length, 3);
  assert.deepEqual(replica.takeChanged(9), []);
});
