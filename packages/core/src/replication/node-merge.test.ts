/** Two records of one node id: which instance stands, and with which values. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergeRecords } from './merge-rules.ts';
import { endedOf, MAX_ENDED } from './node-merge.ts';
import type { SharedRecord } from './shared-record.ts';
import type { Version } from './version.ts';

type Value = Readonly<Record<string, unknown>>;

const start = (instance: string, incarnation: number, claim: Version, ended: readonly string[] = []): Value => ({
  instance,
  incarnation,
  claim,
  ...(ended.length > 0 && { ended: ended.map((each) => ({ instance: each, incarnation: 1 })) }),
});

const record = (version: Version, value: Value | null): SharedRecord => ({
  key: 'node/n1',
  version,
  value,
  remaining: {},
});

const [A1, A2, B1]: readonly Version[] = [
  [1, 'a'],
  [2, 'a'],
  [1, 'b'],
] as const;

/** The value that stands, by its number in the row, or a new one. */
const CASES: readonly [what: string, one: Value | null, other: Value | null, stands: 0 | 1 | Value][] = [
  ['one instance: the later record', start('i', 3, A1), { ...start('i', 3, A1), route: 'new' }, 1],
  ['one instance: the lowest incarnation', start('i', 2, A1), start('i', 3, A1), start('i', 2, A1)],
  ['one instance: the first claim', start('i', 3, A1), start('i', 3, A2), start('i', 3, A1)],
  ['one instance: it has left', start('i', 3, A1, ['i']), start('i', 3, A1), start('i', 3, A1, ['i'])],
  ['two instances: the higher incarnation', start('i', 4, A2), start('j', 3, A1), 0],
  ['two instances: the earlier claim', start('j', 3, A1), start('i', 3, A2), 0],
  ['two instances that claimed at once: the lower coordinator', start('j', 3, A1), start('i', 3, B1), 0],
  ['two instances: one has left', start('i', 4, A1, ['i']), start('j', 3, A2), start('j', 3, A2, ['i'])],
  ['two instances: the other record has one as left', start('i', 4, A1), start('j', 3, A2, ['i']), 1],
  [
    'an instance that had left before is not forgotten',
    start('i', 4, A1, ['h']),
    start('j', 5, A2),
    start('j', 5, A2, ['h']),
  ],
  ['a deletion: the later record', start('i', 3, A1), null, 1],
  ['a value of a later release: the later record', start('i', 3, A1), { shape: 2 }, 1],
];

for (const [what, one, other, stands] of CASES)
  test(what, () => {
    const [first, second] = [record(A1, one), record(A2, other)];
    const standing = (mine: SharedRecord, theirs: SharedRecord): unknown => {
      const merged = mergeRecords(mine, theirs);
      return typeof merged === 'object' ? merged.value : merged === 'mine' ? mine.value : theirs.value;
    };
    const expected = typeof stands === 'number' ? [one, other][stands] : stands;
    assert.deepEqual(standing(first, second), expected);
    assert.deepEqual(standing(second, first), expected, 'the order does not matter');
    const again = record([3, 'a'], expected as Value | null);
    assert.deepEqual(standing(again, first), expected, 'nor does a repeat');
    assert.equal(mergeRecords(again, first), 'mine', 'what stands unchanged is not written again');
  });

test('of ended instances those with the highest incarnations stay, each once', () => {
  const many = Array.from({ length: MAX_ENDED + 4 }, (_, i) => ({ instance: `i${i}`, incarnation: i }));
  const ended = endedOf([...many, ...many, { instance: 'i19', incarnation: 30 }]);
  assert.deepEqual(ended, many.slice(-MAX_ENDED));
});
