import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RepeatedFields } from './repeated-fields.ts';
import { RequestHead } from './request-head.ts';
import { NO_EDITS } from './response-edits.fixture.ts';
import { ResponseHead } from './response-head.ts';

const LIMITS = { maxLineBytes: 8_190, maxFieldBytes: 32_768, maxFields: 100 };
const EDITS = {
  ...NO_EDITS,
  publicOrigin: 'http://a',
  prefixAt: (authority: string) => (authority === 'n:80' ? '' : undefined),
};

test('the same octets are a repetition once their length has come twice', () => {
  const repeated = new RepeatedFields();
  const octets = Buffer.from('xxA: 1\r\nA: 1\r\nA: 2\r\n');
  for (const times of [1, 2]) {
    assert.equal(repeated.isSame(octets, 2, 8), false, `after ${times - 1}`);
    repeated.keep(octets, 2, 8);
  }
  assert.equal(repeated.isSame(octets, 2, 8), true);
  assert.equal(repeated.isSame(octets, 8, 14), true, 'elsewhere');
  assert.equal(repeated.isSame(octets, 14, 20), false, 'other octets');
  assert.equal(repeated.isSame(octets, 2, 14), false, 'longer');
  octets.fill(0);
  assert.equal(repeated.isSame(Buffer.from('A: 1\r\n'), 0, 6), true, 'what was kept is a copy');
  repeated.forget();
  assert.equal(repeated.isSame(Buffer.from('A: 1\r\n'), 0, 6), false);
});

test('the end of a request line that equals earlier fields is not a repetition', () => {
  const used = new RequestHead();
  const fields = 'b:c HTTP/1.1\r\nHost: a';
  for (let i = 0; i < 3; i++) requestOf(used, `GET / HTTP/1.1\r\n${fields}`);
  const text = `GET /a${fields}`;
  assert.deepEqual(requestOf(used, text), requestOf(new RequestHead(), text));
  assert.equal(used.target, '/ab:c');
});

/** All parts of a head, as a new reader finds them. */
function requestOf(head: RequestHead, text: string): unknown {
  const octets = Buffer.from(`${text}\r\n\r\n`, 'latin1');
  const refusal = head.read(octets, 0, octets.length - 4, LIMITS);
  return refusal ?? { ...head };
}

const LINES = [
  'GET / HTTP/1.1',
  'GET /other?x=1 HTTP/1.1',
  'GET / HTTP/1.0',
  'POST / HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'OPTIONS / HTTP/1.1',
  'GET http://b/abs HTTP/1.1',
  'BAD',
];
const FIELDS = [
  'Host: a',
  'Host: c\r\nX: 1',
  'Host: a\r\nMax-Forwards: 3\r\nX: 22',
  'Host: a\r\nConnection: close',
  'Host: a\r\nConnection: keep-alive, x-a\r\nX-A: 1',
  'Host: a\r\nContent-Length: 5',
  'Host: a\r\nContent-Length: 6',
  'Host: a\r\nTransfer-Encoding: chunked',
  'Host: a\r\nCookie: b=c\r\nExpect: 100-continue\r\nContent-Length: 1',
  'Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket',
  'Host: a\r\nHost: a',
  'X-Forwarded-For: 1.2.3.4\r\nHost: a\r\nX-Request-Id: abc\r\nVia: 1.1 x',
];

test('a request head has the same result after any earlier head', () => {
  const heads = fc.array(fc.tuple(fc.constantFrom(...LINES), fc.constantFrom(...FIELDS), fc.nat({ max: 3 })), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(heads, (sequence) => {
      const used = new RequestHead();
      for (const [line, fields, repeats] of sequence) {
        for (let i = 0; i <= repeats; i++) {
          const text = `${line}\r\n${fields}`;
          assert.deepEqual(requestOf(used, text), requestOf(new RequestHead(), text), text);
          // As the engine does.
          used.keepsAlive = false;
        }
      }
    }),
    { numRuns: 500, seed: 20261121 },
  );
});

function responseOf(head: ResponseHead, text: string, method: string, publicOrigin: string): unknown {
  const octets = Buffer.from(`${text}\r\n\r\n`, 'latin1');
  const seen: string[] = [];
  const edits = { ...EDITS, publicOrigin, onSetCookie: (value: string) => seen.push(value) };
  const fault = head.read(octets, 0, octets.length - 4, method, edits, LIMITS);
  return fault ?? { ...head, seen };
}

const STATUS_LINES = [
  'HTTP/1.1 200 OK',
  'HTTP/1.1 204 No',
  'HTTP/1.1 304 Not',
  'HTTP/1.0 200 OK',
  'HTTP/1.1 100 Continue',
];
const ANSWERS = [
  'Content-Length: 5',
  'Content-Length: 6',
  'Transfer-Encoding: chunked',
  'Set-Cookie: a=b\r\nContent-Length: 0',
  'Location: http://n/x\r\nContent-Length: 0',
  'Connection: close\r\nContent-Length: 1',
  'Keep-Alive: timeout=5\r\nDate: x\r\nContent-Length: 1',
  'Content-Length: 1\r\nContent-Length: 1',
  'X: 1',
];

test('a response head has the same result after any earlier head', () => {
  const heads = fc.array(
    fc.tuple(
      fc.constantFrom(...STATUS_LINES),
      fc.constantFrom(...ANSWERS),
      fc.constantFrom('GET', 'HEAD'),
      fc.constantFrom('http://a', 'http://b'),
      fc.nat({ max: 3 }),
    ),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(heads, (sequence) => {
      const used = new ResponseHead();
      for (const [line, fields, method, origin, repeats] of sequence) {
        for (let i = 0; i <= repeats; i++) {
          const text = `${line}\r\n${fields}`;
          const fresh = responseOf(new ResponseHead(), text, method, origin);
          assert.deepEqual(responseOf(used, text, method, origin), fresh, `${method} ${text}`);
        }
      }
    }),
    { numRuns: 500, seed: 20261121 },
  );
});
