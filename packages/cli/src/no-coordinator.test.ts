import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { readClientTls } from '@rollcall/agent';
import { listening } from '@rollcall/agent/testing';
import { makeAuthority } from '@rollcall/proxy/testing';
import { failedAttempt } from './no-coordinator.ts';
import { answerOf, Unanswered } from './reach.ts';

const DAY_MS = 86_400_000;

test('the sentence about a refused certificate has the cause and its remedy', async (t) => {
  const authority = makeAuthority(t);
  const trusting = readClientTls({ ca: authority.caFile });
  const of = async (names: string[], tls: Parameters<typeof answerOf>[2], untilUnixMs = Date.now() + DAY_MS) => {
    const issued = authority.issue(`c${names.length}${untilUnixMs}`, names, { fromUnixMs: 0, untilUnixMs });
    const files = { key: readFileSync(issued.key), cert: readFileSync(issued.cert) };
    const port = await listening(t, createTlsServer(files));
    const { none } = await answerOf(`https://127.0.0.1:${port}`, '/livez', tls);
    assert.equal(none?.stage, 'tls');
    const unanswered = new Unanswered();
    unanswered.add(none);
    // A coordinator is running: starting one or naming another one does not help.
    assert.equal(unanswered.failure().message, none.sentence);
    return none.sentence.replace(String(port), 'PORT');
  };
  assert.match(
    await of(['127.0.0.1'], undefined),
    /^connected to https:\/\/127\.0\.0\.1:PORT, but TLS failed: certificate not trusted .*ROLLCALL_CA \(--ca\)/,
  );
  assert.match(
    await of(['127.0.0.1'], trusting, Date.now() - DAY_MS),
    /, but TLS failed: certificate expired .*\(`up --control-cert`\)$/,
  );
  assert.match(
    await of(['ops.example'], trusting),
    /, but TLS failed: certificate is not for 127\.0\.0\.1 but for DNS:ops\.example .*: use one of these names in the address/,
  );
});

test('the sentence depends on the stage between connection and answer', async (t) => {
  const url = 'http://ops.example:8400';
  const coded = (code: string) => failedAttempt(Object.assign(new Error(code), { code }), url);
  assert.deepEqual(coded('ENOTFOUND').stage, 'unconnected');
  assert.deepEqual(coded('ECONNRESET').stage, 'other');
  assert.deepEqual(failedAttempt(new DOMException('late', 'TimeoutError'), url), {
    stage: 'silent',
    sentence: `no answer from ${url} in time: the coordinator is frozen or overloaded, its machine cannot be reached, or another program listens there`,
  });
  assert.match(failedAttempt(new Error('wrong Sec-WebSocket-Accept'), url).sentence, /^no coordinator at /);
  const port = await listening(
    t,
    createServer((socket) => void socket.end()),
  );
  const { none } = await answerOf(`https://127.0.0.1:${port}`, '/livez');
  assert.equal(
    none?.sentence,
    `connected to https://127.0.0.1:${port}, but the port closed the connection during the TLS handshake`,
  );
});
