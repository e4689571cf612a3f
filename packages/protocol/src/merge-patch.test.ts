import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type MergePatch, mergePatch, mergePatchOf } from './merge-patch.ts';

type Json = Readonly<Record<string, unknown>>;

/** Objects as in the answers of the API: nested, with arrays, without `null`. */
const { object } = fc.letrec<{ object: Json; value: unknown }>((tie) => ({
  object: fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor'), tie('value'), { maxKeys: 4 }),
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<unknown>(0, 1, '', 'x', true, false),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object'),
  ),
}));

const asJson = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;

test('a state with the patch between it and another state is that other state', () => {
  fc.assert(
    fc.property(object, object, (drawnBefore, drawnAfter) => {
      const [before, after] = [asJson(drawnBefore), asJson(drawnAfter)];
      const patch = mergePatchOf(before, after);
      if (patch === undefined) {
        assert.deepEqual(before, after);
        return;
      }
      // As a client receives it.
      const received = asJson(patch) as MergePatch<Json>;
      assert.deepEqual(asJson(mergePatch(before, received)), after);
      assert.deepEqual(before, asJson(drawnBefore), 'the earlier state is unchanged');
    }),
    { numRuns: 1_000 },
  );
});

test('equal states have no patch, and a changed number is the whole patch', () => {
  const before = { nodes: { a: { load: 1, tags: ['x'], rates: { requests: 1 } }, b: { load: 2 } } };
  assert.equal(mergePatchOf(before, structuredClone(before)), undefined);
  const after: object = { nodes: { a: { load: 1, tags: ['x'], rates: { requests: 3 } } } };
  assert.deepEqual(mergePatchOf<object>(before, after), { nodes: { a: { rates: { requests: 3 } }, b: null } });
});

test('a member named __proto__ is a member, and sets no prototype', () => {
  const patch = JSON.parse('{"nodes":{"__proto__":{"load":1}}}') as MergePatch<Json>;
  const { nodes } = mergePatch<Json>({ nodes: {} }, patch) as { readonly nodes: object };
  assert.deepEqual(Object.keys(nodes), ['__proto__']);
  assert.equal(Object.getPrototypeOf(nodes), Object.prototype);
});

test('the examples of RFC 7396 without null', () => {
  const examples: readonly (readonly [target: Json, patch: Json, result: Json])[] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, result] of examples)
    assert.deepEqual(mergePatch(target, patch as MergePatch<Json>), result, JSON.stringify(patch));
});
