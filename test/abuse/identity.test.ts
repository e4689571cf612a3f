/** Rows C21–C24, C27 and C28: the connection that represents an id. C25 and C26 need several coordinators, see row-list.test.ts. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';
import { type AgentClient, frame, OPCODE } from './client.ts';
import { Target, withTokens } from './target.ts';

const OURS = 'token-of-team-one-0123456789';
const THEIRS = 'token-of-team-two-0123456789';

let target: Target;

before(async () => {
  target = await Target.start({
    prepare: withTokens([
      { name: 'team-one', role: 'join', token: OURS },
      { name: 'team-two', role: 'join', token: THEIRS },
    ]),
    token: OURS,
  });
});
after(() => target.close());
afterEach(() => target.assertUnharmed());

/** Registers a node of team one that sends heartbeats until its connection ends, and waits until it is up. */
async function holder(id: string, more: object = {}): Promise<AgentClient> {
  const agent = await target.agent({ token: OURS });
  await agent.register(await target.node(id, { instance: 'a'.repeat(32), incarnation: 1_000, ...more }));
  const timer = setInterval(() => agent.send({ type: 'heartbeat' }), 500);
  agent.socket.once('close', () => clearInterval(timer));
  await until(async () => (await target.resource(id))?.liveness === 'up', `${id} is not up`);
  return agent;
}

test('C21: an id of another token is refused with 4403, its holder stays, and the audit names both', async () => {
  const first = await holder('owned');
  const { url } = (await target.resource('owned'))!;
  for (const more of [{ incarnation: 2_000 }, { incarnation: 2 ** 53 - 1 }, { instance: 'a'.repeat(32) }]) {
    const thief = await target.agent({ token: THEIRS });
    const { code, message } = await thief.refusal(await target.node('owned', more));
    assert.equal(code, 'id-owned');
    // Another team must not see the address and the process of the holder.
    assert.match(message!, /^the id belongs to token \S+\. Use another id/);
    assert.ok(!message!.includes(url), message);
    assert.equal(await thief.closed, 4403);
  }
  assert.ok(first.isOpen);
  assert.equal((await target.resource('owned'))?.url, url);
  await until(
    () =>
      target
        .audit()
        .some(({ what, code, by }) => what === 'refused register' && code === 'id-owned' && by === 'team-two'),
    'the attempt is not in the audit',
  );
  first.close();
  // The node sends no more heartbeats, but still belongs to its token.
  await until(async () => (await target.resource('owned'))?.liveness === 'suspect', 'not suspect');
  const late = await target.agent({ token: THEIRS });
  assert.equal((await late.refusal(await target.node('owned'))).code, 'id-owned');
});

test('C22: a later start of the same token takes the id over, the old connection closes with 4409, the route stays', async () => {
  const sticky = { mode: 'suffix', cookies: ['sid'] };
  const old = await holder('again', { balancer: 'again', hosts: ['again.test'], sticky });
  await holder('other', { balancer: 'again', hosts: ['again.test'], sticky, instance: 'c'.repeat(32) });
  const agent = await target.agent({ token: OURS });
  const more = { balancer: 'again', hosts: ['again.test'], sticky, instance: 'b'.repeat(32), incarnation: 1_001 };
  const url = await target.program((_, response) => response.end('restarted'));
  await agent.register({ ...(await target.node('again', more)), url });
  assert.equal(await old.closed, 4409);
  assert.equal(old.received.at(-1)?.code, 'superseded');
  await until(async () => (await target.resource('again'))?.liveness === 'up', 'not up');
  assert.equal((await target.resource('again'))?.route, 'again');
  await target.site.isCurrent();
  for (let i = 0; i < 10; i++) {
    const visitor = new Visitor(target.site.proxyPort, { host: 'again.test' });
    visitor.take('sid', `s${i}.again`);
    assert.equal((await visitor.get('/')).body, 'restarted');
    visitor.close();
  }
});

test('C23: an earlier or equal start is refused with 4409 while the holder sends heartbeats', async () => {
  const first = await holder('kept');
  const { url } = (await target.resource('kept'))!;
  for (const [incarnation, expected] of [
    [999, 'superseded'],
    [1, 'superseded'],
    [1_000, 'id-taken'],
  ] as const) {
    const agent = await target.agent({ token: OURS });
    const answer = await agent.refusal(await target.node('kept', { instance: 'b'.repeat(32), incarnation }));
    assert.deepEqual([answer.code, answer.holderConnected], [expected, true]);
    assert.equal(await agent.closed, 4409);
  }
  assert.ok(first.isOpen);
  assert.equal((await target.resource('kept'))?.url, url);
});

test('C24: messages on a superseded connection have no effect, and the connection is cut', async () => {
  const node = await target.node('fenced', { instance: 'a'.repeat(32), incarnation: 1_000 });
  // A client that does not answer the close frame and continues to send.
  const old = await target.raw({ Authorization: `Bearer ${OURS}` });
  old.send(frame(OPCODE.text, JSON.stringify({ type: 'register', node })));
  await until(() => old.messages.some(({ type }) => type === 'registered'), 'not registered');
  const agent = await target.agent({ token: OURS });
  await agent.register(node);
  agent.send({ type: 'heartbeat', load: 0.125, seq: 1 });
  await until(async () => (await target.resource('fenced'))?.load === 0.125, 'no load');
  for (const message of [
    { type: 'heartbeat', load: 1, seq: 99 },
    { type: 'status', status: 'stopped' },
    { type: 'register', node: { ...node, weight: 50 } },
    { type: 'leave' },
  ])
    old.send(frame(OPCODE.text, JSON.stringify(message)));
  assert.equal(await old.closeCode(), 4409);
  await old.ended();
  const { load, status, weight, liveness } = (await target.resource('fenced'))!;
  assert.deepEqual([load, status, weight], [0.125, 'enabled', 1]);
  assert.notEqual(liveness, 'gone');
  assert.ok(agent.isOpen);
  // The end of its socket has no effect either.
  old.close();
  agent.send({ type: 'heartbeat', load: 0.375, seq: 2 });
  await until(async () => (await target.resource('fenced'))?.load === 0.375, 'no later load');
  assert.equal((await target.resource('fenced'))?.liveness, 'up');
});

test('C27: a node can make only itself leave', async () => {
  await holder('staying');
  const agent = await target.agent({ token: OURS });
  agent.send({ type: 'leave', id: 'staying' });
  assert.equal((await agent.next()).code, 'not-registered');
  await agent.register(await target.node('leaving'));
  agent.send({ type: 'register', node: await target.node('staying', { incarnation: 2_000 }) });
  assert.equal((await agent.next()).code, 'already-registered');
  agent.send({ type: 'leave', id: 'staying', node: { id: 'staying' } });
  assert.equal(await agent.closed, 1000);
  assert.equal((await target.resource('leaving'))?.liveness, 'gone');
  assert.equal((await target.resource('staying'))?.liveness, 'up');
  for (const token of [OURS, THEIRS]) {
    const headers = { authorization: `Bearer ${token}` };
    const { status } = await fetch(`${target.site.controlUrl}/v1/nodes/staying`, { method: 'DELETE', headers });
    assert.equal(status, 403);
  }
  assert.equal((await target.resource('staying'))?.liveness, 'up');
});

test('C28: numbers with a sequence that is not larger are ignored', async () => {
  const agent = await holder('ordered');
  const beats = [
    [5, 0.5],
    [4, 0.9],
    [5, 0.8],
    [0, 0.7],
  ] as const;
  for (const [seq, load] of beats) agent.send({ type: 'heartbeat', seq, load, sessions: seq });
  agent.send({ type: 'status', status: 'draining' });
  await until(async () => (await target.resource('ordered'))?.status === 'draining', 'not draining');
  const { load, sessions } = (await target.resource('ordered'))!;
  assert.deepEqual([load, sessions], [0.5, 5]);
  agent.send({ type: 'heartbeat', seq: 6, load: 0.25 });
  await until(async () => (await target.resource('ordered'))?.load === 0.25, 'a larger one counts');
});
