import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectCause, notRollcallCause, readRefusal, refusalCause } from './connect-cause.ts';

const URL = 'wss://ops.example:443/v1/agent';

function coded(code: string, more: object = {}): Error {
  return Object.assign(new Error(`${code}: message of Node.js`), { code, ...more });
}

/** Causes that do not need a server; the others are in `connect-words.test.ts`. */
test('each cause has its own text, with code and remedy', () => {
  for (const [error, words] of [
    [coded('ENOTFOUND'), 'name ops.example not found (ENOTFOUND)'],
    [coded('EAI_AGAIN'), 'look-up of ops.example failed (EAI_AGAIN): the name server does not answer'],
    [coded('EHOSTUNREACH'), 'no route to the host (EHOSTUNREACH)'],
    [coded('ETIMEDOUT'), 'connect timed out'],
    [coded('EMFILE'), 'too many open files (EMFILE)'],
    [coded('CERT_NOT_YET_VALID'), "certificate not valid yet (CERT_NOT_YET_VALID): correct this machine's clock"],
    [coded('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'), /^TLS handshake failed \(ERR_SSL_TLSV13/],
    [new Error('Server sent no subprotocol'), /^not a Rollcall port: .*rollcall\.v1/],
    [new Error('something else'), 'something else'],
    ['no error at all', 'no error at all'],
    [undefined, 'undefined'],
  ] as const) {
    const cause = connectCause(error, URL);
    if (typeof words === 'string') assert.equal(cause, words);
    else assert.match(cause, words);
  }
});

test('the error inside that of fetch is found, and addresses with different causes are named', () => {
  const refused = (address: string) => coded('ECONNREFUSED', { address });
  const wrapped = (errors: Error[]) => new TypeError('fetch failed', { cause: new AggregateError(errors) });
  assert.equal(connectCause(wrapped([refused('::1'), refused('127.0.0.1')]), URL), 'connection refused');
  const mixed = wrapped([refused('::1'), coded('ETIMEDOUT', { address: '192.0.2.1' })]);
  assert.equal(connectCause(mixed, URL), '::1 connection refused, 192.0.2.1 connect timed out');
});

test('responses of other servers have their own text, without secrets and in one line', () => {
  const answered = (status: number, fields: Record<string, string> = {}, body = '') =>
    refusalCause(
      readRefusal(status, (name) => fields[name], body),
      'ws://a.test:80/v1/agent',
      { hasToken: true, hasCertificate: false },
    );
  assert.equal(answered(404, { server: 'nginx/1.24\r\nx' }), 'not a Rollcall port: HTTP 404 from nginx/1.24 x');
  assert.equal(
    answered(301, { location: 'https://u:s3cret@a.test/?t=s3cret' }),
    'not a Rollcall port: HTTP 301, which redirects to https://***@a.test/?***',
  );
  assert.match(answered(502), /^HTTP 502: the reverse proxy does not reach a coordinator$/);
  for (const body of [
    '<h1>400</h1>The plain HTTP request was sent to HTTPS port',
    'Client sent an HTTP request to an HTTPS server.',
  ])
    assert.equal(answered(400, {}, body), 'the port speaks TLS: use wss://');
});

test('a refusal by a coordinator is described with its code', () => {
  const refused = (status: number, code: string, detail: string, hasToken = true, hasCertificate = false) =>
    refusalCause(
      readRefusal(status, () => undefined, JSON.stringify({ code, detail })),
      URL,
      { hasToken, hasCertificate },
    );
  assert.match(
    refused(401, 'unauthenticated', '', false),
    /^join token required \(HTTP 401 unauthenticated\): set ROLL/,
  );
  assert.match(
    refused(401, 'unauthenticated', 'no token names CN=shop', false, true),
    /^client certificate refused \(HTTP 401 unauthenticated: no token names CN=shop\): use one that a token of this cluster names/,
  );
  assert.match(refused(403, 'forbidden', 'no role'), /^not allowed \(HTTP 403 forbidden: no role\)/);
  assert.match(refused(426, 'unsupported-version', 'ask for x'), /this agent speaks rollcall\.v1$/);
  assert.equal(refused(429, 'rate-limited', 'too many'), 'too many connections (HTTP 429 rate-limited: too many)');
  assert.equal(refused(503, 'shutting-down', 'goes away'), 'refused (HTTP 503 shutting-down: goes away)');
  assert.match(refused(404, 'not-found', 'there is no'), /check the path in ROLLCALL_URL$/);
  assert.equal(notRollcallCause({ status: 200 }, URL), 'not a Rollcall port: HTTP 200');
});
