import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LOAD_FIELD, LoadField } from './load-field.ts';

/** The parser of core: PROTOCOL.md section 6. */
const NUMBER = /^[0-9]{1,12}(?:\.[0-9]{1,12})?$/;

test('there is no field before the first sample, and an unknown number is empty', () => {
  const field = new LoadField();
  assert.equal(field.line(3, 1), '');
  field.update({ utilisation: 0.5, sessions: undefined });
  assert.equal(field.line(3, Number.NaN), 'rollcall-load: 3;;0.500;\r\n');
});

test('in-flight and service time are those of the response, the rest of the sample', () => {
  const field = new LoadField();
  field.update({ utilisation: 0.42, sessions: 14 });
  assert.equal(field.line(3, 12.5), 'rollcall-load: 3;12.500;0.420;14\r\n');
  assert.equal(field.line(4, 0.0126), 'rollcall-load: 4;0.013;0.420;14\r\n');
  field.update({ utilisation: 0.4, sessions: 0 });
  assert.equal(field.line(4, 7), 'rollcall-load: 4;7.000;0.400;0\r\n');
});

test('any number is formatted as digits, and the line has at most 64 bytes', () => {
  const odd = [0, 1e-9, 0.000_5, 1 / 3, 1e21, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.MAX_VALUE];
  for (const one of odd) {
    for (const other of odd) {
      const field = new LoadField();
      field.update({ utilisation: other, sessions: other });
      const line = field.line(one, one);
      assert.ok(line.endsWith('\r\n'));
      const value = line.slice(LOAD_FIELD.length + 2, -2);
      assert.ok(value.length <= 64, value);
      const numbers = value.split(';');
      assert.equal(numbers.length, 4);
      for (const number of numbers) assert.ok(number === '' ? Number.isNaN(one) : NUMBER.test(number), value);
    }
  }
});
