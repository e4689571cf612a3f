import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowsSharedCache, privateFields } from './cache-control.ts';
import { responseHeadText } from './head-writer.ts';
import { NO_EDITS } from './response-edits.fixture.ts';
import { ResponseHead } from './response-head.ts';

const LIMITS = { maxLineBytes: 8_192, maxFieldBytes: 65_536, maxFields: 100 };

/** `Cache-Control` of a node, and of the answer with a cookie of the proxy; `undefined` if it stays. */
const CASES: readonly (readonly [string, string | undefined])[] = [
  ['public', 'private'],
  ['PUBLIC', 'private'],
  ['public, max-age=60', 'private, max-age=60'],
  ['max-age=60 ,public', 'private, max-age=60'],
  ['s-maxage=60', 'private'],
  ['S-MaxAge = 60, must-revalidate', 'private, must-revalidate'],
  ['max-age=60', 'private, max-age=60'],
  ['private, s-maxage=60', 'private'],
  ['no-store, public', 'private, no-store'],
  ['public, private="x-a, x-b"', 'private, private="x-a, x-b"'],
  ['no-cache="set-cookie, public", max-age=1', 'private, no-cache="set-cookie, public", max-age=1'],
  ['no-cache="public"', 'private, no-cache="public"'],
  ['private, max-age=60', undefined],
  ['no-store, max-age=0', undefined],
  ['no-cache', undefined],
  ['', 'private'],
  ['publication', 'private, publication'],
  ['must-revalidate', 'private, must-revalidate'],
];

function answer(value: string, setCookie: string, head = new ResponseHead()): string {
  const octets = Buffer.from(`HTTP/1.1 200 OK\r\nX-A: 1\r\ncache-control:${value}\r\nContent-Length: 0\r\n\r\n`);
  assert.equal(head.read(octets, 0, octets.length - 4, 'GET', NO_EDITS, LIMITS), undefined);
  return responseHeadText(head, {
    setCookie,
    removeCookie: '',
    isChunked: false,
    keepsAlive: true,
    isHttp10: false,
    date: '',
  });
}

void test('an answer with a cookie of the proxy is kept by no shared cache', () => {
  for (const [value, expected] of CASES) {
    assert.equal(allowsSharedCache(value), expected !== undefined, value);
    const changed = answer(value, 'rc_route=x.n1');
    const line = /^cache-control: ?(.*)$/im.exec(changed)?.[1]?.trim();
    assert.equal(line, expected ?? value, value);
    assert.ok(changed.includes('Set-Cookie: rc_route=x.n1\r\n'), value);
  }
});

void test('an answer without a cookie of the proxy stays as it was, also after one with a cookie', () => {
  for (const [value] of CASES) {
    const head = new ResponseHead();
    const before = answer(value, '', head);
    answer(value, 'rc_route=x.n1', head);
    assert.equal(answer(value, '', head), before, value);
    assert.ok(before.includes(`cache-control:${value}\r\n`), value);
  }
});

void test('an answer without Cache-Control gets one with a cookie of the proxy, and none without', () => {
  const octets = Buffer.from('HTTP/1.1 200 OK\r\nExpires: Thu, 01 Jan 2099 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n');
  const head = new ResponseHead();
  for (const setCookie of ['', 'rc_route=x.n1', '']) {
    assert.equal(head.read(octets, 0, octets.length - 4, 'GET', NO_EDITS, LIMITS), undefined);
    const forward = { setCookie, removeCookie: '', isChunked: false, keepsAlive: true, isHttp10: false, date: '' };
    assert.equal(responseHeadText(head, forward).includes('Cache-Control: private\r\n'), setCookie !== '');
  }
});

void test('of several lines the first one is private, and lines that become empty are dropped', () => {
  assert.equal(
    privateFields('A: 1\r\nCache-Control: max-age=5\r\nB: 2\r\ncache-control: public\r\n'),
    'A: 1\r\nCache-Control: private, max-age=5\r\nB: 2\r\n',
  );
});
