import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestOctets } from './request-text.ts';

const GET = { method: 'GET', path: '/1k', uploadBytes: 0, closes: false } as const;

test('a request has the size of a browser request, and the given cookies', () => {
  const text = requestOctets(GET, 8080, 'rc_route=abc.n1').toString();
  assert.match(text, /^GET \/1k HTTP\/1\.1\r\nHost: 127\.0\.0\.1:8080\r\n/);
  assert.match(text, /\r\nCookie: theme=dark; visits=17; rc_route=abc\.n1\r\n/);
  assert.match(text, /\r\nConnection: keep-alive\r\n\r\n$/);
  assert.ok(text.length > 400 && text.length < 700, `${text.length}`);
});

test('an upload has its body, the last request has Connection: close', () => {
  const octets = requestOctets({ method: 'POST', path: '/upload', uploadBytes: 1_000, closes: true }, 1, '');
  const text = octets.toString();
  assert.match(text, /\r\nContent-Length: 1000\r\n\r\nu{1000}$/);
  assert.match(text, /\r\nConnection: close\r\n/);
});
