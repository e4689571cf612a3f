import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { AgentConnection } from './agent-connection.ts';
import { clientTlsFiles, readClientTls } from './client-tls.ts';
import { listening } from './testing/listening.ts';
import { selfSigned } from './testing/self-signed.ts';
import { systemTimers } from './timers.ts';

function endOf(url: string, ...tls: Parameters<typeof readClientTls>): Promise<string> {
  return new Promise((resolve) => {
    const listener = {
      onOpen: () => resolve('open'),
      onMessage: () => {},
      onMalformed: () => {},
      onEnd: ({ detail }: { detail: string }) => resolve(detail),
    };
    new AgentConnection(url, undefined, systemTimers(), listener, undefined, readClientTls(...tls));
  });
}

test('the problem of an unusable file contains its path, variable, flag and cause', (t) => {
  const [one, two] = [selfSigned(t, 'one.example'), selfSigned(t, 'two.example')];
  const problem = (files: Parameters<typeof readClientTls>[0]) => readClientTls(files).problem ?? '';
  assert.equal(problem({ ca: '/none' }), 'cannot read ROLLCALL_CA (--ca) /none: ENOENT');
  assert.match(problem({ ca: one.keyFile }), /^ROLLCALL_CA \(--ca\) .*key contains no certificate in PEM form$/);
  assert.match(
    problem({ cert: one.certFile }),
    /^ROLLCALL_CLIENT_CERT \(--client-cert\) needs ROLLCALL_CLIENT_KEY \(--client-key\)$/,
  );
  assert.match(problem({ key: one.keyFile }), /^ROLLCALL_CLIENT_KEY .* needs ROLLCALL_CLIENT_CERT/);
  assert.match(
    problem({ cert: one.certFile, key: two.keyFile }),
    /^the key in ROLLCALL_CLIENT_KEY .* does not belong to the certificate in ROLLCALL_CLIENT_CERT /,
  );
  assert.match(problem({ cert: one.certFile, key: one.certFile }), /^cannot use ROLLCALL_CLIENT_KEY /);
  assert.equal(problem({ cert: one.certFile, key: one.keyFile }), '');
});

test('options have precedence over the environment, and certificate and key are from one source', () => {
  const environment = { ROLLCALL_CA: 'e.ca', ROLLCALL_CLIENT_CERT: 'e.crt', ROLLCALL_CLIENT_KEY: 'e.key' };
  assert.deepEqual(clientTlsFiles({}, environment), { ca: 'e.ca', cert: 'e.crt', key: 'e.key' });
  assert.deepEqual(clientTlsFiles({ ca: 'o.ca', cert: 'o.crt' }, environment), { ca: 'o.ca', cert: 'o.crt' });
  assert.deepEqual(clientTlsFiles({}, { ROLLCALL_CA: '' }), {});
});

test('only certificates of the CA file are trusted, on loopback under any name', async (t) => {
  const [ours, other] = [selfSigned(t, 'ops.example'), selfSigned(t, 'ops.example')];
  const seen: (string | undefined)[] = [];
  const server = createServer({ ...ours, requestCert: true, rejectUnauthorized: false }, (request, response) => {
    seen.push((request.socket as TLSSocket).getPeerX509Certificate()?.subject);
    response.writeHead(418).end();
  });
  const url = `wss://127.0.0.1:${await listening(t, server)}/v1/agent`;
  assert.match(await endOf(url, { ca: ours.certFile }), /HTTP 418/);
  assert.match(
    await endOf(url, { ca: other.certFile }),
    /^certificate not trusted \([A-Z_]+\): set ROLLCALL_CA \(--ca\)/,
  );
  assert.match(await endOf(url, {}), /^certificate not trusted/);
  const { certFile: cert, keyFile: key } = other;
  assert.match(await endOf(url, { ca: ours.certFile, cert, key }), /HTTP 418/);
  assert.deepEqual(seen, [undefined, 'CN=ops.example']);
});

test('the name is verified if the host is not loopback', (t) => {
  const { certFile, cert } = selfSigned(t, 'ops.example');
  const check = readClientTls({ ca: certFile }).options?.checkServerIdentity;
  const presented = {
    raw: new X509Certificate(cert).raw,
    subject: { CN: 'ops.example' },
    subjectaltname: 'DNS:ops.example',
  };
  const of = (host: string) => check?.(host, presented as never);
  assert.equal(of('ops.example'), undefined);
  assert.equal(of('127.0.0.1'), undefined);
  assert.match(String(of('127.0.0.1.example')), /altnames|alt name/i);
});

test('the next connection uses renewed files', (t) => {
  const [one, two] = [selfSigned(t, 'one.example'), selfSigned(t, 'two.example')];
  const files = { cert: one.certFile, key: one.keyFile };
  writeFileSync(one.certFile, two.cert);
  assert.match(readClientTls(files).problem ?? '', /does not belong/);
  writeFileSync(one.keyFile, two.key);
  assert.equal(readClientTls(files).problem, undefined);
});
