/** Fastify 5 with @fastify/session as a node in suffix mode. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import cookie from '@fastify/cookie';
import session from '@fastify/session';
import { rollcall } from '@rollcall/agent';
import { startScriptedCoordinator } from '@rollcall/agent/testing';
import { fastify } from 'fastify';

declare module 'fastify' {
  interface Session {
    visits?: number;
  }
}

async function start(t: TestContext) {
  const coordinator = await startScriptedCoordinator();
  const node = rollcall({
    balancer: 'shop',
    coordinator: coordinator.url,
    signals: [],
    sticky: { mode: 'suffix', cookies: ['sessionId'] },
    log: () => {},
  });
  const app = fastify();
  await app.register(cookie);
  await app.register(session, {
    secret: 'a secret of at least thirty-two characters',
    cookie: { secure: false },
    idGenerator: () => node.sessionId(),
  });
  app.get('/visits', async (request) => {
    request.session.visits = (request.session.visits ?? 0) + 1;
    return { visits: request.session.visits };
  });
  node.attach(app);
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  t.after(async () => {
    await node.close();
    await app.close();
    await coordinator.close();
  });
  return { coordinator, node, app, url };
}

test('a Fastify instance becomes a node with its own keep-alive time, and its answers carry its load', async (t) => {
  const { coordinator, app, url } = await start(t);
  const sent = await (await coordinator.peer()).accept();
  assert.equal(sent.url, url);
  assert.equal(sent.keepAliveMs, app.server.keepAliveTimeout);
  const response = await fetch(`${url}/visits`);
  assert.match(response.headers.get('rollcall-load') ?? '', /^1;[\d.]*;[\d.]+;$/);
});

test('a signed session id of @fastify/session has the route before the signature, and the session lives on', async (t) => {
  const { node, url } = await start(t);
  const first = await fetch(`${url}/visits`);
  const pair = /^([^;]+)/.exec(first.headers.get('set-cookie') ?? '')?.[1] ?? '';
  const value = decodeURIComponent(pair.slice(pair.indexOf('=') + 1));
  assert.equal(value.split('.').at(-2), node.route);
  const second = await fetch(`${url}/visits`, { headers: { cookie: pair } });
  assert.deepEqual(await second.json(), { visits: 2 });
});

test('closing the Fastify instance makes the node leave', async (t) => {
  const { coordinator, app } = await start(t);
  const peer = await coordinator.peer();
  await peer.accept();
  await app.close();
  await peer.next('leave');
});
