import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBalancerName, parseContextPath } from '@rollcall/protocol';
import {
  buildRouteCookie,
  type CookieSeal,
  isOfAnother,
  routeCookieAttributes,
  routeCookieId,
  routeCookieMark,
  unsealed,
} from './route-cookie.ts';

void test('the cookie is bound to its context, hidden from scripts, and secure on TLS', () => {
  const plain = routeCookieAttributes(parseContextPath('/app')!, false);
  assert.equal(
    buildRouteCookie('0123456789abcdef.n1', plain),
    'rc_route=0123456789abcdef.n1; Path=/app; HttpOnly; SameSite=Lax',
  );
  assert.match(routeCookieAttributes(parseContextPath('/')!, true), /; Path=\/; .*; Secure$/);
});

void test('only an id of our own making is taken from a cookie', () => {
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

void test('the mark of a balancer is two characters, and seldom that of another', () => {
  const marks = Array.from({ length: 200 }, (_, i) => routeCookieMark(parseBalancerName(`balancer-${i}`)!));
  for (const mark of marks) assert.match(mark, /^[A-Za-z0-9_-]{2}$/);
  assert.ok(new Set(marks).size > 185, `${new Set(marks).size}`);
});

void test('a sealed cookie is worth what stands before its seal, any other nothing', () => {
  const seal: CookieSeal = {
    sealOf: (text) => `s${text.length}`,
    isSealOf: (text, sent) => sent === `s${text.length}`,
  };
  const cookie = buildRouteCookie('AB0123456789abcdef.n1', '; Path=/', seal);
  assert.equal(cookie, 'rc_route=AB0123456789abcdef.n1.s21; Path=/');
  assert.equal(unsealed('AB0123456789abcdef.n1.s21', seal), 'AB0123456789abcdef.n1');
  for (const value of ['AB0123456789abcdef.n1', 'AB0123456789abcdef.n1.s20', 'n1', ''])
    assert.equal(unsealed(value, seal), undefined, value);
});

void test('a cookie is of another balancer only when it is of our making and has another mark', () => {
  assert.equal(isOfAnother('AB0123456789abcdef.n1', 'AB'), false);
  assert.equal(isOfAnother('CD0123456789abcdef.n1', 'AB'), true);
  for (const value of ['n1', 'x.n1', 'CD01234567;9abcdef.n1', 'CD0123456789abcdefg.n1'])
    assert.equal(isOfAnother(value, 'AB'), false, value);
});
