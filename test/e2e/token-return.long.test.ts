/** Nodes that their token no longer allows: they leave, their program keeps running, and they return when a token allows it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Notice, RollcallNode, systemTimers, type Timers } from '@rollcall/agent';
import type { TokenResult } from '@rollcall/protocol';
import { Site, until } from '../site/site.ts';

/** Waits of at least this time end when the test ends them, milliseconds. */
const LONG_MS = 45_000;

test('a node returns after a mistake in its binding was corrected, and after its token was made again', {
  timeout: 180_000,
}, async (t) => {
  const site = await Site.start(t);
  const file = join(site.directory, 'join-token');
  const create = async () => {
    const bindings = { balancers: ['shop'] };
    const { secret } = (await site.admin<TokenResult>('POST', '/v1/tokens', { name: 'shop', role: 'join', bindings }))
      .body;
    writeFileSync(file, `${secret}\n`);
  };
  await create();
  const server = createServer((_, response) => response.end('ok'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const real = systemTimers();
  const held = new Set<() => void>();
  const timers: Timers = {
    nowMs: () => real.nowMs(),
    after: (delayMs, run, options) => {
      if (delayMs < LONG_MS) return real.after(delayMs, run, options);
      held.add(run);
      return () => held.delete(run);
    },
  };
  const environment = { ROLLCALL_URL: site.controlUrl, ROLLCALL_JOIN_TOKEN_FILE: file };
  const node = new RollcallNode({ id: 'shop-1', balancer: 'shop', signals: [], log: () => {} }, environment, timers);
  const lost: Notice[] = [];
  node.on('disconnected', (notice) => lost.push(notice));
  node.on('error', ({ message }) => assert.fail(message));
  node.attach(server);
  t.after(async () => {
    await node.close();
    server.closeAllConnections();
    server.close();
  });
  const serves = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${site.proxyPort}/`)).status === 200;
  await until(serves, 'the node does not serve');

  const bind = (balancer: string) => site.admin('PATCH', '/v1/tokens/shop', { bindings: { balancers: [balancer] } });
  await bind('shoppe');
  await until(() => held.size === 1, 'the agent does not wait');
  assert.match(lost[0]?.message ?? '', /the token shop is bound to balancer shoppe: .*; retrying about every 60 s$/);
  assert.equal((await site.node('shop-1'))?.liveness ?? 'gone', 'gone');
  await bind('shop');
  const [retry] = held;
  held.clear();
  retry!();
  await until(serves, 'the node does not return after the correction');

  await site.admin('DELETE', '/v1/tokens/shop', {});
  await until(async () => !(await serves()), 'the node does not leave');
  await create();
  await until(serves, 'the node does not return with the new token');
});
