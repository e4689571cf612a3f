import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../engine/limits.ts';
import { setsLogin, withoutLogin } from './login-cookie.ts';
import { RequestHead } from './request-head.ts';
import { NO_EDITS } from './response-edits.fixture.ts';
import { ResponseHead } from './response-head.ts';

function cookieOf(fields: string): string {
  const text = `GET / HTTP/1.1\r\nHost: a\r\n${fields}`;
  const head = new RequestHead();
  const octets = Buffer.from(`${text}\r\n\r\n`, 'latin1');
  // The second time the fields are repeated, and not parsed again.
  for (let round = 0; round < 2; round++) assert.equal(head.read(octets, 0, text.length, DEFAULT_LIMITS), undefined);
  assert.ok(!head.forwarded.includes('rollcall_login'));
  return head.cookie;
}

function forwardedOf(fields: string): string {
  const text = `HTTP/1.1 200 OK\r\n${fields}\r\nContent-Length: 0`;
  const head = new ResponseHead();
  const octets = Buffer.from(`${text}\r\n\r\n`, 'latin1');
  assert.equal(head.read(octets, 0, text.length, 'GET', NO_EDITS, DEFAULT_LIMITS), undefined);
  return head.forwarded;
}

test('login cookies of any control port are removed from a request, and no other cookies', () => {
  assert.equal(cookieOf('Cookie: rollcall_login_4477=x.y'), '');
  assert.equal(cookieOf('Cookie: a=1; rollcall_login_4477=x; b="2; 3"'), 'a=1; b="2; 3"');
  assert.equal(cookieOf('Cookie: rollcall_login_1=x;rollcall_login_65535=y;a=1'), 'a=1');
  assert.equal(cookieOf('Cookie: a=1\r\ncookie: rollcall_login_80=x\r\nCOOKIE: b=2'), 'a=1; b=2');
  assert.equal(cookieOf('Cookie: rollcall_login_80=x\r\nCookie: b=2'), 'b=2');
  assert.equal(
    cookieOf('Cookie: my_rollcall_login_1=x; c=rollcall_login_1'),
    'my_rollcall_login_1=x; c=rollcall_login_1',
  );
});

test('a Cookie field without a login cookie is not changed', () => {
  for (const field of ['a=1;b=2', ' ; a = 1;;', 'rollcall=.r1', 'rollcall_loginx=1', ''])
    assert.equal(withoutLogin(field), field);
});

test('an answer of a node sets no login cookie, in any spelling that browsers accept; other cookies are set', () => {
  for (const value of [
    'rollcall_login_4477=x; Path=/',
    'rollcall_login_4477=; Max-Age=0',
    ' \trollcall_login_4477=x',
    '=rollcall_login_4477=x',
    ' = rollcall_login_4477=x',
    'rollcall_login_4477',
  ]) {
    assert.ok(setsLogin(value), value);
    assert.equal(forwardedOf(`X: y\r\nSet-Cookie: ${value}\r\nSet-Cookie: a=b`), 'X: y\r\nSet-Cookie: a=b\r\n', value);
  }
  for (const value of ['a=rollcall_login_1', 'x_rollcall_login_1=a', 'a=b; Path=/rollcall_login_1'])
    assert.equal(forwardedOf(`Set-Cookie: ${value}`), `Set-Cookie: ${value}\r\n`, value);
});
