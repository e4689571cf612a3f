import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LoadField, readLoadField } from './load-field.ts';

function parse(text: string): LoadField | undefined {
  const into = { inFlight: -1, serviceMs: -1, load: -1, sessions: -1 };
  if (readLoadField(text, into)) return into;
  assert.deepEqual(into, { inFlight: -1, serviceMs: -1, load: -1, sessions: -1 });
  return undefined;
}

void test('a load field is read, and utilisation above 1 is clamped', () => {
  assert.deepEqual(parse('3;12.5;0.40;14'), { inFlight: 3, serviceMs: 12.5, load: 0.4, sessions: 14 });
  assert.deepEqual(parse('0; 1; 7.5; 2.9'), { inFlight: 0, serviceMs: 1, load: 1, sessions: 2 });
  assert.deepEqual(parse(' 1 ;\t0.125; 0 ;9 '), { inFlight: 1, serviceMs: 0.125, load: 0, sessions: 9 });
});

void test('an empty number is unknown', () => {
  assert.deepEqual(parse('1; ;0.5;'), { inFlight: 1, serviceMs: Number.NaN, load: 0.5, sessions: Number.NaN });
});

void test('anything else is no load field', () => {
  for (const text of [
    '',
    '1;2;3',
    '1;2;3;4;5',
    '-1;2;0.5;3',
    '1;2;NaN;3',
    '1e9;2;0.5;3',
    '1.;2;0.5;3',
    '.5;2;0.5;3',
    '1 2;2;0.5;3',
    '1;2;0.5;3;',
    '1234567890123;2;0.5;3',
    `1;2;0.5;${'3'.repeat(70)}`,
  ])
    assert.equal(parse(text), undefined, text);
});
