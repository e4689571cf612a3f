import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../engine/limits.ts';
import { requestFields, requestHeadText, viaField } from './head-writer.ts';
import { isIdempotent, isRequestId, RequestHead } from './request-head.ts';

const LIMITS = DEFAULT_LIMITS;

function readInto(head: RequestHead, text: string): number | undefined {
  return head.read(Buffer.from(`${text}\r\n\r\n`, 'latin1'), 0, text.length, LIMITS)?.status;
}

function read(text: string): RequestHead | number {
  const head = new RequestHead();
  return readInto(head, text) ?? head;
}

function accepted(text: string): RequestHead {
  const head = read(text);
  assert.ok(head instanceof RequestHead, `${JSON.stringify(text)} is refused with ${String(head)}`);
  return head;
}

test('a plain head is parsed', () => {
  const head = accepted('GET /a?b HTTP/1.1\r\nHost: Shop.Example:8080\r\nX-A: 1\r\nCookie: a=1\r\ncookie: b=2');
  assert.equal(head.method, 'GET');
  assert.equal(head.target, '/a?b');
  assert.equal(head.authority, 'Shop.Example:8080');
  assert.equal(head.host, 'shop.example');
  assert.equal(head.cookie, 'a=1; b=2');
  assert.equal(head.forwarded, 'X-A: 1\r\n');
  assert.equal(head.keepsAlive, true);
  assert.equal(head.bodyLength, 0);
});

test('a reused object keeps nothing of the last head', () => {
  const head = new RequestHead();
  const full =
    'OPTIONS /a HTTP/1.1\r\nHost: a\r\nCookie: a\r\nX-A: 1\r\nContent-Length: 7\r\nExpect: 100-continue\r\nVia: x\r\nMax-Forwards: 3\r\n' +
    'X-Request-Id: r\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=x\r\nConnection: close';
  assert.equal(readInto(head, full), undefined);
  assert.equal(readInto(head, 'GET /b HTTP/1.1\r\nHost: b'), undefined);
  const fresh = accepted('GET /b HTTP/1.1\r\nHost: b');
  assert.deepEqual({ ...head }, { ...fresh });
});

const HEADS: readonly (readonly [status: number, why: string, ...texts: string[]])[] = [
  [
    400,
    'RFC 9112 §3: method SP target SP version',
    ' / HTTP/1.1',
    'GET  / HTTP/1.1',
    'GET /  HTTP/1.1',
    'GET\t/ HTTP/1.1',
  ],
  [400, 'RFC 9112 §3: the parts are there', 'GET', 'GET /', 'GET HTTP/1.1', '/ HTTP/1.1', 'HTTP/1.1', ''],
  [
    400,
    'RFC 9112 §2.3: the version has two digits',
    'GET / HTTP/1.',
    'GET / HTTP/1.10',
    'GET / HTTP/01.1',
    'GET / http/1.1',
    'GET / HTTP1.1',
  ],
  [505, 'versions we do not speak', 'GET / HTTP/2.0', 'GET / HTTP/1.2', 'GET / HTTP/0.9', 'GET / HTTP/9.9'],
  [501, 'unknown methods', 'BREW / HTTP/1.1', 'get / HTTP/1.1', 'GETT / HTTP/1.1'],
  [405, 'methods that make no sense at a reverse proxy', 'CONNECT a:80 HTTP/1.1', 'TRACE / HTTP/1.1'],
  [
    400,
    'RFC 9112 §3.2: targets',
    'GET a HTTP/1.1',
    'GET * HTTP/1.1',
    'GET /a#b HTTP/1.1',
    'GET /\\a HTTP/1.1',
    'GET /\xe9 HTTP/1.1',
    'GET /\x7f HTTP/1.1',
  ],
  [
    400,
    'RFC 9112 §3.2.2: absolute form',
    'GET ftp://a/ HTTP/1.1',
    'GET http:///p HTTP/1.1',
    'GET http://u:p@a/ HTTP/1.1',
    'GET http://a/#x HTTP/1.1',
    'GET http:a HTTP/1.1',
  ],
];

for (const [status, why, ...lines] of HEADS)
  test(`${status}: ${why}`, () => {
    for (const line of lines) assert.equal(read(`${line}\r\nHost: a`), status, JSON.stringify(line));
  });

const FIELDS: readonly (readonly [status: number, why: string, ...lines: string[]])[] = [
  [400, 'RFC 9112 §5.1: no space before the colon', 'X-A : 1', 'X-A\t: 1', 'Content-Length : 5'],
  [400, 'RFC 9112 §5.2: no folding', 'X-A: 1\r\n b', 'X-A: 1\r\n\tb', ' X-A: 1'],
  [
    400,
    'RFC 9110 §5.1: names are tokens',
    ': 1',
    'X A: 1',
    'X@A: 1',
    'X/A: 1',
    'X"A: 1',
    'X\x80: 1',
    'noColon',
    'X\0A: 1',
  ],
  [
    400,
    'RFC 9110 §5.5: values hold no control characters',
    'X: a\0b',
    'X: a\x01',
    'X: a\x7f',
    'X: a\rb',
    'X: a\nb',
    'X: a\r\r',
  ],
  [400, 'RFC 9112 §3.2: one valid Host', 'Host: b', 'host: a'],
  [
    400,
    'RFC 9110 §8.6: Content-Length is digits',
    'Content-Length: ',
    'Content-Length: -1',
    'Content-Length: +1',
    'Content-Length: 1, 1',
    'Content-Length: 0x5',
    'Content-Length: 1e1',
    'Content-Length: 5 5',
    'Content-Length: 9999999999999999',
  ],
  [400, 'one length only', 'Content-Length: 5\r\nContent-Length: 5', 'Content-Length: 5\r\nContent-Length: 6'],
  [
    400,
    'RFC 9112 §6.1: chunked is the one coding, once',
    'Transfer-Encoding: ',
    'Transfer-Encoding: identity',
    'Transfer-Encoding: chunked, chunked',
    'Transfer-Encoding: chunked;a=b',
    'Transfer-Encoding: chunked, gzip',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: \x0bchunked',
    'Transfer-Encoding: "chunked"',
  ],
  [501, 'RFC 9112 §6.1: well-formed codings we do not have', 'Transfer-Encoding: gzip, chunked'],
  [
    400,
    'RFC 9112 §6.3: never both',
    'Transfer-Encoding: chunked\r\nContent-Length: 5',
    'Content-Length: 0\r\nTransfer-Encoding: chunked',
  ],
  [417, 'RFC 9110 §10.1.1: one expectation is known', 'Expect: tea'],
  [431, 'too many fields', 'A:1\r\n'.repeat(100).slice(0, -2)],
  [431, 'fields too long', `X: ${'v'.repeat(33_000)}`],
];

for (const [status, why, ...lines] of FIELDS)
  test(`${status}: ${why}`, () => {
    for (const line of lines) assert.equal(read(`GET / HTTP/1.1\r\nHost: a\r\n${line}`), status, JSON.stringify(line));
  });

test('RFC 9112 §3.2: a request of 1.1 has a Host, and hosts are well-formed', () => {
  assert.equal(read('GET / HTTP/1.1\r\nX: y'), 400);
  assert.equal(accepted('GET / HTTP/1.0\r\nX: y').host, '');
  for (const good of ['a', 'a.b', 'a:80', 'a:', 'my_app.example', '127.0.0.1:1', '[::1]', '[::1]:80', 'A.B', 'a.b.:80'])
    accepted(`GET / HTTP/1.1\r\nHost: ${good}`);
  for (const bad of [
    '',
    'a b',
    'a,b',
    'a/b',
    'a:80:80',
    'a:x',
    'a:65536',
    '[::1',
    '::1',
    '[1::2::3]',
    '[v1.x]',
    '<a>',
    'a"',
    'a\\b',
    'a%00',
    'u@a',
    'a?b',
    '\xe4',
    ':80',
  ])
    assert.equal(read(`GET / HTTP/1.1\r\nHost: ${bad}`), 400, bad);
});

test('RFC 9112 §3.2.2: the authority of an absolute target replaces Host, and the path is forwarded', () => {
  const head = accepted('GET HTTP://T.example/p?q HTTP/1.1\r\nHost: other.example');
  assert.deepEqual([head.target, head.authority, head.host], ['/p?q', 'T.example', 't.example']);
  assert.equal(accepted('GET http://a HTTP/1.1\r\nHost: a').target, '/');
  assert.equal(accepted('GET http://a?q HTTP/1.1\r\nHost: a').target, '/?q');
  assert.equal(accepted('OPTIONS http://a HTTP/1.1\r\nHost: a').target, '*');
  assert.equal(accepted('OPTIONS * HTTP/1.1\r\nHost: a').target, '*');
});

test('RFC 9110 §7.6.1: hop-by-hop fields and fields named by Connection are dropped, fields that a message needs are forwarded', () => {
  const head = accepted(
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: X-A, close\r\nX-A: 1\r\nX-B: 2\r\nKeep-Alive: x\r\nTE: gzip\r\nTrailer: x\r\n' +
      'Proxy-Connection: x\r\nProxy: x\r\nUpgrade: h2c\r\nConnection: Host, Content-Type, X-Forwarded-For\r\nContent-Type: t\r\nX-Forwarded-For: 1.1.1.1',
  );
  assert.equal(head.forwarded, 'X-B: 2\r\nContent-Type: t\r\n');
  assert.equal(head.authority, 'a');
  assert.equal(head.forwardedFor, '');
  assert.equal(head.keepsAlive, false);
});

test('HTTP/1.0 keeps its connection only on request, ignores expectations, never upgrades, and has no codings', () => {
  assert.equal(accepted('GET / HTTP/1.0\r\nHost: a').keepsAlive, false);
  assert.equal(accepted('GET / HTTP/1.0\r\nConnection: Keep-Alive').keepsAlive, true);
  assert.equal(accepted('POST / HTTP/1.0\r\nExpect: tea\r\nContent-Length: 1').expectsContinue, false);
  assert.equal(accepted('GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket').wantsUpgrade, false);
  assert.equal(read('POST / HTTP/1.0\r\nTransfer-Encoding: chunked'), 400);
});

test('RFC 9110 §7.8: an upgrade needs the connection option and is WebSocket or nothing', () => {
  const asks = (fields: string): boolean => accepted(`GET / HTTP/1.1\r\nHost: a\r\n${fields}`).wantsUpgrade;
  assert.ok(asks('Connection: keep-alive, uPgRaDe\r\nUpgrade: WebSocket'));
  assert.ok(!asks('Upgrade: websocket'));
  assert.ok(!asks('Connection: Upgrade\r\nUpgrade: h2c'));
  assert.ok(!asks('Connection: Upgrade\r\nUpgrade: websocket, h2c'));
  assert.ok(!asks('Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3'));
});

test('the head for the node is built from the parsed parts', () => {
  const head = accepted(
    'POST /a HTTP/1.0\r\nHost: a\r\nX-A:\t v \r\nTransfer-Encoding-X: 1\r\nContent-Length: 0005\r\nVia: 1.0 x',
  );
  const text = requestHeadText(head, {
    target: '/b',
    fields: requestFields('a', head.forwarded, `X-Forwarded-For: 1.2.3.4\r\n${viaField(head, 'us')}`),
    cookie: 'c=d',
    requestId: 'id',
    traceparent: '',
  });
  assert.equal(
    text,
    'POST /b HTTP/1.1\r\nHost: a\r\nX-A:\t v \r\nTransfer-Encoding-X: 1\r\nX-Forwarded-For: 1.2.3.4\r\nVia: 1.0 x, 1.0 us\r\nX-Request-Id: id\r\nCookie: c=d\r\nContent-Length: 5\r\n\r\n',
  );
});

test('RFC 9110 §9.2.2: which methods may be repeated', () => {
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']) assert.ok(isIdempotent(method));
  for (const method of ['POST', 'PATCH', 'LOCK', 'get']) assert.ok(!isIdempotent(method));
});

test('forwarded request ids are short tokens', () => {
  assert.ok(isRequestId('a-b_c.1'));
  for (const bad of ['', 'a b', 'a\x80', '<x>', 'x'.repeat(129)]) assert.ok(!isRequestId(bad));
});
