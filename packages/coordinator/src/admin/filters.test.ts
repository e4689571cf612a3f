/** Filters of the lists: nodes, balancers, tokens and events. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startTestCoordinator } from '../testing/test-coordinator.ts';

const { api, close } = await startTestCoordinator();
after(close);

async function put(id: string, balancer: string, more: object = {}): Promise<void> {
  const body = { balancer, url: `http://127.0.0.1:${port++}`, ttlMs: 600_000, contexts: [`/${balancer}`], ...more };
  assert.equal((await api(`/v1/nodes/${id}`, { method: 'PUT', body })).status, 200);
}
let port = 19_000;
await put('shop-1', 'shop', { group: 'eu' });
await put('shop-2', 'shop', { group: 'us' });
await put('blog-1', 'blog', { group: 'eu' });
await api('/v1/nodes/shop-2/drain', { method: 'POST', body: { reason: 'disk', force: true } });

async function idsOf(query: string): Promise<string[]> {
  const { nodes } = (await api(`/v1/nodes?${query}`)).json<{ nodes: { id: string }[] }>();
  return nodes.map(({ id }) => id);
}

async function detailOf(path: string): Promise<string> {
  const answer = await api(path);
  assert.equal(answer.status, 400, path);
  return answer.json<{ detail: string }>().detail;
}

test('nodes by status, liveness, group, balancer and words', async () => {
  assert.deepEqual(await idsOf('status=draining'), ['shop-2']);
  assert.deepEqual(await idsOf('status=enabled,draining&balancer=shop'), ['shop-1', 'shop-2']);
  assert.deepEqual(await idsOf('group=eu'), ['blog-1', 'shop-1']);
  assert.deepEqual(await idsOf('liveness=up'), []);
  assert.deepEqual(await idsOf('q=SHOP%20draining'), ['shop-2']);
  assert.deepEqual(await idsOf('q=19002'), ['blog-1']);
  assert.deepEqual(await idsOf('q=shop%20eu%20draining'), []);
});

test('nodes that are gone are found by their liveness', async () => {
  await put('gone-1', 'old');
  await api('/v1/nodes/gone-1', { method: 'DELETE', body: { force: true } });
  assert.deepEqual(await idsOf('balancer=old'), []);
  assert.deepEqual(await idsOf('liveness=gone'), ['gone-1']);
});

test('fields leaves the id and these fields', async () => {
  const { nodes } = (await api('/v1/nodes?balancer=shop&fields=status,weight&limit=1')).json<{ nodes: object[] }>();
  assert.deepEqual(nodes, [{ id: 'shop-1', weight: 1, status: 'enabled' }]);
});

test('an unknown word is an error that names the parameter and its values', async () => {
  assert.equal(await detailOf('/v1/nodes?status=on'), 'status: "on" is not one of enabled, draining, stopped');
  assert.match(await detailOf('/v1/nodes?liveness=up,dead'), /^liveness: "dead" is not one of joining, up, /);
  assert.match(await detailOf('/v1/nodes?fields=id,colour'), /^fields: "colour" is not one of id, balancer, /);
  assert.match(await detailOf('/v1/events?limit=0'), /^limit is not a whole number from 1 to 1000/);
  assert.match(await detailOf('/v1/events?untilUnixMs=now'), /^untilUnixMs /);
});

test('pages of a filtered list have the entries of the list once', async () => {
  const first = (await api('/v1/balancers?q=sho&limit=1')).json<{ balancers: { name: string }[]; next?: string }>();
  assert.deepEqual([first.balancers.map(({ name }) => name), first.next], [['shop'], undefined]);
  const all = (await api('/v1/balancers?limit=1')).json<{ balancers: { name: string }[]; next?: string }>();
  assert.deepEqual([all.balancers.map(({ name }) => name), all.next], [['blog'], 'blog']);
});

test('tokens by words in name, role and bindings', async () => {
  for (const body of [
    { name: 'one', role: 'join', bindings: { balancers: ['shop'] } },
    { name: 'two', role: 'viewer' },
  ])
    assert.equal((await api('/v1/tokens', { method: 'POST', body })).status, 200);
  const names = async (q: string) =>
    (await api(`/v1/tokens?q=${q}`)).json<{ tokens: { name: string }[] }>().tokens.map(({ name }) => name);
  assert.deepEqual(await names('join%20shop'), ['one']);
  assert.deepEqual(await names('viewer'), ['two']);
});

test('events by node, balancer, type and time; limit keeps the newest', async () => {
  const events = async (query: string) =>
    (await api(`/v1/events?${query}`)).json<{
      events: { id: number; type: string; node?: string; atUnixMs: number }[];
    }>().events;
  const ofNode = await events('node=shop-2&type=status,registered');
  assert.deepEqual(
    ofNode.map(({ type }) => type),
    ['registered', 'status'],
  );
  assert.ok((await events('balancer=blog')).every(({ node }) => node === undefined || node === 'blog-1'));
  assert.ok((await events('balancer=blog')).some(({ node }) => node === 'blog-1'));
  const { atUnixMs, id } = ofNode[1]!;
  assert.deepEqual(await events(`type=status&sinceUnixMs=${atUnixMs}&untilUnixMs=${atUnixMs}`), [ofNode[1]]);
  assert.deepEqual(await events(`type=status&since=${id}`), []);
  assert.deepEqual((await events('limit=1')).length, 1);
});
