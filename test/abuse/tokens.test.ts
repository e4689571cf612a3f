/** Rows C21, C33, C34, C45, C46, C48, C49: rights of a token, their end, and attacks with wrong tokens. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { FEED_PATH, FEED_SUBPROTOCOL } from '@rollcall/feed';
import {
  AGENT_PATH,
  AGENT_SUBPROTOCOL,
  type Role,
  type TokenBindings,
  type TokenList,
  type TokenResult,
} from '@rollcall/protocol';
import { WebSocket } from 'ws';
import { isProbe, Site, until } from '../site/site.ts';
import { TokenAgent, upgradeStatus } from './token-agent.ts';

/** In force everywhere after this time, milliseconds. */
const IN_FORCE_MS = 5_000;
/** A connection that is not closed fails the test instead of blocking it. */
const PATIENT = { timeout: 60_000 };

let site: Site;
const ends: (() => void | Promise<void>)[] = [];

before(async () => {
  const forSite = { after: (end: () => void | Promise<void>) => void ends.push(end) } as unknown as TestContext;
  site = await Site.start(forSite);
});
after(async () => {
  for (const end of ends.reverse()) await end();
});

const programs = new Map<string, Promise<string>>();

/** Address of the program of a node, which answers; one for each id. */
function program(id: string): Promise<string> {
  const started = programs.get(id) ?? startProgram();
  programs.set(id, started);
  return started;
}

async function startProgram(): Promise<string> {
  const server = createServer((request, response) => {
    response.end(isProbe(request) ? '' : 'ok');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A change of a token by the administrator, who gets the answer. */
async function change(method: 'POST' | 'PATCH' | 'DELETE', path: string, body: object = {}): Promise<TokenResult> {
  const { status, body: result } = await site.admin<TokenResult>(method, `/v1/tokens${path}`, body);
  assert.equal(status, 200, JSON.stringify(result));
  return result;
}

/** Makes a token, and returns its secret. */
async function created(name: string, role: Role, bindings?: TokenBindings): Promise<string> {
  return (await change('POST', '', { name, role, ...(bindings && { bindings }) })).secret!;
}

async function statusOf(token: string, path = '/v1/status'): Promise<number> {
  const response = await fetch(site.controlUrl + path, { headers: { authorization: `Bearer ${token}` } });
  await response.body?.cancel();
  return response.status;
}

/** A PUT with a lease. Ids and addresses are of this test alone. */
async function put(token: string, id: string, more: object = {}): Promise<{ status: number; detail: string }> {
  const response = await fetch(`${site.controlUrl}/v1/nodes/${id}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ url: await program(id), ttlMs: 600_000, balancer: id, contexts: [`/${id}`], ...more }),
  });
  const { detail = '' } = (await response.json()) as { detail?: string };
  return { status: response.status, detail };
}

async function agent(t: TestContext, token: string | undefined, id: string, more: object = {}): Promise<TokenAgent> {
  const node = { id, balancer: id, url: await program(id), contexts: [{ path: `/${id}` }], ...more };
  return TokenAgent.register(t, site.controlUrl, token, node);
}

async function isGone(id: string): Promise<boolean> {
  const node = await site.node(id);
  return node === undefined || node.liveness === 'gone';
}

/** Resolves with the end of the connection; fails if it is later than the limit of a change. */
async function endedInTime(agent: TokenAgent, sinceMs: number): Promise<{ code: number; why: string | undefined }> {
  const { code, atMs } = await agent.ended;
  assert.ok(atMs - sinceMs < IN_FORCE_MS, `closed ${atMs - sinceMs} ms after the change`);
  return { code, why: agent.frames.findLast(({ type }) => type === 'error')?.message };
}

test('the first join token leaves local agents without one connected, and keeps new ones out', PATIENT, async (t) => {
  const early = await agent(t, undefined, 'early');
  assert.equal(early.frames[0]?.type, 'registered');
  const { note = '' } = await change('POST', '', { name: 'first', role: 'join' });
  assert.match(note, /agents on this machine need a token too from now on; open connections without one stay/);
  assert.equal(await upgradeStatus(site.controlUrl, undefined, AGENT_PATH, AGENT_SUBPROTOCOL), 401);
  assert.ok(early.isOpen);
});

test('C48: a revoked token closes agent, feed and event stream, and its nodes leave', PATIENT, async (t) => {
  const join = await created('revoked', 'join');
  const proxy = await created('revoked-worker', 'proxy');
  const viewer = await created('revoked-viewer', 'viewer');
  const node = await agent(t, join, 'revoked');
  assert.equal((await put(join, 'revoked-lease')).status, 200);
  const feed = new WebSocket(`${site.controlUrl.replace('http', 'ws')}${FEED_PATH}`, [FEED_SUBPROTOCOL], {
    headers: { authorization: `Bearer ${proxy}` },
  });
  t.after(() => feed.terminate());
  await once(feed, 'open');
  const feedClosed = once(feed, 'close');
  const events = await fetch(`${site.controlUrl}/v1/events`, {
    headers: { accept: 'text/event-stream', authorization: `Bearer ${viewer}` },
  });
  const streamEnded = events.text();
  await change('DELETE', '/revoked', { reason: 'stolen' });
  const sinceMs = performance.now();
  const { code, why } = await endedInTime(node, sinceMs);
  assert.deepEqual([code, why], [4401, 'the token revoked was revoked']);
  await until(async () => (await isGone('revoked')) && (await isGone('revoked-lease')), 'the nodes do not leave');
  assert.equal((await put(join, 'revoked-lease')).status, 401);
  assert.equal(await upgradeStatus(site.controlUrl, join, AGENT_PATH, AGENT_SUBPROTOCOL), 401);
  for (const name of ['revoked-worker', 'revoked-viewer']) await change('DELETE', `/${name}`);
  assert.equal((await feedClosed)[0], 4401);
  assert.match(await streamEnded, /: the token revoked-viewer was revoked\n\n$/);
  assert.equal(await statusOf(viewer), 401);
});

test(
  'C48: during a rotation both secrets are valid; the end of one closes its connections, and their nodes stay',
  PATIENT,
  async (t) => {
    const first = await created('rotated', 'join');
    const a = await agent(t, first, 'rotated-a');
    const second = (await change('POST', '/rotated/rotate')).secret!;
    assert.notEqual(second, first);
    const b = await agent(t, second, 'rotated-b');
    assert.equal((await put(first, 'rotated-c')).status, 200);
    assert.ok(a.isOpen && b.isOpen);
    const third = (await change('POST', '/rotated/rotate', { overlapMs: 1_000 })).secret!;
    const sinceMs = performance.now();
    const replaced = { code: 4401, why: 'this secret of the token rotated was replaced' };
    // The oldest of three ends at once, the second after the overlap.
    assert.deepEqual(await endedInTime(a, sinceMs), replaced);
    assert.deepEqual(await endedInTime(b, sinceMs + 1_000), replaced);
    for (const id of ['rotated-a', 'rotated-b', 'rotated-c']) assert.equal(await isGone(id), false);
    assert.equal((await put(second, 'rotated-c')).status, 401);
    const again = await agent(t, third, 'rotated-a');
    assert.equal(again.frames[0]?.type, 'registered');
  },
);

test('an expired token closes its connections and is refused; its nodes leave', PATIENT, async (t) => {
  const token = await created('brief', 'join');
  const node = await agent(t, token, 'brief');
  await change('PATCH', '/brief', { expiresInMs: 1_000 });
  const { code, why } = await endedInTime(node, performance.now() + 1_000);
  assert.deepEqual([code, why], [4401, 'the token brief has expired']);
  await until(() => isGone('brief'), 'the node does not leave');
  const { status, detail } = await put(token, 'brief');
  assert.deepEqual([status, detail], [401, 'the token brief has expired']);
});

/** A binding, and a registration that breaks it. Agents and PUT are judged by the same rule. */
const BINDINGS: readonly (readonly [bindings: TokenBindings, breaking: Record<string, unknown>, text: RegExp])[] = [
  [{ balancers: ['NAME'] }, { balancer: 'other' }, /bound to balancer NAME: other is not one of them/],
  [{ hosts: ['*.NAME.test'] }, { hosts: ['*'] }, /bound to host \*\.NAME\.test: \* is not within them/],
  [{ contexts: ['/NAME'] }, { contexts: ['/'] }, /bound to context \/NAME: \/ is not within them/],
  [{ nodeIds: ['NAME*'] }, { id: 'other-id' }, /bound to node NAME\*: the id other-id does not match/],
  [{ nodes: 1 }, { id: 'NAME-2' }, /bound to nodes 1: 1 are present/],
  [{ maxWeight: 2 }, { weight: 100 }, /bound to max-weight 2: the node announces 100/],
];

test('C34, C45: each binding refuses an agent with 4403 and a PUT with 403, by name', PATIENT, async (t) => {
  for (const [i, [bindings, breaking, text]] of BINDINGS.entries()) {
    const name = `bound-${i}`;
    const of = (value: unknown): unknown => JSON.parse(JSON.stringify(value).replaceAll('NAME', name));
    const token = await created(name, 'join', of(bindings) as TokenBindings);
    const good = { hosts: [`${name}.${name}.test`] };
    const node = await agent(t, token, name, good);
    assert.equal(node.frames[0]?.type, 'registered', JSON.stringify(node.frames));
    const { id = name, ...more } = of(breaking) as { id?: string; contexts?: string[] };
    const expected = new RegExp(`token ${name} is ${text.source.replaceAll('NAME', name)}.*rollcall token set ${name}`);
    const refused = await put(token, id, { ...good, ...more });
    assert.equal(refused.status, 403);
    assert.match(refused.detail, expected);
    const contexts = more.contexts?.map((path) => ({ path }));
    const bad = await agent(t, token, id, { ...good, ...more, ...(contexts && { contexts }) });
    assert.equal(bad.frames[0]?.code, 'forbidden');
    assert.match(bad.frames[0]?.message ?? '', expected);
    assert.equal((await bad.ended).code, 4403);
    assert.ok(node.isOpen, 'the refusal concerns that connection only');
  }
});

test('C45: a token that is bound to addresses is refused from others', PATIENT, async (t) => {
  const token = await created('elsewhere', 'join', { addresses: ['192.0.2.0/24', '2001:db8::/32'] });
  assert.equal(await upgradeStatus(site.controlUrl, token, AGENT_PATH, AGENT_SUBPROTOCOL), 403);
  const { status, detail } = await put(token, 'elsewhere');
  assert.equal(status, 403);
  assert.match(
    detail,
    /elsewhere is bound to address 192\.0\.2\.0\/24, 2001:db8::\/32: 127\.0\.0\.1 is not within them/,
  );
  await change('PATCH', '/elsewhere', { bindings: { addresses: ['127.0.0.0/8'] } });
  const node = await agent(t, token, 'elsewhere');
  assert.equal(node.frames[0]?.type, 'registered');
});

test(
  'bindings that are tightened close the connections that break them with 4403, and no others',
  PATIENT,
  async (t) => {
    const token = await created('tight', 'join', { nodeIds: ['tight-*'] });
    const first = await agent(t, token, 'tight-1');
    const second = await agent(t, token, 'tight-2');
    const third = await agent(t, token, 'tight-3');
    await change('PATCH', '/tight', { bindings: { contexts: ['/tight-1', '/tight-2'] } });
    const { code, why } = await endedInTime(third, performance.now());
    assert.equal(code, 4403);
    assert.match(why ?? '', /token tight is bound to context \/tight-1, \/tight-2: \/tight-3 is not within them/);
    await until(() => isGone('tight-3'), 'the node does not leave');
    await change('PATCH', '/tight', { bindings: { nodes: 1 } });
    assert.equal((await endedInTime(second, performance.now())).code, 4403);
    assert.ok(first.isOpen);
    const { tokens } = (await site.admin<TokenList>('GET', '/v1/tokens')).body;
    const listed = tokens.find(({ name }) => name === 'tight');
    assert.deepEqual(listed?.bindings, { nodeIds: ['tight-*'], contexts: ['/tight-1', '/tight-2'], nodes: 1 });
  },
);

test('C49: tokens are made and listed by administrators only', PATIENT, async () => {
  for (const role of ['join', 'viewer', 'operator', 'proxy'] as const) {
    const token = await created(`role-${role}`, role);
    assert.equal(await statusOf(token, '/v1/tokens'), 403, role);
  }
  assert.equal(await statusOf(await created('role-admin', 'admin'), '/v1/tokens'), 200);
  const anonymous = await fetch(`${site.controlUrl}/v1/tokens`);
  assert.equal(anonymous.status, 401);
});

test(
  'C21: an id that was taken with a start in the far future returns to its node when the node restarts',
  PATIENT,
  async (t) => {
    const token = await created('common', 'join');
    const victim = await agent(t, token, 'taken', { incarnation: Date.now() });
    assert.equal(victim.frames[0]?.type, 'registered');
    const thief = await agent(t, token, 'taken', { incarnation: Number.MAX_SAFE_INTEGER });
    await victim.ended;
    const restarted = await agent(t, token, 'taken', { incarnation: Date.now() + 1_000 });
    assert.equal(restarted.frames[0]?.type, 'registered', JSON.stringify(restarted.frames));
    assert.equal((await thief.ended).code, 4409);
  },
);

test(
  'C21: an id is out of reach for a token that is bound to others, and for other token names',
  PATIENT,
  async (t) => {
    const own = await created('victim', 'join', { nodeIds: ['victim*'] });
    const guest = await created('guest', 'join', { nodeIds: ['guest-*'] });
    const common = await created('unbound', 'join');
    const victim = await agent(t, own, 'victim');
    for (const [token, code] of [
      [guest, 'forbidden'],
      [common, 'id-owned'],
    ] as const) {
      const thief = await agent(t, token, 'victim', { incarnation: Number.MAX_SAFE_INTEGER });
      assert.equal(thief.frames[0]?.code, code);
      assert.equal((await thief.ended).code, 4403);
    }
    assert.ok(victim.isOpen);
  },
);

test('a change is in the audit with who and why, and no secret is on the disk or in a log', PATIENT, async () => {
  const made = await change('POST', '', { name: 'secret', role: 'viewer', reason: 'for grafana' });
  const next = (await change('POST', '/secret/rotate')).secret!;
  const audit = (): string => readFileSync(join(site.stateDir, 'audit.jsonl'), 'utf8');
  await until(() => /token secret \(role viewer\) rotated/.test(audit()), 'the rotation is not in the audit');
  assert.ok(/"message":"token secret \(role viewer\) created".*"reason":"for grafana"/.test(audit()));
  assert.ok(
    /"what":"token","message":"token revoked \(role join\) revoked; 2 nodes leave: revoked, revoked-lease".*"reason":"stolen"/.test(
      audit(),
    ),
  );
  const files = readdirSync(site.stateDir).map((file) => readFileSync(join(site.stateDir, file), 'utf8'));
  for (const text of [...files, site.log, site.output])
    for (const one of [made.secret!, next]) assert.ok(!text.includes(one));
});

test('after kill -9 of the control process tokens are restored, without revoked ones', PATIENT, async () => {
  const kept = await created('kept', 'viewer');
  const ended = await created('not-kept', 'viewer');
  await change('DELETE', '/not-kept');
  await site.killControl();
  assert.deepEqual([await statusOf(kept), await statusOf(ended)], [200, 401]);
});

test('C46: a right token is accepted at any rate of wrong ones from the same address', PATIENT, async (t) => {
  const operator = await created('ops', 'operator');
  const join = await created('beside', 'join');
  const codes = new Map<number, number>();
  for (let round = 0; round < 10; round++) {
    const wrong = await Promise.all(
      Array.from({ length: 20 }, (_, i) => statusOf(`wrong-${round}-${i}-of-the-attacker`)),
    );
    for (const code of wrong) codes.set(code, (codes.get(code) ?? 0) + 1);
    await upgradeStatus(site.controlUrl, `wrong-${round}-of-the-attacker`, AGENT_PATH, AGENT_SUBPROTOCOL);
    assert.equal(await statusOf(operator), 200);
  }
  assert.deepEqual([...codes.keys()].sort(), [401, 429]);
  assert.ok(codes.get(429)! > 100, 'failures are slowed');
  const node = await agent(t, join, 'beside');
  assert.equal(node.frames[0]?.type, 'registered');
});
