/** `GET /v1/audit` and `POST /v1/undo` of a running coordinator. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { AuditPage, AuditResource, WriteResult } from '@rollcall/protocol';
import { startTestCoordinator, type TestCoordinator } from '../testing/test-coordinator.ts';

interface Started extends TestCoordinator {
  write(path: string, body?: object, method?: string, token?: string): Promise<WriteResult & { detail?: string }>;
  entries(query?: string): Promise<readonly AuditResource[]>;
  status(
    id: string,
  ): Promise<{ status: string; wanted: { deadlineAtUnixMs?: number; reason?: string }; weight: number }>;
}

async function started(t: TestContext): Promise<Started> {
  const coordinator = await startTestCoordinator();
  t.after(() => coordinator.close());
  const { api } = coordinator;
  const self: Started = {
    ...coordinator,
    write: async (path, body = {}, method = 'POST', token) =>
      (await api(path, { method, body, ...(token !== undefined && { token }) })).json(),
    entries: async (query = '') => (await api(`/v1/audit?${query}`)).json<AuditPage>().entries,
    status: async (id) => (await api(`/v1/nodes/${id}`)).json(),
  };
  for (const id of ['a', 'b'])
    await self.write(
      `/v1/nodes/${id}`,
      { balancer: 'shop', url: `http://127.0.0.1:${id === 'a' ? 1 : 2}`, ttlMs: 60_000 },
      'PUT',
    );
  return self;
}

test('the audit has who, why, before and after, newest first, in pages', async (t) => {
  const { write, entries, api } = await started(t);
  const { changeId } = await write('/v1/nodes/a/drain', { reason: 'disk', deadlineMs: 60_000, force: true });
  await write('/v1/nodes/a', { weight: 3 }, 'PATCH');
  const [patched, drained] = await entries('by=admin&node=a&limit=2');
  assert.deepEqual([patched?.what, patched?.before, patched?.after], ['patched', {}, { weight: 3 }]);
  assert.equal(patched?.reason, undefined, 'the reason of another act is not repeated');
  assert.equal(drained?.reason, 'disk');
  assert.equal(drained?.changeId, changeId);
  assert.equal(drained?.canUndo, true);
  const after = drained?.after as { status: string; by: string; deadlineAtUnixMs: number };
  assert.deepEqual([after.status, after.by, typeof after.deadlineAtUnixMs], ['draining', 'admin', 'number']);
  assert.equal((drained!.before as { status: string }).status, 'enabled');

  const seen: number[] = [];
  for (let next: string | undefined = ''; next !== undefined; ) {
    const page: AuditPage = (await api(`/v1/audit?limit=2${next && `&after=${next}`}`)).json();
    seen.push(...page.entries.map(({ id }) => id));
    next = page.next;
  }
  assert.deepEqual(
    seen,
    [...new Set(seen)].sort((one, other) => other - one),
  );
  assert.deepEqual(
    seen,
    (await entries()).map(({ id }) => id),
  );
  assert.deepEqual(await entries('what=status&untilUnixMs=1'), []);
  assert.equal((await api('/v1/audit', { token: '' })).status, 401);
});

test('undo puts back status, deadline, overrides and settings; the newest change of the token first', async (t) => {
  const { write, status, api } = await started(t);
  await write('/v1/nodes/a/drain', { reason: 'disk', deadlineMs: 60_000, force: true });
  const { deadlineAtUnixMs } = (await status('a')).wanted;
  await write('/v1/nodes/a/drain', { deadlineMs: 600_000, force: true });
  await write('/v1/nodes/b', { weight: 5 }, 'PATCH');
  await write('/v1/balancers/shop', { retries: 7 }, 'PATCH');

  const retries = async () => (await api('/v1/balancers/shop')).json<{ retries: number }>().retries;
  assert.equal(await retries(), 7);
  const foreseen = await write('/v1/undo', { dryRun: true });
  assert.match(foreseen.message, /^would undo change \w+ of admin: balancer shop/);
  assert.equal(await retries(), 7);
  assert.equal((await write('/v1/undo')).isChanged, true);
  assert.equal(await retries(), 2);
  await write('/v1/undo');
  assert.equal((await status('b')).weight, 1);
  await write('/v1/undo', { force: true });
  const drained = await status('a');
  assert.ok(Math.abs(drained.wanted.deadlineAtUnixMs! - deadlineAtUnixMs!) < 1_000);
  assert.equal(drained.wanted.reason, 'disk');
  await write('/v1/undo');
  assert.equal((await status('a')).status, 'enabled');
  assert.match((await write('/v1/undo')).detail ?? '', /^there is no change of admin to undo/);
});

test('undo is refused when the same thing has changed since, or it cannot be undone', async (t) => {
  const { write, status, api } = await started(t);
  const first = await write('/v1/nodes/a/drain', { reason: 'one', force: true });
  await write('/v1/nodes/a/stop', { reason: 'two', force: true });
  const refused = await api('/v1/undo', { method: 'POST', body: { changeId: first.changeId } });
  assert.equal(refused.status, 409);
  assert.match(
    refused.json<{ detail: string }>().detail,
    /^the requested status of node a changed again since by admin/,
  );
  assert.equal((await status('a')).status, 'stopped');

  const removed = await write('/v1/nodes/b', { force: true }, 'DELETE');
  const final = await write('/v1/undo', { changeId: removed.changeId! });
  assert.match(final.detail ?? '', /cannot be undone: a removed node has to register again/);
  const token = (await write('/v1/tokens', { name: 'ann', role: 'operator' })) as unknown as {
    changeId: string;
    secret: string;
  };
  assert.match((await write('/v1/undo', { changeId: token.changeId })).detail ?? '', /cannot be undone/);
  assert.match((await write('/v1/undo', { changeId: 'none' })).detail ?? '', /^there is no change none/);
  assert.match((await write('/v1/undo', {}, 'POST', token.secret)).detail ?? '', /^there is no change of ann to undo/);
});

test('a change is undone once, and the undo by its id', async (t) => {
  const { write, status } = await started(t);
  const { changeId } = await write('/v1/nodes/a/drain', { force: true });
  const undone = await write('/v1/undo', { changeId: changeId! });
  assert.match((await write('/v1/undo', { changeId: changeId! })).detail ?? '', /was undone before/);
  assert.equal((await status('a')).status, 'enabled');
  assert.notEqual(undone.changeId, changeId);
});

test('events are there after a restart, with their numbers', async (t) => {
  const { write, stateDir, coordinator, api } = await started(t);
  await write('/v1/nodes/a/drain', { reason: 'before the restart', force: true });
  const before = (await api('/v1/events?type=status')).json<{ events: { id: number; message: string }[] }>().events;
  await coordinator.close();
  const again = await startTestCoordinator({ stateDir });
  t.after(() => again.close());
  const { events } = (await again.api('/v1/events?type=status')).json<{ events: { id: number; message: string }[] }>();
  assert.deepEqual(events, before);
  const added = (await again.api('/v1/events')).json<{ events: { id: number }[] }>().events;
  assert.deepEqual(
    added.map(({ id }) => id),
    added.map(({ id }) => id).sort((one, other) => one - other),
  );
});
