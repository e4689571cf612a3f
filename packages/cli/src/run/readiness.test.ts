import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { waitUntilReady, whyNotReady } from './readiness.ts';

test('the last answer of a program is kept when the end interrupts a later request', async (t) => {
  let requests = 0;
  const server = createServer((_request, response) => {
    if (requests++ === 0) response.writeHead(503).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const options = { port, addresses: ['127.0.0.1'], path: '/', timeoutMs: 1_000 };
  const readiness = await waitUntilReady(options, () => false);
  assert.ok(requests >= 2);
  assert.ok(!readiness.isReady && readiness.last.type === 'answered' && readiness.last.status === 503);
});

test('the message names the request, the answer and the remedy', async (t) => {
  const plain = createServer((_request, response) => response.end());
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
  t.after(() => plain.close());
  const { port } = plain.address() as AddressInfo;
  const options = { port, addresses: ['127.0.0.1'], path: '/up', timeoutMs: 30_000 };
  const address = '127.0.0.1';
  const outcome = `not ready after 30 s: GET /up at 127.0.0.1:${port}`;
  const more = 'allow more time with --ready-timeout';
  assert.equal(
    await whyNotReady(options, { type: 'answered', address, status: 502 }, 0),
    `${outcome} was answered with 502: use --ready PATH with a path that answers below 500, or ${more}`,
  );
  assert.equal(
    await whyNotReady(options, { type: 'silent', address }, 0),
    `${outcome} was not answered: use --ready PATH, or ${more}`,
  );
  assert.equal(
    await whyNotReady({ ...options, isTls: true }, { type: 'answered', address, status: 0 }, 0),
    `${outcome} over TLS was answered without TLS: leave out --https`,
  );
});
