import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../engine/limits.ts';
import { NO_EDITS } from './response-edits.fixture.ts';
import { type ResponseEdits, ResponseHead } from './response-head.ts';

const EDITS: ResponseEdits = {
  ...NO_EDITS,
  publicOrigin: 'https://shop.example',
  prefixAt: (authority) => (authority === '10.0.0.5:3000' ? '' : undefined),
};

function read(text: string, method = 'GET', edits: Partial<ResponseEdits> = {}): ResponseHead | string {
  const head = new ResponseHead();
  const octets = Buffer.from(`${text}\r\n\r\n`, 'latin1');
  return head.read(octets, 0, text.length, method, { ...EDITS, ...edits }, DEFAULT_LIMITS) ?? head;
}

function accepted(text: string, method?: string, edits?: Partial<ResponseEdits>): ResponseHead {
  const head = read(text, method, edits);
  assert.ok(head instanceof ResponseHead, `${JSON.stringify(text)}: ${String(head)}`);
  return head;
}

test('RFC 9112 §4: status lines', () => {
  assert.deepEqual([accepted('HTTP/1.1 200 OK').status, accepted('HTTP/1.1 200 OK').reason], [200, 'OK']);
  for (const good of ['HTTP/1.0 200 OK', 'HTTP/1.1 200 ', 'HTTP/1.1 200', 'HTTP/1.1 599 Odd \xe9']) accepted(good);
  for (const bad of [
    '',
    '200 OK',
    'HTTP/1.1',
    'HTTP/1.1 20',
    'HTTP/1.1 2000',
    'HTTP/1.1 099 x',
    'HTTP/1.1 600 x',
    'HTTP/1.1 -20 x',
    'HTTP/1.1\t200 OK',
    'HTTP/1.1  200 OK',
    'HTTP/2.0 200 OK',
    'HTTP/1.2 200 OK',
    'http/1.1 200 OK',
    'XTTP/1.1 200 OK',
    'HTTP/1.1 200 O\0K',
    'HTTP/1.1 200 O\rX: y',
    'GET / HTTP/1.1',
  ])
    assert.equal(typeof read(bad), 'string', JSON.stringify(bad));
});

test('RFC 9112 §6.3: the end of a body', () => {
  const framing = (fields: string, method = 'GET', status = 200): string =>
    accepted(`HTTP/1.1 ${status} x\r\n${fields}`, method).framing;
  assert.equal(framing('Content-Length: 5'), 'length');
  assert.equal(framing('Content-Length: 0'), 'none');
  assert.equal(framing('Transfer-Encoding: Chunked'), 'chunked');
  assert.equal(framing('X: y'), 'close');
  assert.equal(framing('Content-Length: 5', 'HEAD'), 'none');
  assert.equal(framing('Transfer-Encoding: chunked', 'HEAD'), 'none');
  assert.equal(framing('Content-Length: 5', 'GET', 304), 'none');
  assert.equal(framing('Content-Length: 5', 'GET', 204), 'none');
  assert.equal(accepted('HTTP/1.1 204 x\r\nContent-Length: 5').keepsAlive, false, 'its length is not reliable');
  assert.equal(accepted('HTTP/1.1 200 x\r\nX: y').keepsAlive, false);
});

test('an invalid response is refused', () => {
  for (const fields of [
    'Content-Length: 1\r\nContent-Length: 1',
    'Content-Length: x',
    'Content-Length: ',
    'Content-Length: 1, 1',
    'Content-Length: 99999999999999999999',
    'Transfer-Encoding: gzip',
    'Transfer-Encoding: chunked, chunked',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: chunked\r\nContent-Length: 1',
    'noColon',
    ' X: y',
    'X: a\r\n b',
    'X: a\rb',
    ': x',
    'X\x80: y',
    `X: ${'v'.repeat(40_000)}`,
    'A:1\r\n'.repeat(101).slice(0, -2),
  ])
    assert.equal(typeof read(`HTTP/1.1 200 OK\r\n${fields}`), 'string', JSON.stringify(fields).slice(0, 80));
  assert.equal(typeof read('HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked'), 'string');
});

test('connection fields are dropped, and their values are read', () => {
  const head = accepted(
    'HTTP/1.1 200 OK\r\nConnection: X-Int, keep-alive\r\nX-Int: 1\r\nX-B: 2\r\nKeep-Alive: timeout=7, max=9\r\nrollcall-load: 1;2;0.5;3\r\nProxy-Authenticate: x\r\nX-C : 3\r\nContent-Length: 1',
  );
  assert.equal(head.forwarded, 'X-B: 2\r\nX-C: 3\r\n');
  assert.equal(head.keepAliveMs, 7_000);
  assert.equal(head.load, '1;2;0.5;3');
  assert.equal(accepted('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1').keepsAlive, false);
  assert.equal(accepted('HTTP/1.0 200 OK\r\nContent-Length: 1').keepsAlive, false);
  assert.equal(accepted('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1').keepsAlive, true);
});

test('only the node’s own address is made public', () => {
  const location = (value: string): string =>
    accepted(`HTTP/1.1 302 x\r\nLocation: ${value}\r\nContent-Length: 0`).forwarded.slice('Location: '.length, -2);
  assert.equal(location('http://10.0.0.5:3000/a?b#c'), 'https://shop.example/a?b#c');
  assert.equal(location('HTTP://10.0.0.5:3000'), 'https://shop.example');
  for (const same of [
    '/a',
    'http://10.0.0.5:30001/',
    'http://10.0.0.5:3000.evil.example/',
    'http://other/?u=http://10.0.0.5:3000/',
    'http://10.0.0.5:3000@evil/',
  ])
    assert.equal(location(same), same);
  const refresh = accepted('HTTP/1.1 200 x\r\nRefresh: 5; url=http://10.0.0.5:3000/a\r\nContent-Length: 0').forwarded;
  assert.equal(refresh, 'Refresh: 5; url=https://shop.example/a\r\n');
});

test('every octet of Set-Cookie outside the edited value stays as the node wrote it', () => {
  const forwarded = (line: string, edits: Partial<ResponseEdits>): string =>
    accepted(`HTTP/1.1 200 x\r\n${line}\r\nContent-Length: 0`, 'GET', edits).forwarded;
  const rewrite = { rewriteCookies: ['sid'], rewriteRoute: 'n1' };
  for (const line of [
    'Set-Cookie: other=1; Path=/',
    'set-cookie:other=1;path=/;HTTPONLY',
    'SET-COOKIE: \tother = 1 ; Path = / \t',
    'Set-Cookie:sidx=1',
    'Set-Cookie: sid=',
    'Set-Cookie: sid',
    'Set-Cookie:',
  ])
    assert.equal(forwarded(line, rewrite), `${line}\r\n`);
  for (const [line, expected] of [
    ['set-cookie:sid=abc;PATH=/', 'set-cookie:sid=abc.n1;PATH=/'],
    ['Set-Cookie:  sid = abc ; x \t', 'Set-Cookie:  sid = abc.n1 ; x \t'],
    ['Set-Cookie: sid="abc" ; x', 'Set-Cookie: sid="abc.n1" ; x'],
    // RFC 9112 §5.1: white space before the colon is removed from a response.
    ['Set-Cookie : other=1', 'Set-Cookie: other=1'],
  ] as const)
    assert.equal(forwarded(line, rewrite), `${expected}\r\n`);
});

test('rewrite mode appends the route to the given cookies, and to no other', () => {
  const edited = (cookie: string): string =>
    accepted(`HTTP/1.1 200 x\r\nSet-Cookie: ${cookie}\r\nContent-Length: 0`, 'GET', {
      rewriteCookies: ['sid'],
      rewriteRoute: 'n1',
    }).forwarded.slice('Set-Cookie: '.length, -2);
  assert.equal(edited('sid=abc; Path=/'), 'sid=abc.n1; Path=/');
  assert.equal(edited('sid="abc"; Path=/'), 'sid="abc.n1"; Path=/');
  assert.equal(edited('sid=; Max-Age=0'), 'sid=; Max-Age=0');
  assert.equal(edited('sidx=abc'), 'sidx=abc');
});
