import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Deadlines } from './deadlines.ts';

void test('due keys come earliest first, once, and only when they are due', () => {
  const deadlines = new Deadlines<string>();
  deadlines.set('late', 30);
  deadlines.set('early', 10);
  deadlines.set('middle', 20);
  assert.deepEqual(deadlines.takeDue(9), []);
  assert.deepEqual(deadlines.takeDue(20), ['early', 'middle']);
  assert.deepEqual(deadlines.takeDue(20), []);
  assert.equal(deadlines.size, 1);
});

void test('an infinite deadline is no deadline', () => {
  const deadlines = new Deadlines<string>();
  deadlines.set('a', 10);
  deadlines.set('a', Number.POSITIVE_INFINITY);
  deadlines.delete('nobody');
  assert.equal(deadlines.size, 0);
});

void test('moved and deleted deadlines behave like a sorted list of the last value of each key', () => {
  const change = fc.record({ key: fc.nat(20), atMs: fc.option(fc.nat(100)) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 200 }), fc.array(fc.nat(110), { maxLength: 5 }), (changes, instants) => {
      const deadlines = new Deadlines<number>();
      const model = new Map<number, number>();
      for (const { key, atMs } of changes) {
        if (atMs === null) {
          deadlines.delete(key);
          model.delete(key);
        } else {
          deadlines.set(key, atMs);
          model.set(key, atMs);
        }
      }
      for (const nowMs of instants.toSorted((one, other) => one - other)) {
        const due = deadlines.takeDue(nowMs);
        const expected = [...model].filter(([, atMs]) => atMs <= nowMs);
        assert.deepEqual(
          due.map((key) => model.get(key)),
          expected.map(([, atMs]) => atMs).sort((one, other) => one - other),
        );
        assert.deepEqual(due.toSorted(), expected.map(([key]) => key).sort());
        for (const key of due) model.delete(key);
        assert.equal(deadlines.size, model.size);
      }
    }),
  );
});
