/** Express 5 with express-session as a node in suffix mode. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { rollcall } from '@rollcall/agent';
import { startScriptedCoordinator } from '@rollcall/agent/testing';
import express from 'express';
import session from 'express-session';

declare module 'express-session' {
  interface SessionData {
    visits: number;
  }
}

async function start(t: TestContext) {
  const coordinator = await startScriptedCoordinator();
  const node = rollcall({
    balancer: 'shop',
    coordinator: coordinator.url,
    signals: [],
    sticky: { mode: 'suffix', cookies: ['connect.sid'] },
    log: () => {},
  });
  const app = express();
  app.use(session({ secret: 'test', resave: false, saveUninitialized: true, genid: () => node.sessionId() }));
  app.get('/visits', (request, response) => {
    request.session.visits = (request.session.visits ?? 0) + 1;
    response.json({ visits: request.session.visits });
  });
  const server = app.listen(0, '127.0.0.1');
  node.attach(server);
  await once(server, 'listening');
  t.after(async () => {
    await node.close();
    server.closeAllConnections();
    server.close();
    await coordinator.close();
  });
  return { coordinator, node, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test('an Express application becomes a node whose answers carry its load', async (t) => {
  const { coordinator, url } = await start(t);
  const peer = await coordinator.peer();
  const sent = await peer.accept();
  assert.equal(sent.url, url);
  assert.deepEqual(sent.sticky, { mode: 'suffix', cookies: ['connect.sid'] });
  const response = await fetch(`${url}/visits`);
  assert.match(response.headers.get('rollcall-load') ?? '', /^1;[\d.]*;[\d.]+;$/);
});

test('a signed session id of express-session has the route before the signature, and the session lives on', async (t) => {
  const { node, url } = await start(t);
  const first = await fetch(`${url}/visits`);
  const cookie = /^([^;]+)/.exec(first.headers.get('set-cookie') ?? '')?.[1] ?? '';
  const value = decodeURIComponent(cookie.slice(cookie.indexOf('=') + 1));
  assert.match(value, /^s:[A-Za-z0-9_-]{32}\./);
  assert.equal(value.split('.').at(-2), node.route);
  const second = await fetch(`${url}/visits`, { headers: { cookie } });
  assert.deepEqual(await second.json(), { visits: 2 });
});
