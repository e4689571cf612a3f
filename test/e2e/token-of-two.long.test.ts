/** A rotated token file of a node with two real coordinators: both connections use the new token. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { RollcallNode, systemTimers } from '@rollcall/agent';
import { Site, until } from '../site/site.ts';

const FIRST = 'first-secret-of-the-shop-0123456789';
const SECOND = 'second-secret-of-the-shop-0123456789';

function writeTokens(stateDir: string, secret: string): void {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const sha256 = createHash('sha256').update(secret).digest('hex');
  const text = JSON.stringify({ version: 1, tokens: [{ name: 'shop', role: 'join', sha256 }] });
  writeFileSync(join(stateDir, 'tokens.json'), text, { mode: 0o600 });
}

test('after a rotation a node is registered at both coordinators with the new token, and at one of them all the time', {
  timeout: 180_000,
}, async (t) => {
  const prepare = (stateDir: string): void => writeTokens(stateDir, FIRST);
  const sites = await Promise.all([Site.start(t, { prepare }), Site.start(t, { prepare })]);
  const file = join(sites[0]!.directory, 'join-token');
  writeFileSync(file, `${FIRST}\n`);
  const server = createServer((_, response) => response.end('ok'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const environment = {
    ROLLCALL_URL: sites.map(({ controlUrl }) => controlUrl).join(','),
    ROLLCALL_JOIN_TOKEN_FILE: file,
  };
  const options = { id: 'shop-1', balancer: 'shop', signals: [], log: () => {} };
  const node = new RollcallNode(options, environment, systemTimers());
  const lost: string[] = [];
  node.on('disconnected', ({ message }) => void lost.push(message));
  node.attach(server);
  t.after(async () => {
    await node.close();
    server.closeAllConnections();
    server.close();
  });
  const isUpAt = (site: Site) => async (): Promise<boolean> => (await site.node('shop-1'))?.liveness === 'up';
  for (const site of sites) await until(isUpAt(site), 'the node is not up');

  writeFileSync(file, `${SECOND}\n`);
  for (const site of sites) {
    writeTokens(site.stateDir, SECOND);
    const log = site.log.length;
    await site.restart();
    await until(
      async () => {
        const { body } = await site.admin<{ events: readonly { type: string; node?: string }[] }>('GET', '/v1/events');
        return body.events.some((event) => event.type === 'registered' && event.node === 'shop-1');
      },
      `the node does not return: ${site.log.slice(log)}`,
    );
    await until(isUpAt(site), 'the node is not up again');
  }
  assert.deepEqual(lost, []);
});
