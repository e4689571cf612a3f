import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import {
  createServer,
  Agent as HttpAgent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestListener,
  request,
  type Server,
} from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { createServer as createTlsServer, request as tlsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { attachServer } from './http.ts';
import { InFlight } from './load/in-flight.ts';
import { Latencies } from './load/latencies.ts';
import { Traffic } from './load/traffic.ts';
import { probeNonce, proofOf } from './proof.ts';

const INSTANCE = '9f86d081884c7d659a2feaa0c55ad015';
const NONCE = '00112233445566778899aabbccddeeff';

async function listen(t: TestContext, server: Server) {
  const latencies = new Latencies();
  const inFlight = new InFlight(() => performance.now(), latencies);
  attachServer(server, inFlight, new Traffic(), {
    onListening() {},
    onUnixSocket() {},
    onClosed() {},
    isEnding: () => false,
    loadLine: () => 'rollcall-load: 1;2;0;\r\n',
    proofOf: (nonce) => proofOf(INSTANCE, nonce),
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections?.();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, inFlight, latencies };
}

interface Question {
  readonly port: number;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly agent?: HttpAgent;
}

async function ask(question: Question, send = request): Promise<IncomingMessage> {
  const options = {
    host: '127.0.0.1',
    headers: { 'rollcall-probe': NONCE },
    rejectUnauthorized: false,
    ...question,
  };
  const outgoing = send(options);
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return response;
}

test('the test vector of PROTOCOL.md', () => {
  assert.equal(proofOf(INSTANCE, NONCE), 'a6936b8c786e5cb6e78c7b4440433c0a6323e32f25c37228745da64003cbd0e5');
});

test('a nonce is 32 hex digits, sent once, in a field with a case-insensitive name', () => {
  const of = (...rawHeaders: string[]) => probeNonce({ rawHeaders });
  assert.equal(of('Host', 'x', 'Rollcall-Probe', NONCE), NONCE);
  assert.equal(of('rollcall-probe', 'A'.repeat(32)), 'A'.repeat(32));
  for (const odd of ['', 'x', NONCE.slice(1), `${NONCE}0`, ` ${NONCE}`, `${NONCE}, ${NONCE}`, 'g'.repeat(32)])
    assert.equal(of('rollcall-probe', odd), undefined, odd);
  assert.equal(of('rollcall-probe', NONCE, 'rollcall-probe', NONCE), undefined);
  assert.equal(of('host', 'rollcall-probe', NONCE, 'x'), undefined, 'values are not names');
  assert.equal(probeNonce({}), undefined);
});

test('every response to a probe has the proof, for any status, method, path and way of writing a head', async (t) => {
  const heads: readonly [head: RequestListener, status: number][] = [
    [(_, response) => void response.end('implicit'), 200],
    [(_, response) => void response.setHeader('x-own', 'set').end('implicit'), 200],
    [(_, response) => void response.writeHead(404, { 'x-own': 'object' }).end(), 404],
    [(_, response) => void response.writeHead(500, 'Broken', ['x-own', 'list']).end(), 500],
    [(_, response) => void response.writeHead(204).end(), 204],
    [(_, response) => void response.writeHead(304).end(), 304],
    [(_, response) => void setImmediate(() => response.write('late') && response.end()), 200],
  ];
  const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  let index = 0;
  const { port, inFlight, latencies } = await listen(
    t,
    createServer((incoming, response) => heads[index]![0](incoming, response)),
  );
  for (; index < heads.length; index += 1) {
    for (const [method, path] of [
      ['OPTIONS', '*'],
      ['HEAD', '/health?deep=1'],
      ['GET', '/'],
    ] as const) {
      const { statusCode, headers } = await ask({ port, method, path, agent });
      assert.equal(statusCode, heads[index]![1]);
      assert.equal(headers['rollcall-proof'], proofOf(INSTANCE, NONCE));
      assert.equal(headers['rollcall-load'], undefined);
    }
  }
  assert.deepEqual([inFlight.count, inFlight.finished, latencies.near(1)], [0, 0, undefined], 'a probe is no work');
});

test('a malformed probe is a normal request', async (t) => {
  const { port, inFlight } = await listen(
    t,
    createServer((_, response) => void response.end()),
  );
  const { headers } = await ask({ port, headers: { 'rollcall-probe': 'short' } });
  assert.deepEqual([headers['rollcall-proof'], headers['rollcall-load']], [undefined, '1;2;0;']);
  while (inFlight.finished === 0) await new Promise(setImmediate);
});

test('an open probe is not in flight', async (t) => {
  const held: (() => void)[] = [];
  const { port, inFlight } = await listen(
    t,
    createServer((_, response) => void held.push(() => response.end())),
  );
  const probe = ask({ port });
  while (held.length === 0) await new Promise(setImmediate);
  assert.equal(inFlight.count, 0);
  held[0]!();
  assert.equal((await probe).headers['rollcall-proof'], proofOf(INSTANCE, NONCE));
});

test('the proof is sent over TLS', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-proof-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const words =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out crt -days 1 -subj /CN=x';
  execFileSync('openssl', words.split(' '), { cwd: directory, stdio: 'pipe' });
  const [key, cert] = ['key', 'crt'].map((file) => readFileSync(join(directory, file)));
  const { port } = await listen(
    t,
    createTlsServer({ key, cert }, (_, response) => void response.writeHead(503).end()),
  );
  const { headers, statusCode } = await ask({ port, method: 'OPTIONS', path: '*' }, tlsRequest);
  assert.deepEqual([statusCode, headers['rollcall-proof']], [503, proofOf(INSTANCE, NONCE)]);
});

test('a response of HTTP/2 has the proof, set by setHeader', async (t) => {
  const server = createHttp2Server((_, response) => void response.end('hello'));
  const { port } = await listen(t, server as unknown as Server);
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  t.after(() => session.destroy());
  const stream = session.request({ ':path': '/', 'rollcall-probe': NONCE });
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  assert.equal(headers['rollcall-proof'], proofOf(INSTANCE, NONCE));
});

test('an application that responds before the listener of the agent gets no exception', async (t) => {
  const server = createServer();
  const { port } = await listen(t, server);
  server.prependListener('request', (_, response) => {
    response.writeHead(200).end('first');
    Object.assign(response, { _storeHeader: undefined });
  });
  assert.equal((await ask({ port })).statusCode, 200);
});
