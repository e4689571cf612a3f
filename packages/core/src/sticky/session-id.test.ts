import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findRoute, namesRoute, withoutRoute } from './session-id.ts';

const routes = new Map(['n1', 'n2', 'abc', '__proto__'].map((route) => [route, route]));
const find = (id: string, mayBeBare = false): string | undefined => findRoute(id, routes, { mayBeBare });

void test('the right-most segment that names a known route wins', () => {
  const expected: Record<string, string | undefined> = {
    'id.n1': 'n1',
    'id.n1.n2': 'n2',
    'id.n2.unknown': 'n2',
    's%3Aid.n1.kZs%2F0aP%2BmQ': 'n1',
    's:id.n1.sig': 'n1',
    'id%2En1': 'n1',
    'id%252En1': undefined,
    '.n1': 'n1',
    'id.n1.': 'n1',
    'id..n1': 'n1',
    'id.N1': undefined,
    'id.n1 ': undefined,
    id: undefined,
    '': undefined,
    '.': undefined,
    n1: undefined,
    'n1.id': undefined,
    'id.constructor': undefined,
    'id.__proto__': '__proto__',
  };
  for (const [id, route] of Object.entries(expected)) assert.equal(find(id), route, id);
});

void test('a known route with dots is the whole text after the first dot', () => {
  const dotted = new Map(['node.1:8080', 'node', '1:8080'].map((route) => [route, route]));
  const expected: Record<string, string | undefined> = {
    'id.node.1:8080': 'node.1:8080',
    'id%2Enode%2E1%3A8080': 'node.1:8080',
    'id.x.node.1:8080': '1:8080',
    'id.node': 'node',
    'id.node.2:8080': 'node',
    'node.1:8080': '1:8080',
  };
  for (const [id, route] of Object.entries(expected))
    assert.equal(findRoute(id, dotted, { mayBeBare: false }), route, id);
  assert.equal(findRoute(`id.${'a.'.repeat(32)}a`, new Map([['a.'.repeat(32), 1]]), { mayBeBare: false }), undefined);
  assert.equal(withoutRoute('id.node.1:8080', dotted), 'id');
});

void test('a bare route counts only where it may', () => {
  assert.equal(find('n1', true), 'n1');
  assert.equal(find('abc.def', true), 'abc');
  assert.equal(find('abc.def'), undefined);
});

void test('eight segments are checked, from the right', () => {
  assert.equal(find(`id.n1${'.x'.repeat(7)}`), 'n1');
  assert.equal(find(`id.n1${'.x'.repeat(8)}`), undefined);
});

void test('a segment longer than a route is not looked up', () => {
  const long = 'r'.repeat(65);
  assert.equal(findRoute(`id.${long}`, new Map([[long, 1]]), { mayBeBare: false }), undefined);
});

void test('an id names a route when its last segment could be one', () => {
  for (const id of ['id.gone', 'id%2Egone', '.x']) assert.equal(namesRoute(id), true, id);
  for (const id of ['id', 'id.', 'id.a/b', `id.${'x'.repeat(65)}`, 's:id.sig+/='])
    assert.equal(namesRoute(id), false, id);
});

void test('an appended route is removed from any id', () => {
  fc.assert(
    fc.property(fc.string(), (id) => {
      assert.equal(withoutRoute(`${id}.n1`, routes), id);
      if (!id.includes('%')) assert.equal(find(`${id}.n1`), 'n1');
    }),
  );
  assert.equal(withoutRoute('id.unknown', routes), 'id.unknown');
  assert.equal(withoutRoute('id', routes), 'id');
});
