import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LOAD_FIELD, LoadField } from './load-field.ts';

/** What core reads: PROTOCOL.md section 6. */
const NUMBER = /^[0-9]{1,12}(?:\.[0-9]{1,12})?$/;

test('there is no field before the first sample, and a number that is not known is empty', () => {
  const field = new LoadField();
  assert.equal(field.line(3), '');
  field.update({ serviceMs: undefined, utilisation: 0.5, sessions: undefined });
  assert.equal(field.line(3), 'rollcall-load: 3;;0.5;\r\n');
});

test('in-flight is as of the answer, the rest as of the sample', () => {
  const field = new LoadField();
  field.update({ serviceMs: 12.5, utilisation: 0.42, sessions: 14 });
  assert.equal(field.line(3), 'rollcall-load: 3;12.5;0.42;14\r\n');
  assert.equal(field.line(4), 'rollcall-load: 4;12.5;0.42;14\r\n');
  field.update({ serviceMs: 12, utilisation: 0.4, sessions: 0 });
  assert.equal(field.line(4), 'rollcall-load: 4;12;0.4;0\r\n');
});

test('whatever is measured, it is digits, and at most 64 bytes', () => {
  const odd = [0, 1e-9, 0.000_5, 1 / 3, 1e21, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.MAX_VALUE];
  for (const one of odd) {
    for (const other of odd) {
      const field = new LoadField();
      field.update({ serviceMs: one, utilisation: other, sessions: other });
      const line = field.line(one);
      assert.ok(line.endsWith('\r\n'));
      const value = line.slice(LOAD_FIELD.length + 2, -2);
      assert.ok(value.length <= 64, value);
      const numbers = value.split(';');
      assert.equal(numbers.length, 4);
      for (const number of numbers) assert.match(number, NUMBER);
    }
  }
});
