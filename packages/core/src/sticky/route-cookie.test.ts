import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseContextPath, parseRoute } from '@rollcall/protocol';
import { buildRouteCookie, routeCookieAttributes, routeCookieId } from './route-cookie.ts';

void test('the cookie is bound to its context, hidden from scripts, and secure on TLS', () => {
  const route = parseRoute('n1')!;
  const plain = routeCookieAttributes(parseContextPath('/app')!, false);
  assert.equal(
    buildRouteCookie('0123456789abcdef', route, plain),
    'rc_route=0123456789abcdef.n1; Path=/app; HttpOnly; SameSite=Lax',
  );
  assert.match(routeCookieAttributes(parseContextPath('/')!, true), /; Path=\/; .*; Secure$/);
});

void test('only an id of our own making is taken from a cookie', () => {
  assert.equal(routeCookieId('0123456789abcdef.n1'), '0123456789abcdef');
  for (const value of [
    'n1',
    '0123456789abcde.n1',
    '0123456789abcdefg.n1',
    '0123456789abcde;.n1',
    '0123456789abcdef',
    '',
  ])
    assert.equal(routeCookieId(value), undefined, value);
});
