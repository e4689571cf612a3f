/** `/v1/tokens`: the effect of a change on nodes, and a dry run without effect. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { NodesResource, TokenList, TokenResult } from '@rollcall/protocol';
import { AGENT_PATH, AGENT_SUBPROTOCOL } from '@rollcall/protocol';
import { startTestCoordinator, type TestCoordinator } from '../testing/test-coordinator.ts';
import { startTestNode } from '../testing/test-node.ts';
import { TestSocket } from '../testing/test-socket.ts';

const NODES = ['n7', 'n2', 'n5', 'n1', 'n4', 'n3', 'n6'];

async function coordinator(t: TestContext): Promise<TestCoordinator> {
  const started = await startTestCoordinator();
  t.after(started.close);
  return started;
}

async function change(
  { api }: TestCoordinator,
  method: 'POST' | 'PATCH' | 'DELETE',
  path: string,
  body: object = {},
): Promise<TokenResult> {
  const { status, text, json } = await api(`/v1/tokens${path}`, { method, body });
  assert.equal(status, 200, text);
  return json<TokenResult>();
}

/** Registers the node with the token, and returns its connection. */
async function agent(t: TestContext, started: TestCoordinator, token: string, id: string): Promise<TestSocket> {
  const node = await startTestNode();
  t.after(() => node.close());
  const headers = { authorization: `Bearer ${token}` };
  const socket = await TestSocket.open(`${started.coordinator.agentsUrl}${AGENT_PATH}`, AGENT_SUBPROTOCOL, { headers });
  t.after(() => socket.terminate());
  socket.send({ type: 'register', node: { id, balancer: 'shop', url: node.url, contexts: [{ path: `/${id}` }] } });
  await socket.next('registered');
  return socket;
}

async function present({ api }: TestCoordinator): Promise<string[]> {
  const { nodes } = (await api('/v1/nodes')).json<NodesResource>();
  return nodes.filter(({ liveness }) => liveness !== 'gone').map(({ id }) => id);
}

/** All traces of a change: the tokens, their file, and the audit. */
async function traces({ api, stateDir }: TestCoordinator): Promise<unknown> {
  const { tokens } = (await api('/v1/tokens')).json<TokenList>();
  const audit = await readFile(join(stateDir, 'audit.jsonl'), 'utf8').catch(() => '');
  const lines = audit.split('\n').filter((line) => line.includes('"what":"token"'));
  return { tokens, file: await readFile(join(stateDir, 'tokens.json'), 'utf8'), lines };
}

test('a dry run of a change names the nodes that would leave, as the change does, and changes nothing', async (t) => {
  const started = await coordinator(t);
  const { secret = '' } = await change(started, 'POST', '', { name: 'team', role: 'join' });
  for (const id of NODES) await agent(t, started, secret, id);
  const before = await traces(started);
  const bound = { bindings: { contexts: ['/n7', '/n2', '/n3', '/n4'], nodes: 1 } };

  const trial = await change(started, 'PATCH', '/team', { ...bound, dryRun: true });
  assert.equal(
    trial.message,
    'token team (role join) would be changed; bound to context /n7, /n2, /n3 and 1 more; nodes 1; 6 nodes would leave: n2, n5, n1, n4, n3 and 1 more',
  );
  assert.deepEqual([trial.isDryRun, trial.leaving, trial.token.bindings], [true, 6, bound.bindings]);
  const gone = await change(started, 'DELETE', '/team', { dryRun: true });
  assert.equal(
    gone.message,
    'token team (role join) would be revoked; 7 nodes would leave: n7, n2, n5, n1, n4 and 2 more',
  );
  const rotated = await change(started, 'POST', '/team/rotate', { overlapMs: 0, dryRun: true });
  assert.match(
    rotated.message,
    /would be rotated, .*; no node would leave; 7 nodes would be disconnected until a valid secret .* sent: n7, /,
  );
  assert.equal(rotated.secret, undefined);
  assert.deepEqual([await traces(started), (await present(started)).length], [before, 7]);

  const done = await change(started, 'PATCH', '/team', bound);
  assert.match(done.message, /^token team \(role join\) changed; .*; 6 nodes leave: n2, n5, n1, n4, n3 and 1 more$/);
  assert.deepEqual([done.isDryRun, done.leaving, await present(started)], [false, 6, ['n7']]);
  const revoked = await change(started, 'DELETE', '/team');
  assert.equal(revoked.message, 'token team (role join) revoked; 1 node leaves: n7');
  assert.deepEqual(await present(started), []);
});

test('a revocation counts nodes without a connection too', async (t) => {
  const started = await coordinator(t);
  const { secret = '' } = await change(started, 'POST', '', { name: 'curl', role: 'join' });
  const node = await startTestNode();
  t.after(() => node.close());
  const body = { url: node.url, ttlMs: 60_000, balancer: 'shop' };
  await started.api('/v1/nodes/by-put', { method: 'PUT', body, token: secret });
  const trial = await change(started, 'DELETE', '/curl', { dryRun: true });
  assert.match(trial.message, /1 node would leave: by-put$/);
  assert.deepEqual(await present(started), ['by-put']);
  assert.match((await change(started, 'DELETE', '/curl')).message, /1 node leaves: by-put$/);
  assert.deepEqual(await present(started), []);
});

test('a dry run of a creation makes no token and no secret, and has the refusals of a creation', async (t) => {
  const started = await coordinator(t);
  const before = await traces(started);
  const body = { name: 'new', role: 'join', bindings: { balancers: ['shop'] }, dryRun: true };
  const trial = await change(started, 'POST', '', body);
  assert.equal(trial.message, 'token new (role join) would be created; bound to balancer shop');
  assert.deepEqual([trial.secret, trial.isDryRun], [undefined, true]);
  assert.deepEqual(await traces(started), before);
  await change(started, 'POST', '', { ...body, dryRun: false });
  for (const refused of [body, { ...body, name: 'admin' }, { ...body, name: 'x', bindings: { hosts: ['/'] } }])
    assert.ok((await started.api('/v1/tokens', { method: 'POST', body: refused })).status >= 400);
});

test('a join token without balancers, hosts and contexts gets a note that names the flags, also after a change', async (t) => {
  const started = await coordinator(t);
  const note = /the token free may join any balancer, .*--balancer, --host and --context bind it/;
  const { note: made } = await change(started, 'POST', '', { name: 'free', role: 'join', bindings: { nodes: 3 } });
  assert.match(made ?? '', note);
  const patched = async (bindings: object) => (await change(started, 'PATCH', '/free', { bindings })).note;
  assert.equal(await patched({ hosts: ['free.test'] }), undefined);
  assert.equal(await patched({ hosts: null, contexts: ['/free'] }), undefined);
  assert.match((await patched({ contexts: null })) ?? '', note);
  assert.equal(await patched({ nodes: 4 }), undefined, 'it was so before');
  const { note: viewer } = await change(started, 'POST', '', { name: 'looks', role: 'viewer' });
  assert.equal(viewer, undefined);
});
