/** `rollcall protocol-check` with tokens, and against a coordinator that is wrong. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { Site } from '../site/site.ts';
import { idsOf, protocolCheck } from './protocol-check-report.ts';

test('with a join token the check needs the token, and passes with it', { timeout: 180_000 }, async (t) => {
  const token = 'join-token-of-the-test';
  const site = await Site.start(t, { environment: { ROLLCALL_JOIN_TOKEN: token } });
  const url = site.controlUrl.replace('http', 'ws');
  const without = await protocolCheck(site, url, { ROLLCALL_JOIN_TOKEN: '' });
  assert.equal(without.code, 1);
  assert.match(idsOf(without.report, 'failed').join(), /^upgrade-accepted: HTTP 401: set ROLLCALL_JOIN_TOKEN/);
  assert.equal(without.report.failed, 1);
  const { code, report } = await protocolCheck(site, url, { ROLLCALL_JOIN_TOKEN: token });
  assert.deepEqual([...idsOf(report, 'failed'), ...idsOf(report, 'skipped')], []);
  assert.equal(code, 0);
});

test('a coordinator that agrees to everything fails', { timeout: 180_000 }, async (t) => {
  const site = await Site.start(t);
  const url = await agreeable(t);
  const { code, report } = await protocolCheck(site, url);
  assert.equal(code, 1);
  const passed = report.checks.filter(({ outcome }) => outcome === 'passed').map(({ id }) => id);
  // Checks that the WebSocket library passes by itself, or that any agreement passes.
  assert.deepEqual(passed, [
    'upgrade-accepted',
    'upgrade-several-versions',
    'upgrade-token-in-url',
    'upgrade-no-compression',
    'frame-bad-utf8',
    'frame-largest',
    'frame-fragments',
    'frame-broken',
    'frame-ping',
    'message-equal-keys',
    'register-pace',
    'register-all-fields',
    'names-case',
    'leave-then-heartbeat',
    'silent-holder',
    'bystander',
  ]);
});

/** Accepts every upgrade, answers every message with `registered`, and closes with 4999 what it cannot read. */
async function agreeable(t: TestContext): Promise<string> {
  const server = createServer();
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'rollcall.v1' });
  server.on('upgrade', (request, socket, head) => {
    if (request.url !== '/v1/agent') {
      socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => undefined);
      client.on('message', (data) => {
        let node: object = {};
        try {
          const message = JSON.parse(String(data)) as { type?: string; node?: object } | null;
          if (message?.type === 'leave') return client.close(1000);
          node = message?.node ?? {};
        } catch {
          client.close(4999);
        }
        const pace = { heartbeatMs: 1_000, suspectMs: 3_000, leaseMs: 20_000 };
        client.send(JSON.stringify({ type: 'registered', node, ...pace, epoch: '', coordinators: [], warnings: [] }));
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const client of sockets.clients) client.terminate();
    server.close();
    server.closeAllConnections();
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
