/** A node whose token file is replaced during a rotation: it reads the file anew, and serves all the time. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { RollcallNode, systemTimers } from '@rollcall/agent';
import type { EventResource, TokenResult } from '@rollcall/protocol';
import { Site, until } from '../site/site.ts';

test('a node with a rotated token comes back with the new secret, and no request fails', {
  timeout: 180_000,
}, async (t) => {
  const site = await Site.start(t);
  const { secret: first } = (
    await site.admin<TokenResult>('POST', '/v1/tokens', {
      name: 'shop',
      role: 'join',
      bindings: { nodeIds: ['shop-*'] },
    })
  ).body;
  const file = join(site.directory, 'join-token');
  writeFileSync(file, `${first}\n`);
  const server = createServer((_, response) => response.end('ok'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const environment = { ROLLCALL_URL: site.controlUrl, ROLLCALL_JOIN_TOKEN_FILE: file };
  const options = { id: 'shop-1', balancer: 'shop', signals: [], log: () => {} };
  const node = new RollcallNode(options, environment, systemTimers());
  node.attach(server);
  t.after(async () => {
    await node.close();
    server.closeAllConnections();
    server.close();
  });
  const serves = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${site.proxyPort}/`)).status === 200;
  await until(serves, 'the node does not serve');

  const { secret: second } = (await site.admin<TokenResult>('POST', '/v1/tokens/shop/rotate', { overlapMs: 1_000 }))
    .body;
  writeFileSync(file, `${second}\n`);
  const events = async (): Promise<readonly EventResource[]> =>
    (await site.admin<{ events: readonly EventResource[] }>('GET', '/v1/events')).body.events;
  const registrations = async (): Promise<number> =>
    (await events()).filter(({ type, node: id }) => type === 'registered' && id === 'shop-1').length;
  await until(async () => {
    assert.ok(await serves(), 'a request failed during the rotation');
    return (await registrations()) >= 2 && (await site.node('shop-1'))?.liveness === 'up';
  }, 'the node does not come back');
  assert.ok((await events()).every(({ type }) => type !== 'gone'));
});
