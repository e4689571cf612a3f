import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLoadField } from './load-field.ts';

void test('a load field is read, and utilisation above 1 is clamped', () => {
  assert.deepEqual(parseLoadField('3;12.5;0.40;14'), { inFlight: 3, serviceMs: 12.5, load: 0.4, sessions: 14 });
  assert.deepEqual(parseLoadField('0; 1; 7.5; 2.9'), { inFlight: 0, serviceMs: 1, load: 1, sessions: 2 });
});

void test('anything else is no load field', () => {
  for (const text of [
    '',
    '1;2;3',
    '1;2;3;4;5',
    '-1;2;0.5;3',
    '1;2;NaN;3',
    '1e9;2;0.5;3',
    '1;;0.5;3',
    `1;2;0.5;${'3'.repeat(70)}`,
  ])
    assert.equal(parseLoadField(text), undefined, text);
});
