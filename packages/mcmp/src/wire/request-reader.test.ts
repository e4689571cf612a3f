import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RequestReader, type WireContinue, type WireFault, type WireRequest } from './request-reader.ts';

type Read = WireRequest | WireFault | WireContinue;

function readAll(...chunks: string[]): Read[] {
  const reader = new RequestReader();
  const all: Read[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let next = reader.next(); next; next = reader.next()) all.push(next);
  }
  return all;
}

function request(line: string, fields: readonly string[] = ['Host: x'], body = ''): string {
  const length = body === '' ? [] : [`Content-Length: ${body.length}`];
  return `${[line, ...fields, ...length].join('\r\n')}\r\n\r\n${body}`;
}

const status = request('STATUS / HTTP/1.1', ['Host: x'], 'JVMRoute=n1&Load=50');

void test('a request of the Java listener is read', () => {
  assert.deepEqual(readAll(status), [
    {
      type: 'request',
      method: 'STATUS',
      target: '/',
      accept: '',
      isKeptAlive: true,
      body: 'JVMRoute=n1&Load=50',
    },
  ]);
});

void test('pipelined requests come out in order, however they are split', () => {
  const text = `${status}${request('INFO /* HTTP/1.1', ['Host: x', 'Accept: text/xml'])}${status}`;
  const whole = readAll(text);
  assert.deepEqual(
    whole.map((one) => one.type === 'request' && one.method),
    ['STATUS', 'INFO', 'STATUS'],
  );
  assert.deepEqual(readAll(...text), whole);
  fc.assert(
    fc.property(fc.array(fc.nat(text.length), { maxLength: 6 }), (cuts) => {
      const at = [0, ...cuts.sort((one, other) => one - other), text.length];
      assert.deepEqual(readAll(...at.slice(1).map((end, i) => text.slice(at[i], end))), whole);
    }),
  );
});

void test('targets: a path, the star, an absolute URL', () => {
  const targets = ['/', '/*', '*', '/bridge/*', 'http://elsewhere.example/', 'http://elsewhere.example'];
  assert.deepEqual(
    targets
      .map((target) => readAll(request(`INFO ${target} HTTP/1.1`))[0])
      .map((one) => one?.type === 'request' && one.target),
    ['/', '/*', '*', '/bridge/*', '/', '/'],
  );
});

void test('the connection stays open by the rules of HTTP', () => {
  const isKept = (line: string, ...fields: string[]): unknown => {
    const [one] = readAll(request(line, fields));
    return one?.type === 'request' ? one.isKeptAlive : one;
  };
  assert.equal(isKept('INFO / HTTP/1.1', 'Host: x'), true);
  assert.equal(isKept('INFO / HTTP/1.1', 'Host: x', 'Connection: Keep-Alive'), true);
  assert.equal(isKept('INFO / HTTP/1.1', 'Host: x', 'Connection: close'), false);
  assert.equal(isKept('INFO / HTTP/1.0'), false);
  assert.equal(isKept('INFO / HTTP/1.0', 'Connection: keep-alive'), true);
});

void test('a client that waits for 100 Continue gets it before the body', () => {
  const reader = new RequestReader();
  reader.push('STATUS / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n');
  assert.deepEqual(reader.next(), { type: 'continue' });
  assert.equal(reader.next(), undefined);
  reader.push('a=b');
  assert.equal(reader.next()?.type, 'request');
});

void test('everything ambiguous is refused with its status, and nothing after it is read', () => {
  const cases: [text: string, status: number][] = [
    ['STATUS /\r\n\r\n', 400],
    ['STATUS / HTTP/2.0\r\nHost: x\r\n\r\n', 400],
    ['STATUS  / HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['STATUS x HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['A B / HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['\x16\x03\x01\x00\x2f\r\n\r\n', 400],
    ['STATUS / HTTP/1.1\nHost: x\n\n', 400],
    ['STATUS / HTTP/1.1\r\n\r\n', 400],
    [request('STATUS / HTTP/1.1', ['Host: x', 'Host: x']), 400],
    [request('STATUS / HTTP/1.1', ['Host: x', 'NoColon']), 400],
    [request('STATUS / HTTP/1.1', ['Host: x', 'X A: 1']), 400],
    [request('STATUS / HTTP/1.1', ['Host: x', 'X-A: 1', ' folded']), 400],
    [request('STATUS / HTTP/1.1', ['Host: x', 'X-A: \x00']), 400],
    [request('STATUS / HTTP/1.1', ['Host: x', 'Content-Length: +3']), 400],
    [request('STATUS / HTTP/1.1', ['Host: x', 'Content-Length: 3', 'Content-Length: 3']), 400],
    [request('STATUS / HTTP/1.1', ['Host: x', 'Transfer-Encoding: chunked']), 411],
    [request('STATUS / HTTP/1.1', ['Host: x', 'Content-Length: 16385']), 413],
    [request('STATUS / HTTP/1.1', ['Host: x', 'Expect: something']), 417],
    [request('STATUS / HTTP/1.1', ['Host: x', `X-A: ${'a'.repeat(8_200)}`]), 431],
    ['S'.repeat(8_193), 431],
    [request('STATUS / HTTP/1.1', ['Host: x', ...new Array<string>(50).fill('X-A: 1')]), 431],
  ];
  for (const [text, expected] of cases) {
    const [first, ...rest] = readAll(text, status);
    assert.equal(first?.type === 'fault' && first.status, expected, JSON.stringify(text.slice(0, 60)));
    assert.deepEqual(rest, []);
  }
});

void test('any octets: the reader never throws, and holds a bounded text', () => {
  const octets = fc.array(fc.nat(255), { maxLength: 200 }).map((codes) => String.fromCharCode(...codes));
  const parts = fc.constantFrom(
    'STATUS / HTTP/1.1\r\n',
    'Host: x\r\n',
    'Content-Length: 5\r\n',
    '\r\n',
    '\n',
    'a=b&c',
    ' ',
    ':',
    status,
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(octets, parts), { maxLength: 30 }), (chunks) => {
      const reader = new RequestReader();
      for (const chunk of chunks) {
        reader.push(chunk);
        for (let next = reader.next(); next; next = reader.next())
          if (next.type === 'request') assert.match(next.method, /^[A-Z][A-Z-]*$/);
        assert.ok(reader.pending <= 8_192 + 16_384 + chunk.length);
      }
    }),
    { numRuns: 500 },
  );
});
