import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBalancerName } from '@rollcall/protocol';
import {
  type CookieSeal,
  defaultRouteCookie,
  isOfAnother,
  routeCookieId,
  routeCookieMark,
  unsealed,
} from './route-cookie.ts';

void test('only an id in the form of the proxy is taken from a cookie', () => {
  assert.equal(routeCookieId('AB0123456789abcdef.n1'), 'AB0123456789abcdef');
  for (const value of [
    'n1',
    'AB0123456789abcde.n1',
    'AB0123456789abcdefg.n1',
    'AB0123456789abcde;.n1',
    'AB0123456789abcdef',
    '',
  ])
    assert.equal(routeCookieId(value), undefined, value);
});

void test('the mark of a balancer is two characters, and seldom equal to that of another', () => {
  const marks = Array.from({ length: 200 }, (_, i) => routeCookieMark(parseBalancerName(`balancer-${i}`)!));
  for (const mark of marks) assert.match(mark, /^[A-Za-z0-9_-]{2}$/);
  assert.ok(new Set(marks).size > 185, `${new Set(marks).size}`);
});

void test('a sealed cookie yields the text before its seal, any other cookie nothing', () => {
  const seal: CookieSeal = {
    sealOf: (text) => `s${text.length}`,
    isSealOf: (text, sent) => sent === `s${text.length}`,
  };
  assert.equal(unsealed('AB0123456789abcdef.n1.s21', seal), 'AB0123456789abcdef.n1');
  for (const value of ['AB0123456789abcdef.n1', 'AB0123456789abcdef.n1.s20', 'n1', ''])
    assert.equal(unsealed(value, seal), undefined, value);
});

void test('a cookie is of another balancer only when its id has the form of the proxy and another mark', () => {
  assert.equal(isOfAnother('AB0123456789abcdef.n1', 'AB'), false);
  assert.equal(isOfAnother('CD0123456789abcdef.n1', 'AB'), true);
  for (const value of ['n1', 'x.n1', 'CD01234567;9abcdef.n1', 'CD0123456789abcdefg.n1'])
    assert.equal(isOfAnother(value, 'AB'), false, value);
});

void test('the default name ends in six digits of the cluster id, once it is known', () => {
  const known = defaultRouteCookie('0123456789abcdef0123456789abcdef');
  assert.deepEqual([known.name, known.earlierNames], ['rc_route_012345', ['rc_route']]);
  const unknown = defaultRouteCookie();
  assert.deepEqual([unknown.name, unknown.earlierNames], ['rc_route', []]);
});
