import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLOSING, COMPLETE, PARTIAL, ResponseReader } from './response-reader.ts';

const PLAIN = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const CHUNKED = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: u\r\n\r\n';
const EXPECTED = { status: 200, bodyBytes: 5 };

/** Outcomes of reading `text` in pieces of `size` octets, several times on one connection. */
function outcomes(text: string, size = text.length, times = 1): string[] {
  const reader = new ResponseReader(EXPECTED, false);
  const found: string[] = [];
  for (let i = 0; i < times; i++)
    for (let at = 0; at < text.length; at += size) found.push(reader.read(Buffer.from(text.slice(at, at + size))));
  return found;
}

test('responses are read in pieces of any size', () => {
  for (const text of [PLAIN, CHUNKED])
    for (let size = 1; size <= text.length; size++) {
      const found = outcomes(text, size, 2);
      const pieces = Math.ceil(text.length / size);
      const once = [...Array.from({ length: pieces - 1 }, () => PARTIAL), COMPLETE];
      assert.deepEqual(found, [...once, ...once], `pieces of ${size}`);
    }
});

test('a response may close its connection', () => {
  assert.deepEqual(outcomes(PLAIN.replace('OK\r\n', 'OK\r\nConnection: close\r\n')), [CLOSING]);
});

test('an empty response needs no body', () => {
  const reader = new ResponseReader({ status: 204, bodyBytes: 0 }, false);
  assert.equal(reader.read(Buffer.from('HTTP/1.1 204 No Content\r\n\r\n')), COMPLETE);
});

test('an unexpected response is reported', () => {
  assert.deepEqual(outcomes(PLAIN.replace('200', '502')), ['status 502']);
  assert.deepEqual(
    outcomes(PLAIN.replace('5', '4')),
    ['1 octets behind the answer'].map(() => 'a body of 4 octets'),
  );
  assert.deepEqual(outcomes(`${PLAIN}x`), ['1 octets behind the answer']);
  assert.deepEqual(outcomes('HTTP/1.1 200 OK\r\n\r\n'), ['neither length nor chunks']);
  assert.deepEqual(outcomes(CHUNKED.replace('3\r\n', 'z\r\n')), ['a chunk of size z']);
});

test('the first cookies are kept if the plan requires it', () => {
  const reader = new ResponseReader(EXPECTED, true);
  const answer = (cookie: string): Buffer => Buffer.from(PLAIN.replace('OK\r\n', `OK\r\n${cookie}`));
  assert.equal(reader.read(answer('Set-Cookie: a=1; Path=/\r\nset-cookie: b=2\r\n')), COMPLETE);
  assert.equal(reader.read(answer('Set-Cookie: a=9\r\n')), COMPLETE);
  assert.equal(reader.cookies, 'a=1; b=2');
});
