/** Rows C14, C34, C58 and C59: quotas of one token, node or balancer. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { until } from '../site/site.ts';
import type { AgentClient, Message } from './client.ts';
import { Target, withTokens } from './target.ts';

const OWNER = 'token-of-the-owner-0123456789';
const GUEST = 'token-of-the-guest-0123456789';
const NODES = 12;

let target: Target;

before(async () => {
  target = await Target.start({
    prepare: withTokens([
      { name: 'owner', role: 'join', token: OWNER },
      { name: 'guest', role: 'join', token: GUEST },
    ]),
    token: OWNER,
    flags: ['--quota', `nodes=${NODES}`, '--quota', 'balancer-contexts=40', '--quota', 'balancer-hosts=8'],
  });
});
after(() => target.close());
afterEach(() => target.assertUnharmed());

/** Registers a node of `token`; with heartbeats of load 0 until its connection ends. */
async function register(
  token: string,
  id: string,
  more: object = {},
): Promise<{ readonly agent: AgentClient; readonly answer: Message }> {
  const agent = await target.agent({ token });
  agent.send({ type: 'register', node: await target.node(id, more) });
  const answer = await agent.next();
  const beats = setInterval(() => agent.isOpen && agent.send({ type: 'heartbeat', load: 0 }), 500);
  void agent.closed.then(() => clearInterval(beats));
  return { agent, answer };
}

async function leave(...agents: readonly AgentClient[]): Promise<void> {
  for (const agent of agents) {
    agent.send({ type: 'leave' });
    assert.equal(await agent.closed, 1000);
  }
}

test('C14: a node that announces 100 times the weight and 1,024 cores gets a bounded part, with a warning', async () => {
  const honest = await Promise.all(Array.from({ length: 8 }, (_, i) => register(OWNER, `honest-${i}`)));
  const { agent: liar, answer } = await register(OWNER, 'liar', { weight: 100, cores: 1_024 });
  assert.ok(JSON.stringify(answer['warnings']).includes('weight-clamped'));
  const ids = [...honest.keys()].map((i) => `honest-${i}`).concat('liar');
  for (const id of ids) await until(async () => (await target.resource(id))?.liveness === 'up', `${id} is not up`);
  await target.site.isCurrent();
  const answers = await Promise.all(Array.from({ length: 300 }, () => target.visit('attack.test')));
  const lies = answers.filter(({ body }) => body === 'liar').length;
  // Eight times the median of nine nodes is half of all.
  assert.ok(lies <= 210, `${lies} of 300`);
  await leave(liar, ...honest.map(({ agent }) => agent));
});

test('C34: one node more than a token may have is refused with 4403, the quota and its setting', async () => {
  const agents: AgentClient[] = [];
  for (let i = 0; i < NODES; i++) {
    const { agent, answer } = await register(GUEST, `many-${i}`);
    assert.equal(answer.type, 'registered', answer.message);
    agents.push(agent);
  }
  const { agent, answer } = await register(GUEST, 'one-more');
  assert.equal(answer.type, 'error');
  assert.match(answer.message!, new RegExp(`${NODES}.*--quota nodes=`));
  assert.equal(await agent.closed, 4403);
  assert.equal(await target.resource('one-more'), undefined);
  // Its own nodes, and those of other tokens, are not concerned.
  assert.ok(agents.every(({ isOpen }) => isOpen));
  const other = await register(OWNER, 'of-another-token', { balancer: 'other', hosts: ['other.test'] });
  assert.equal(other.answer.type, 'registered');
  await leave(other.agent, ...agents);
});

test('C58: a context below, or a host inside, what another token serves is refused', async () => {
  for (const [id, claim] of Object.entries({
    below: { hosts: ['bystander.test'], contexts: [{ path: '/login' }] },
    same: { hosts: ['bystander.test'] },
    hidden: { hosts: ['other.test'], contexts: [{ path: '/other' }, { path: '/login', hosts: ['bystander.test'] }] },
  })) {
    const { agent, answer } = await register(GUEST, id, { balancer: 'hijack', ...claim });
    assert.equal(answer.code, 'context-taken', id);
    assert.match(answer.message!, /bystander/);
    assert.equal(await agent.closed, 4409);
  }
  const wide = await register(OWNER, 'wide', { balancer: 'wide', hosts: ['*.wide.test'] });
  assert.equal(wide.answer.type, 'registered');
  const inside = await register(GUEST, 'inside', { balancer: 'hijack', hosts: ['shop.wide.test'] });
  assert.equal(inside.answer.code, 'context-taken');
  assert.equal((await target.visit('bystander.test', '/login')).body, 'bystander');
  await leave(wide.agent);
});

test('C59: contexts, hosts and tags of one registration are bounded, and so are those of a balancer', async () => {
  const paths = (count: number, from = 0) => Array.from({ length: count }, (_, i) => ({ path: `/c${from + i}` }));
  const names = (count: number) => Array.from({ length: count }, (_, i) => `h${i}.test`);
  const tags = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`tag-${i}`, 'x']));
  for (const more of [
    { contexts: paths(129) },
    { hosts: names(17) },
    { contexts: [{ path: '/', hosts: names(17) }] },
    { contexts: paths(128).map((context) => ({ ...context, hosts: names(8) })) },
    { meta: tags },
  ]) {
    const { agent, answer } = await register(GUEST, 'wide-one', more);
    assert.equal(answer.code, 'bad-field');
    agent.close();
  }
  const huge = await target.agent({ token: GUEST });
  huge.send({ type: 'register', node: await target.node('huge', { contexts: paths(10_000) }) });
  assert.equal(await huge.closed, 1009);
  const agents: AgentClient[] = [];
  let refused: Message | undefined;
  for (let i = 0; i < 5 && refused === undefined; i++) {
    const more = { balancer: 'bomb', hosts: ['bomb.test'], contexts: paths(16, 16 * i) };
    const { agent, answer } = await register(GUEST, `bomb-${i}`, more);
    if (answer.type === 'registered') agents.push(agent);
    else refused = answer;
  }
  assert.match(refused?.message ?? '', /40.*--quota balancer-contexts=/);
  assert.ok(agents.length < 5);
  // Hosts of contexts count as those of the node.
  const own = [{ path: '/own', hosts: names(9) }];
  const { answer } = await register(GUEST, 'own', { balancer: 'own', contexts: own });
  assert.match(answer.message ?? '', /8.*--quota balancer-hosts=/);
  await leave(...agents);
});
