/** Drains as resources, and the verbs with a selector. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { DrainResource, DrainsResource, Problem, WriteResult } from '@rollcall/protocol';
import { startTestCoordinator, type TestCoordinator } from '../testing/test-coordinator.ts';
import { startTestNode } from '../testing/test-node.ts';

/** Nodes a and b of group eu and c of group us, with 4 sessions each. */
async function started(t: TestContext): Promise<TestCoordinator> {
  const coordinator = await startTestCoordinator();
  t.after(() => coordinator.close());
  for (const [id, group] of [
    ['a', 'eu'],
    ['b', 'eu'],
    ['c', 'us'],
  ] as const) {
    const node = await startTestNode();
    t.after(() => node.close());
    const body = { balancer: 'shop', group, url: node.url, sessions: 4 };
    const answer = await coordinator.api(`/v1/nodes/${id}`, { method: 'PUT', body });
    assert.equal(answer.status, 200, answer.text);
  }
  return coordinator;
}

test('a drain is listed with its request, can be extended, and ends now', async (t) => {
  const { api } = await started(t);
  const drainOf = async (id: string): Promise<DrainResource> => (await api(`/v1/drains/${id}`)).json();
  assert.deepEqual((await api('/v1/drains')).json<DrainsResource>(), { drains: [] });
  assert.equal((await api('/v1/drains/a')).json<Problem>().code, 'not-found');
  await api('/v1/nodes/a/drain', { method: 'POST', body: { reason: 'deploy', deadlineMs: 60_000 } });
  const drain = await drainOf('a');
  assert.deepEqual([drain.balancer, drain.reason, drain.sessionsLeft, drain.outcome], ['shop', 'deploy', 4, undefined]);
  assert.equal(Math.round((drain.deadlineUnixMs! - drain.sinceUnixMs) / 1_000), 60);

  const patch = (body: object) => api('/v1/drains/a', { method: 'PATCH', body });
  const dry = (await patch({ deadlineMs: 120_000, dryRun: true })).json<WriteResult>();
  assert.equal(dry.isDryRun, true);
  assert.ok((await drainOf('a')).deadlineUnixMs! - drain.deadlineUnixMs! < 1_000);
  const longer = (await patch({ deadlineMs: 120_000, reason: 'slow today' })).json<WriteResult>();
  assert.match(
    longer.message,
    /^node a drains for at most 2m; the deadline is extended to 2m from now \(it was [\dms]+\)/,
  );
  const extended = await drainOf('a');
  assert.equal(extended.reason, 'deploy');
  // Instants are converted to the wall clock with a rounding.
  assert.ok(Math.abs(extended.sinceUnixMs - drain.sinceUnixMs) <= 1);
  await patch({ deadlineMs: null });
  assert.equal((await drainOf('a')).deadlineUnixMs, undefined);
  assert.equal((await patch({})).status, 400);

  const end = (body: object) => api('/v1/drains/a/end', { method: 'POST', body });
  assert.match((await end({ dryRun: true })).json<WriteResult>().message, /would end now .*: 4 sessions fail over/);
  const ended = (await end({ reason: 'no time' })).json<WriteResult>();
  assert.equal(ended.nodes[0]?.status, 'stopped');
  const last = await drainOf('a');
  assert.deepEqual([last.outcome, last.sessionsLeft, last.reason], ['deadline-over', 4, 'deploy']);
  assert.deepEqual([(await end({})).status, (await patch({ deadlineMs: 1 })).status], [409, 409]);
});

test('a node that is removed during its drain is killed with its sessions', async (t) => {
  const { api } = await started(t);
  await api('/v1/nodes/a/drain', { method: 'POST', body: {} });
  await api('/v1/nodes/a', { method: 'DELETE', body: {} });
  const drain = (await api('/v1/drains/a')).json<DrainResource>();
  assert.deepEqual([drain.outcome, drain.sessionsLost, drain.sessionsLeft], ['killed', 4, 0]);
});

test('a selector drains and enables the nodes that match', async (t) => {
  const { api } = await started(t);
  const send = (verb: string, body: object) => api(`/v1/nodes/${verb}`, { method: 'POST', body });
  const dry = (await send('drain', { where: { group: 'eu' }, dryRun: true })).json<WriteResult>();
  assert.match(dry.message, /^2 nodes \(a, b\) would be draining: 8 sessions/);
  assert.deepEqual(
    dry.nodes.map(({ id, status }) => [id, status]),
    [
      ['a', 'enabled'],
      ['b', 'enabled'],
    ],
  );
  const drained = (await send('drain', { where: { group: 'eu', node: 'a*' } })).json<WriteResult>();
  assert.deepEqual([drained.message.slice(0, 31), drained.nodes.length], ['1 node (a) is now draining: 4 s', 1]);
  const all = await send('stop', { where: { balancer: 'shop' } });
  assert.deepEqual([all.status, all.json<Problem>().code], [409, 'nobody-eligible']);
  assert.equal((await send('enable', { where: { node: '*' } })).json<WriteResult>().isChanged, true);
});

test('a selector without a match names the values; an unknown or missing key is refused', async (t) => {
  const { api } = await started(t);
  const send = async (where: object): Promise<Problem> =>
    (await api('/v1/nodes/drain', { method: 'POST', body: { where } })).json<Problem>();
  const none = await send({ group: 'asia' });
  assert.deepEqual([none.status, none.detail], [404, 'no node matches group=asia: group is one of eu, us']);
  assert.deepEqual([(await send({})).status, (await send({ zone: 'a' })).status], [400, 400]);
});
