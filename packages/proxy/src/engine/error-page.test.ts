/** Error answers in each form: with and without a detail, escaped, readable in the dark and on a phone, and self-contained. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorAnswer } from './error-page.ts';

const ANSWER = {
  status: 503,
  requestId: 'r-1',
  fields: '',
  isHead: false,
  isHttp10: false,
  keepsAlive: true,
  retryAfterSeconds: 2,
  detail: '',
  page: '',
};
const HTML = 'Accept: text/html\r\n';
const JSON_FIELD = 'Accept: application/json\r\n';
const DETAIL = 'start one: rollcall run -- <COMMAND> & wait';

const CASES: readonly [what: string, answer: Partial<typeof ANSWER>, body: RegExp | string][] = [
  ['text', {}, '503 no server available\nrequest r-1\n'],
  ['text with a detail', { detail: DETAIL }, `503 no server available\n${DETAIL}\nrequest r-1\n`],
  [
    'JSON',
    { fields: JSON_FIELD },
    '{"type":"about:blank","title":"no server available","status":503,"requestId":"r-1"}\n',
  ],
  ['JSON with a detail', { fields: JSON_FIELD, detail: 'x' }, /"status":503,"detail":"x","requestId":"r-1"/],
  ['HTML', { fields: HTML }, /<h1>503 Service Unavailable<\/h1><p>no server available<\/p><p><small>request r-1</],
  [
    'HTML with a detail',
    { fields: HTML, detail: DETAIL },
    /<code>start one: rollcall run -- &lt;COMMAND&gt; &amp; wait</,
  ],
  ['HTML for phones', { fields: HTML }, /<meta name="viewport" content="width=device-width,initial-scale=1">/],
  ['HTML in the dark', { fields: HTML }, /@media\(prefers-color-scheme:dark\)/],
  ['HTML without external resources', { fields: HTML }, /^(?!.*(?:https?:|src=|href=|url\(|@import))/s],
  ["the operator's page", { fields: HTML, page: '<p>sorry</p>', detail: DETAIL }, '<p>sorry</p>'],
];

for (const [what, answer, body] of CASES)
  test(what, () => {
    const text = errorAnswer({ ...ANSWER, ...answer });
    const end = text.indexOf('\r\n\r\n') + 4;
    assert.match(text.slice(0, end), /\r\nX-Request-Id: r-1\r\n/);
    assert.ok(text.slice(0, end).includes(`\r\nContent-Length: ${text.length - end}\r\n`));
    if (typeof body === 'string') assert.equal(text.slice(end), body);
    else assert.match(text.slice(end), body);
  });

test('an answer to octets that are no request has no request id', () =>
  assert.doesNotMatch(errorAnswer({ ...ANSWER, requestId: '' }), /request-id|request r/i));
