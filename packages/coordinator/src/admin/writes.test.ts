/** Requirements of a write: JSON in UTF-8, bounded in size and depth, and an `If-Match` that matches the record. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { NodeResource, WriteResult } from '@rollcall/protocol';
import { type ApiAnswer, startTestCoordinator, type TestCoordinator } from '../testing/test-coordinator.ts';
import { startTestNode } from '../testing/test-node.ts';

/** A coordinator with node n1 of balancer shop. */
async function started(t: TestContext): Promise<TestCoordinator> {
  const coordinator = await startTestCoordinator();
  t.after(() => coordinator.close());
  const node = await startTestNode();
  t.after(() => node.close());
  const answer = await coordinator.api('/v1/nodes/n1', { method: 'PUT', body: { balancer: 'shop', url: node.url } });
  assert.equal(answer.status, 200, answer.text);
  return coordinator;
}

function codeOf(answer: ApiAnswer): readonly [number, string | undefined] {
  return [answer.status, answer.json<{ code?: string }>().code];
}

test('C63: bodies that are too large, too deep or not JSON in UTF-8, and unknown names, are refused by code', async (t) => {
  const { api, coordinator, adminToken } = await started(t);
  const drain = (body: unknown, headers: Record<string, string> = {}): Promise<ApiAnswer> =>
    api('/v1/nodes/n1/drain', { method: 'POST', body, headers });
  // Only the head is sent: a client that is still sending may lose an early answer.
  const large = request(`${coordinator.url}/v1/nodes/n1/drain`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${adminToken}`,
      'content-type': 'application/json',
      'content-length': 10_485_760,
    },
  });
  large.on('error', () => undefined);
  large.flushHeaders();
  const [refused] = (await once(large, 'response')) as [IncomingMessage];
  assert.equal(refused.statusCode, 413);
  large.destroy();
  for (const depth of ['['.repeat(30_000), `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`])
    assert.equal((await drain(depth)).status, 400);
  assert.deepEqual(codeOf(await drain({}, { 'content-type': 'text/plain' })), [415, 'not-json']);
  for (const charset of ['utf-16', '"ISO-8859-1"', 'utf-7', 'UTF-8x'])
    for (const before of ['', 'a=b; '])
      assert.deepEqual(
        codeOf(await drain({}, { 'content-type': `application/json; ${before}charset=${charset}` })),
        [415, 'not-json'],
        charset,
      );
  for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON;Charset="UTF-8"'])
    assert.equal((await drain({ dryRun: true }, { 'content-type': type })).status, 200, type);
  assert.deepEqual(codeOf(await api('/v1/nodes/n2/drain', { method: 'POST', body: {} })), [404, 'not-found']);
});

test('a body that is not UTF-8 is refused, and no part of it is kept', async (t) => {
  const { coordinator, adminToken, api } = await started(t);
  const response = await fetch(`${coordinator.url}/v1/nodes/n1/drain`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    body: Buffer.from('{"reason":"caf\xe9"}', 'latin1'),
  });
  assert.equal(response.status, 400);
  assert.match(await response.text(), /"code":"bad-message".*the body is not UTF-8/);
  assert.equal((await api('/v1/nodes/n1')).json<{ status: string }>().status, 'enabled');
});

test('C63: of two operators who have read a node, the second to write gets 412', async (t) => {
  const { api } = await started(t);
  const tag = async (): Promise<string> => (await api('/v1/nodes/n1')).headers.get('etag')!;
  const read = await tag();
  assert.match(read, /^"[\w-]{16}"$/);
  const headers = { 'if-match': read };
  const drain = { method: 'POST', body: { reason: 'deploy', force: true }, headers };
  assert.equal((await api('/v1/nodes/n1/drain', drain)).status, 200);
  assert.notEqual(await tag(), read);
  const enable = { method: 'POST', body: {}, headers };
  const refused = await api('/v1/nodes/n1/enable', enable);
  assert.deepEqual(codeOf(refused), [412, 'precondition-failed']);
  assert.match(refused.text, /node n1 has changed since it was read/);
  for (const [method, body] of [
    ['PATCH', { weight: 2 }],
    ['DELETE', {}],
    ['PUT', { url: 'http://127.0.0.1:9' }],
  ] as const)
    assert.equal((await api('/v1/nodes/n1', { method, body, headers })).status, 412, method);
  for (const value of ['*', `"other", ${await tag()}`, await tag()])
    assert.equal(
      (await api('/v1/nodes/n1', { method: 'PATCH', body: {}, headers: { 'if-match': value } })).status,
      200,
    );
});

test('the tag of a node changes with settings, not with reports', async (t) => {
  const { api, coordinator } = await started(t);
  const tag = async (): Promise<string | null> => (await api('/v1/nodes/n1')).headers.get('etag');
  const seen = new Set([await tag()]);
  const { url } = (await api('/v1/nodes/n1')).json<{ url: string }>();
  const counted = await api('/v1/nodes/n1', { method: 'PUT', body: { balancer: 'shop', url, load: 0.5, sessions: 7 } });
  assert.equal(counted.status, 200, counted.text);
  assert.equal(coordinator.registry.node('n1' as never)?.sessions, 7);
  seen.add(await tag());
  assert.equal(seen.size, 1);
  for (const body of [{ weight: 2 }, { weight: 3 }, { standby: true }]) {
    await api('/v1/nodes/n1', { method: 'PATCH', body });
    seen.add(await tag());
  }
  await api('/v1/nodes/n1', { method: 'PUT', body: { balancer: 'shop', url, weight: 7 } });
  seen.add(await tag());
  await api('/v1/nodes/n1', { method: 'DELETE', body: { force: true } });
  seen.add(await tag());
  assert.equal(seen.size, 6);
});

test('If-Match is honoured for a balancer, for a node that does not exist, and refused where it has no meaning', async (t) => {
  const { api } = await started(t);
  const tag = (await api('/v1/balancers/shop')).headers.get('etag')!;
  const patch = (ifMatch: string): Promise<ApiAnswer> =>
    api('/v1/balancers/shop', { method: 'PATCH', body: { retries: 5 }, headers: { 'if-match': ifMatch } });
  assert.equal((await patch('"old"')).status, 412);
  assert.equal((await patch(tag)).status, 200);
  assert.equal((await patch(tag)).status, 412);
  const absent = { method: 'PUT', body: { url: 'http://127.0.0.1:9' }, headers: { 'if-match': '*' } };
  const refused = await api('/v1/nodes/n9', absent);
  assert.deepEqual(codeOf(refused), [412, 'precondition-failed']);
  assert.match(refused.text, /node n9 does not exist/);
  const all = { method: 'POST', body: {}, headers: { 'if-match': tag } };
  assert.deepEqual(codeOf(await api('/v1/balancers/shop/drain', all)), [400, 'bad-field']);
});

test('a write that concerns more than 1,000 nodes answers with the first 1,000 and counts the others', async (t) => {
  const { api } = await started(t);
  const server = createServer().listen(0, '0.0.0.0');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ids = Array.from({ length: 1_004 }, (_, i) => `many-${String(i).padStart(4, '0')}`);
  const puts = ids.map((id, i) => {
    const url = `http://127.1.${Math.floor(i / 250)}.${1 + (i % 250)}:${port}`;
    return api(`/v1/nodes/${id}`, { method: 'PUT', body: { balancer: 'many', contexts: ['/many'], url } });
  });
  for (const answer of await Promise.all(puts)) assert.equal(answer.status, 200, answer.text);
  const planned = (
    await api('/v1/balancers/many/drain', { method: 'POST', body: { dryRun: true } })
  ).json<WriteResult>();
  assert.deepEqual([planned.nodes.length, planned.more, planned.isChanged], [1_000, 4, true]);
  const drained = (
    await api('/v1/balancers/many/drain', { method: 'POST', body: { force: true } })
  ).json<WriteResult>();
  assert.deepEqual([drained.nodes.length, drained.more], [1_000, 4]);
  assert.match(drained.message, /^1004 nodes of balancer many are now draining: 0 sessions, 0 in flight/);
  assert.deepEqual(
    drained.nodes.map(({ id, status }) => `${id} ${status}`),
    ids.slice(0, 1_000).map((id) => `${id} draining`),
  );
  const last = (await api(`/v1/nodes/${ids.at(-1)}`)).json<NodeResource>();
  assert.equal(last.status, 'draining');
});
