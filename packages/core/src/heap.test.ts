import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Heap } from './heap.ts';

test('what is put in comes out in order, whatever is taken in between', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer(), { nil: undefined }), { maxLength: 200 }), (steps) => {
      const heap = new Heap<number>((one, other) => one < other);
      let model: number[] = [];
      for (const step of steps) {
        if (step === undefined) {
          model = model.sort((one, other) => one - other);
          assert.equal(heap.take(), model.shift());
        } else {
          heap.put(step);
          model.push(step);
        }
        assert.equal(heap.items.length, model.length);
      }
    }),
    { numRuns: 300, seed: 20261121 },
  );
});
