import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { waitUntilReady } from './readiness.ts';

test('what a program answered is not forgotten for a question that the end cut short', async (t) => {
  let asked = 0;
  const server = createServer((_request, response) => {
    if (asked++ === 0) response.writeHead(503).end();
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
  assert.ok(asked >= 2);
  assert.ok(!readiness.isReady && readiness.last.type === 'answered' && readiness.last.status === 503);
});
