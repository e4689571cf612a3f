import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseContextPath } from '@rollcall/protocol';
import { ExcludedPaths } from './excluded-paths.ts';

void test('an excluded path covers all below it and nothing beside it, in every reading', () => {
  const excluded = new ExcludedPaths(['/private', '/app/admin'].map((path) => parseContextPath(path)!));
  for (const target of ['/private', '/private/', '/private/x', '/private?x', '/private;x=1', '/app/admin/users'])
    assert.equal(excluded.find(target), 'excluded', target);
  for (const target of [
    '/',
    '/privateer',
    '/app',
    '/app/administrator',
    '/x/private',
    '/Private',
    '/app/%61',
    '/a;b/c',
  ])
    assert.equal(excluded.find(target), undefined, target);
  for (const target of [
    '/%70rivate',
    '/x/../private',
    '/./private/x',
    '/private%2fx',
    '/x;a/../private',
    '/app/%61dmin',
    '/x/..\\private',
    '//private',
    '/%2fprivate',
    '//private/a',
    '/x//../private',
    '/;a/private',
    '/app//admin',
  ])
    assert.equal(excluded.find(target), 'ambiguous', target);
  assert.equal(new ExcludedPaths([]).find('/private'), undefined);
  assert.equal(new ExcludedPaths([parseContextPath('/')!]).find('/x'), 'excluded');
});
