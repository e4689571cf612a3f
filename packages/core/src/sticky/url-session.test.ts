import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  editParameters,
  pathParameterEnd,
  pathParameterStart,
  queryParameterEnd,
  queryParameterStart,
} from './url-session.ts';

function inPath(target: string, name: string): string[] {
  const found: string[] = [];
  for (let start = pathParameterStart(target, name, 0); start >= 0; ) {
    const end = pathParameterEnd(target, start);
    found.push(target.slice(start, end));
    start = pathParameterStart(target, name, end);
  }
  return found;
}

function inQuery(target: string, name: string): string[] {
  const found: string[] = [];
  for (let start = queryParameterStart(target, name, 0); start >= 0; ) {
    const end = queryParameterEnd(target, start);
    found.push(target.slice(start, end));
    start = queryParameterStart(target, name, end);
  }
  return found;
}

void test('path parameters are found in every segment and only in the path', () => {
  assert.deepEqual(inPath('/a;s=1.n1/b;s=2;t=3?s=4;s=5', 's'), ['1.n1', '2']);
  assert.deepEqual(inPath('/a;ss=1;S=2;s;s=', 's'), ['']);
  assert.deepEqual(inPath('/a?x;s=1', 's'), []);
  assert.deepEqual(inPath('/a', 's'), []);
  assert.deepEqual(inPath('/a;s=x', 's'), ['x']);
});

void test('query parameters are found behind ? and &', () => {
  assert.deepEqual(inQuery('/a?s=1&t=2&s=3.n1', 's'), ['1', '3.n1']);
  assert.deepEqual(inQuery('/a?_s=1&S=2&s', 's'), []);
  assert.deepEqual(inQuery('/s=1', 's'), []);
  assert.deepEqual(inQuery('/a?x=s=1&s=', 's'), ['']);
});

void test('editing changes or drops the named parameters and nothing else', () => {
  const drop = (): undefined => undefined;
  const cut = (value: string): string => value.replace('.n1', '');
  assert.equal(editParameters('/a;s=1.n1/b;t=2?s=3.n1&x=%20', ['s'], cut), '/a;s=1/b;t=2?s=3&x=%20');
  assert.equal(editParameters('/a;s=1/b;t=2?x=1&s=3', ['s', 't'], drop), '/a/b?x=1');
  assert.equal(editParameters('/a?s=3', ['s'], drop), '/a');
  assert.equal(editParameters('/a;s=1', ['s'], cut), undefined);
  assert.equal(editParameters('/a;s;/b?&&s', ['s'], drop), undefined);
});
