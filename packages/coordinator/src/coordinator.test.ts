import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { NodeResource, StatusResource } from '@rollcall/protocol';
import { openStore } from './stores/open-store.ts';
import { startTestCoordinator } from './testing/test-coordinator.ts';
import { startTestNode } from './testing/test-node.ts';

test('it refuses to listen beyond loopback without a join token, and says what to do', async () => {
  const listen = { host: '0.0.0.0', port: 0 };
  await assert.rejects(startTestCoordinator({ listen }), /without a join token.*ROLLCALL_JOIN_TOKEN/);
  await assert.rejects(startTestCoordinator({ agentsListen: listen }), /without a join token/);
});

test('an address that is taken is an error, and nothing is left open', async () => {
  const first = await startTestCoordinator();
  try {
    await assert.rejects(startTestCoordinator({ listen: first.coordinator.address }), /EADDRINUSE/);
  } finally {
    await first.close();
  }
});

test('options that make no sense are errors', async () => {
  await assert.rejects(startTestCoordinator({ heartbeatMs: 1_000, suspectMs: 1_500 }), /do not fit/);
  await assert.rejects(startTestCoordinator({ adminAllow: ['everybody'] }), /is not a range/);
  await assert.rejects(startTestCoordinator({ advertise: 'here' }), /is not an address/);
});

test('login links lead where browsers reach the control port, and that name is served', async (t) => {
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

test('overrides and static members are there again after a restart', async (t) => {
  const stateDir = await mkdtemp(join(tmpdir(), 'rollcall-restart-'));
  t.after(() => rm(stateDir, { recursive: true, force: true }));
  const node = await startTestNode();
  t.after(() => node.close());
  const store = async () => (await openStore(`file:${join(stateDir, 'cluster.json')}`, assert.fail))!;

  const first = await startTestCoordinator({ stateDir, store: await store() });
  await first.api('/v1/nodes/n1', { method: 'PUT', body: { balancer: 'shop', url: node.url } });
  await first.api('/v1/nodes/n1/drain', { method: 'POST', body: { reason: 'deploy' } });
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

test('a store is opened by its name, and anything else is none', async (t) => {
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

test('closing twice is closing once', async () => {
  const started = await startTestCoordinator();
  await Promise.all([started.coordinator.close(), started.coordinator.close()]);
  await started.close();
});
