import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Instants, Replica } from './replica.ts';
import { type SharedKind, SharedKinds, type SharedPart } from './shared-kinds.ts';
import { KEEP_DELETION_MS, MAX_VALUE_LENGTH, type SharedRecord } from './shared-record.ts';

const at = (nowMs: number): Instants => ({ nowMs, nowUnixMs: 1_800_000_000_000 + nowMs });

interface Place {
  readonly replica: Replica;
  readonly kinds: SharedKinds;
  readonly color: SharedKind;
  /** What the part has taken: name and value. */
  readonly taken: (readonly [string, unknown])[];
}

function place(coordinator: string, more: Partial<SharedPart> = {}): Place {
  const replica = new Replica(coordinator);
  const kinds = new SharedKinds(replica);
  const taken: (readonly [string, unknown])[] = [];
  const take = (records: readonly SharedRecord[]): void => {
    for (const { key, value } of records) taken.push([key, value]);
  };
  return { replica, kinds, color: kinds.add('color', { take, ...more }), taken };
}

function carry(from: Place, to: Place, now: Instants): void {
  to.kinds.take(to.replica.merge(from.replica.all(now.nowMs), now).changed, now);
}

test('a part takes what another coordinator has changed in its kind, and no other records', () => {
  const [a, b] = [place('a'), place('b')];
  a.color.put('sky', { is: 'blue' }, {}, at(0));
  a.replica.put('shape/ball', 'round', {}, at(0));
  a.replica.put('color', 'no name', {}, at(0));
  carry(a, b, at(1));
  carry(a, b, at(2));
  assert.deepEqual(b.taken, [['color/sky', { is: 'blue' }]]);
  assert.deepEqual(b.color.get('sky', 2)?.value, { is: 'blue' });
  b.color.delete('sky', at(3));
  carry(b, a, at(4));
  assert.deepEqual(a.taken, [['color/sky', null]]);
  assert.deepEqual(b.taken.length, 1, 'own changes are not taken');
});

test('an expired record is taken as a deletion', () => {
  const a = place('a');
  a.color.put('sky', 'red', { expires: 1_000 }, at(0));
  a.kinds.take(a.replica.expire(1_000).keys(), at(1_000));
  assert.deepEqual(a.taken, [['color/sky', null]]);
});

test('a deletion of an unknown record deletes it at others; a permanent one does not expire, and a repeat is no change', () => {
  const [a, b] = [place('a'), place('b')];
  b.color.put('sky', 'blue', {}, at(0));
  b.color.put('sea', 'green', {}, at(0));
  a.color.delete('sky', at(10));
  a.color.delete('sea', at(10), true);
  const { version } = a.color.get('sea', 10)!;
  a.color.delete('sea', at(20), true);
  assert.deepEqual(a.color.get('sea', 20)?.version, version);
  carry(a, b, at(20));
  assert.deepEqual(b.taken, [
    ['color/sky', null],
    ['color/sea', null],
  ]);
  const later = 20 + KEEP_DELETION_MS;
  assert.deepEqual([a.color.get('sky', later), a.color.get('sea', later)?.value], [undefined, null]);
});

test('a value that is too long for the store is refused', () => {
  const { color, replica } = place('a');
  assert.equal(color.put('long', 'x'.repeat(MAX_VALUE_LENGTH - 1), {}, at(0)), false);
  assert.equal(color.put('fits', 'x'.repeat(MAX_VALUE_LENGTH - 2), {}, at(0)), true);
  assert.equal(replica.size, 1);
});

test('a part is called once when all was taken, and may share in that call', () => {
  let calls = 0;
  const a = place('a', {
    isKept: true,
    complete: () => {
      calls += 1;
      a.color.put('own', 'grey', {}, at(5));
    },
  });
  a.kinds.complete();
  a.kinds.complete();
  assert.deepEqual([calls, a.replica.takeChanged(5).length], [1, 1]);
  assert.deepEqual(
    ['color/own', 'shape/ball', 'color'].map((key) => a.kinds.isKept({ key })),
    [true, false, false],
  );
  assert.throws(() => a.kinds.add('color', { take: () => {} }), /belongs to another part/);
});

test('a repeated deletion is not written again: its day is not extended', () => {
  const { color } = place('a');
  color.put('sky', 'blue', {}, at(0));
  color.delete('sky', at(0));
  const first = color.get('sky', 60_000);
  color.delete('sky', at(60_000));
  assert.deepEqual(color.get('sky', 60_000), first);
});
