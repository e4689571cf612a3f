import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { SortedNames } from './sorted-names.ts';

describe('sorted names', () => {
  test('are what a sorted set of them is, after any adds and deletes', () => {
    const step = fc.record({
      isAdd: fc.boolean(),
      name: fc.string({ maxLength: 2, unit: fc.constantFrom('a', 'b', 'B', '-') }),
    });
    fc.assert(
      fc.property(fc.array(step), fc.string({ maxLength: 2 }), (steps, after) => {
        const names = new SortedNames();
        const expected = new Set<string>();
        for (const { isAdd, name } of steps) {
          if (isAdd) names.add(name);
          else names.delete(name);
          if (isAdd) expected.add(name);
          else expected.delete(name);
        }
        const sorted = [...expected].sort();
        assert.deepEqual([...names.after()], sorted);
        assert.deepEqual(
          [...names.after(after)],
          sorted.filter((name) => name > after),
        );
        assert.equal(names.size, sorted.length);
      }),
    );
  });

  test('pages that each begin after the last name of the one before contain each name once', () => {
    const names = new SortedNames();
    for (let i = 0; i < 25; i++) names.add(`n${(i * 7) % 25}`);
    const seen: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = [...names.after(after)].slice(0, 10);
      if (page.length === 0) break;
      seen.push(...page);
      after = page.at(-1);
    }
    assert.deepEqual(seen, Array.from({ length: 25 }, (_, i) => `n${i}`).sort());
  });
});
