import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cookieValue, cookieValueStart, editCookies, pairEnd } from './cookie-field.ts';

function values(field: string, name: string): string[] {
  const found: string[] = [];
  for (let start = cookieValueStart(field, name, 0); start >= 0; ) {
    const end = pairEnd(field, start);
    found.push(cookieValue(field, start, end));
    start = cookieValueStart(field, name, end);
  }
  return found;
}

void test('cookies are found by their exact name', () => {
  const cases: [string, string[]][] = [
    ['a=1', ['1']],
    ['b=2; a=1; c=3', ['1']],
    ['a=1; a=2;a=3', ['1', '2', '3']],
    ['xa=1; ax=2; A=3', []],
    ['x=a=1', []],
    ['x="a=1"; a=2', ['2']],
    ['x="; a=1; "', ['1']],
    ['  \t a=1', ['1']],
    ['a= 1 \t', ['1']],
    ['a="1"', ['1']],
    ['a="1', ['"1']],
    ['a="', ['"']],
    ['a=""', ['']],
    ['a=', ['']],
    ['a', []],
    ['a;a=1', ['1']],
    ['=a=1', []],
    [';;;a=1;;', ['1']],
    ['a =1', []],
    ['a=1,a=2', ['1,a=2']],
    ['a=s%3Ax.n1.y%2F', ['s%3Ax.n1.y%2F']],
    ['a==', ['=']],
    ['', []],
  ];
  for (const [field, expected] of cases) assert.deepEqual(values(field, 'a'), expected, field);
});

void test('ten thousand cookies are read in one pass', () => {
  const field = Array.from({ length: 10_000 }, (_, i) => (i % 2 === 0 ? `a=${i}` : `x${i}=a=`)).join('; ');
  assert.equal(values(field, 'a').length, 5_000);
});

void test('reading agrees with a plain splitter on any field', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '=', ';', ' ', '\t', '"', '.', '1'), maxLength: 40 });
  fc.assert(
    fc.property(text, (field) => {
      const plain = field
        .split(';')
        .map((pair) => pair.replace(/^[ \t]+|[ \t]+$/g, ''))
        .filter((pair) => pair.startsWith('a='))
        .map((pair) => pair.slice(2).replace(/^[ \t]+/, ''))
        .map((value) => (/^".*"$/s.test(value) && value.length >= 2 ? value.slice(1, -1) : value));
      assert.deepEqual(values(field, 'a'), plain);
    }),
    { numRuns: 2_000 },
  );
});

void test('editing changes the named cookies and keeps the spelling of all others', () => {
  const drop = (): undefined => undefined;
  const cut = (value: string): string => value.replace('.n1', '');
  assert.equal(editCookies('x="1 2"; s=id.n1; y=', ['s'], cut), 'x="1 2"; s=id; y=');
  assert.equal(editCookies('s="id.n1"', ['s'], cut), 's="id"');
  assert.equal(editCookies('s=id; x=1', ['s'], cut), undefined);
  assert.equal(editCookies('s=1; x=2; s=3; t=4', ['s', 't'], drop), 'x=2');
  assert.equal(editCookies('s=1', ['s'], drop), '');
  assert.equal(editCookies('', ['s'], drop), undefined);
  assert.equal(editCookies('single; s=1;;', ['s'], drop), 'single;;');
  for (const [field, edited, dropped] of [
    ['a=1;b= 2 ;s=id.n1;;c="x;y"\t', 'a=1;b= 2 ;s=id;;c="x;y"\t', 'a=1;b= 2 ;;c="x;y"\t'],
    ['s = id.n1', undefined, undefined],
    ['\ts= "id.n1" ;a=1', '\ts= "id" ;a=1', 'a=1'],
    ['s=id.n1;  a=1;', 's=id;  a=1;', 'a=1;'],
    ['a=1 ;s=id.n1 ; b=2', 'a=1 ;s=id ; b=2', 'a=1 ; b=2'],
    ['s=id.n1; s=other.n1', 's=id; s=other', ''],
    ['; ;s=id.n1; ;', '; ;s=id; ;', ''],
  ] as const) {
    assert.equal(editCookies(field, ['s'], cut), edited, field);
    assert.equal(editCookies(field, ['s'], drop), dropped, field);
  }
});
