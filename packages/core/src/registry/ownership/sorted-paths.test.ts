import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ContextPath, parseContextPath } from '@rollcall/protocol';
import fc from 'fast-check';
import { SortedPaths } from './sorted-paths.ts';

const path = fc
  .array(fc.constantFrom('a', 'b', 'a-b', 'a.b', 'aa'), { maxLength: 4 })
  .map((segments) => parseContextPath(`/${segments.join('/')}`)!);

const isBelow = (inner: ContextPath, outer: ContextPath): boolean =>
  inner !== outer && inner.startsWith(outer === '/' ? '/' : `${outer}/`);

test('above and below find what a comparison of all paths finds', () => {
  fc.assert(
    fc.property(fc.array(path, { maxLength: 20 }), fc.array(path, { maxLength: 10 }), path, (added, removed, asked) => {
      const paths = new SortedPaths();
      const left = [...added];
      for (const one of added) paths.add(one);
      for (const one of removed) {
        const at = left.indexOf(one);
        if (at >= 0) left.splice(at, 1);
        assert.equal(paths.remove(one), left.length === 0);
      }
      const above = left.filter((one) => isBelow(asked, one)).sort((one, other) => other.length - one.length);
      assert.equal(paths.above(asked, false), above[0]);
      assert.equal(paths.above(asked, true), left.includes(asked) ? asked : above[0]);
      const below = paths.below(asked);
      assert.equal(
        below !== undefined,
        left.some((one) => isBelow(one, asked)),
      );
      if (below !== undefined) assert.ok(isBelow(below, asked) && left.includes(below));
    }),
  );
});
