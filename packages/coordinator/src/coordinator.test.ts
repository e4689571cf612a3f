import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { NodeResource, StatusResource, TokenList, TokenResult } from '@rollcall/protocol';
import { AGENT_PATH, AGENT_SUBPROTOCOL } from '@rollcall/protocol';
import { openStore } from './stores/open-store.ts';
import { startTestCoordinator } from './testing/test-coordinator.ts';
import { startTestNode } from './testing/test-node.ts';
import { TestSocket } from './testing/test-socket.ts';

test('without a join token it refuses to listen beyond loopback, with advice', async () => {
  const listen = { host: '0.0.0.0', port: 0 };
  await assert.rejects(startTestCoordinator({ listen }), /without a join token.*ROLLCALL_JOIN_TOKEN/);
  await assert.rejects(startTestCoordinator({ agentsListen: listen }), /without a join token/);
});

test('a join token that was created through the API allows a control port beyond loopback', async (t) => {
  const stateDir = await mkdtemp(join(tmpdir(), 'rollcall-open-'));
  t.after(() => rm(stateDir, { recursive: true, force: true }));
  const local = await startTestCoordinator({ stateDir });
  const body = { name: 'web', role: 'join', expiresInMs: 3_600_000 };
  const { secret } = (await local.api('/v1/tokens', { method: 'POST', body })).json<TokenResult>();
  await local.coordinator.close();
  const open = await startTestCoordinator({ stateDir, listen: { host: '0.0.0.0', port: 0 } });
  t.after(() => open.coordinator.close());
  const url = `ws://127.0.0.1:${open.coordinator.address.port}${AGENT_PATH}`;
  assert.equal(await TestSocket.refusal(url, [AGENT_SUBPROTOCOL]), 401);
  const headers = { authorization: `Bearer ${secret}` };
  await (await TestSocket.open(url, AGENT_SUBPROTOCOL, { headers })).close();
});

test('a token is in force if the state directory cannot be written, and the answer reports it', async (t) => {
  const { api, stateDir, close } = await startTestCoordinator();
  t.after(close);
  await mkdir(join(stateDir, 'tokens.json.tmp', 'x'), { recursive: true });
  const body = { name: 'grafana', role: 'viewer' };
  const { secret = '', note } = (await api('/v1/tokens', { method: 'POST', body })).json<TokenResult>();
  assert.match(note ?? '', /the state directory cannot be written .*; the change is in force, and lost if/);
  assert.equal((await api('/v1/status', { token: secret })).status, 200);
});

test('tokens are listed in pages by name', async (t) => {
  const { api, close } = await startTestCoordinator();
  t.after(close);
  for (const name of ['c', 'a', 'b']) await api('/v1/tokens', { method: 'POST', body: { name, role: 'viewer' } });
  const pages: (readonly string[])[] = [];
  for (let next: string | undefined = ''; next !== undefined; ) {
    const list: TokenList = (await api(`/v1/tokens?limit=2&after=${next}`)).json<TokenList>();
    pages.push(list.tokens.map(({ name }) => name));
    next = list.next;
  }
  assert.deepEqual(pages, [['a', 'admin'], ['b', 'c'], ['feed']]);
  assert.equal((await api('/v1/tokens?limit=2000')).json<TokenList>().tokens.length, 5);
});

test('a taken address is an error, and no listener stays open', async () => {
  const first = await startTestCoordinator();
  try {
    await assert.rejects(startTestCoordinator({ listen: first.coordinator.address }), /EADDRINUSE/);
  } finally {
    await first.close();
  }
});

test('invalid options are errors', async () => {
  await assert.rejects(startTestCoordinator({ heartbeatMs: 1_000, suspectMs: 1_500 }), /do not fit/);
  await assert.rejects(startTestCoordinator({ adminAllow: ['everybody'] }), /is not a range/);
  await assert.rejects(startTestCoordinator({ advertise: 'here' }), /is not an address/);
});

test('login links contain the URL for browsers, and its host name is accepted', async (t) => {
  const started = await startTestCoordinator({ controlUrl: 'https://rollcall.example.net' });
  t.after(() => started.close());
  const { origin, pathname, search, host } = new URL(started.coordinator.loginLink());
  assert.equal(origin, 'https://rollcall.example.net');
  const { port } = started.coordinator.address;
  const status = await new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: pathname + search, headers: { host } }, ({ statusCode }) =>
      resolve(statusCode),
    ).on('error', reject);
  });
  assert.equal(status, 200);
});

test('overrides and static members survive a restart', async (t) => {
  const stateDir = await mkdtemp(join(tmpdir(), 'rollcall-restart-'));
  t.after(() => rm(stateDir, { recursive: true, force: true }));
  const node = await startTestNode();
  t.after(() => node.close());
  const store = async () => (await openStore(`file:${join(stateDir, 'cluster.json')}`, assert.fail))!;

  const first = await startTestCoordinator({ stateDir, store: await store() });
  await first.api('/v1/nodes/n1', { method: 'PUT', body: { balancer: 'shop', url: node.url } });
  await first.api('/v1/nodes/n1/drain', { method: 'POST', body: { reason: 'deploy', force: true } });
  await first.api('/v1/balancers/shop', { method: 'PATCH', body: { retries: 0 } });
  const { epoch } = (await first.api('/v1/status')).json<StatusResource>();
  await first.coordinator.close();

  const second = await startTestCoordinator({ stateDir, store: await store() });
  t.after(() => second.coordinator.close());
  assert.notEqual((await second.api('/v1/status')).json<StatusResource>().epoch, epoch);
  const response = await fetch(`${second.coordinator.url}/v1/events`, { headers: { accept: 'text/event-stream' } });
  const decoder = new TextDecoder();
  for await (const chunk of response.body!) if (decoder.decode(chunk).includes('"type":"up"')) break;
  const resource = (await second.api('/v1/nodes/n1')).json<NodeResource>();
  assert.deepEqual([resource.liveness, resource.status, resource.wanted.reason], ['up', 'draining', 'deploy']);
  assert.equal((await second.api('/v1/balancers/shop')).json<{ retries: number }>().retries, 0);
});

test('a store is opened by its name, and any other name is invalid', async (t) => {
  const stateDir = await mkdtemp(join(tmpdir(), 'rollcall-stores-'));
  t.after(() => rm(stateDir, { recursive: true, force: true }));
  for (const [spec, kind] of [
    ['memory', 'memory'],
    [`file:${join(stateDir, 'x.json')}`, 'file'],
  ] as const) {
    const store = await openStore(spec, assert.fail);
    assert.equal(store?.kind, kind);
    await store?.close();
  }
  for (const spec of ['', 'file:', 'mongodb://x', 'Memory'])
    assert.equal(await openStore(spec, assert.fail), undefined);
});

test('a second close has no effect', async () => {
  const started = await startTestCoordinator();
  await Promise.all([started.coordinator.close(), started.coordinator.close()]);
  await started.close();
});

test('C56: an advertised IP address cannot be a node', async (t) => {
  const started = await startTestCoordinator({ advertise: 'ws://192.0.2.7:8400' });
  t.after(() => started.close());
  const put = (url: string) => started.api('/v1/nodes/n1', { method: 'PUT', body: { balancer: 'shop', url } });
  const refused = await put('http://192.0.2.7:8400');
  assert.equal(refused.status, 400);
  assert.match(refused.text, /listener of Rollcall/);
});
