/** Row C43: a node that leaves and returns repeatedly. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';
import type { AgentClient } from './client.ts';
import { Target } from './target.ts';

test('C43: a node that returns five times is held down for longer each time, and a session that has left it stays away', async (t) => {
  const target = await Target.start();
  t.after(() => target.close());
  const node = await target.node('flapping', { incarnation: 1_000 });
  const up = async (id: string, description: object): Promise<AgentClient> => {
    const agent = await target.agent();
    await agent.register({ ...description, instance: randomBytes(16).toString('hex') });
    const beats = setInterval(() => agent.isOpen && agent.send({ type: 'heartbeat', load: 0 }), 500);
    agent.socket.once('close', () => clearInterval(beats));
    await until(async () => (await target.resource(id))?.liveness === 'up', `${id} is not up`);
    await target.site.isCurrent();
    return agent;
  };
  let flapping = await up('flapping', node);
  await until(async () => (await target.visit('attack.test')).body === 'flapping', 'not served');
  const visitor = new Visitor(target.site.proxyPort, { host: 'attack.test' });
  assert.equal((await visitor.get('/')).body, 'flapping');
  await up('steady', await target.node('steady'));
  for (let i = 0; i < 5; i++) {
    flapping.send({ type: 'leave' });
    assert.equal(await flapping.closed, 1000);
    await target.site.isCurrent();
    assert.equal((await visitor.get('/')).body, 'steady', `after leave ${i + 1}`);
    flapping = await up('flapping', { ...node, incarnation: 1_001 + i });
    assert.equal((await visitor.get('/')).body, 'steady', `after return ${i + 1}`);
  }
  visitor.close();
  // Five returns, the third of which made it flapping: 4 s, in which new sessions go elsewhere.
  const { count, heldUntilUnixMs } = (await target.resource('flapping'))?.flapping ?? {};
  assert.equal(count, 5);
  assert.ok(heldUntilUnixMs !== undefined, 'it is not held down');
  while (Date.now() < heldUntilUnixMs - 1_000)
    assert.equal((await target.visit('attack.test')).body, 'steady', 'a new session came to a node that is held down');
  await until(
    async () => (await target.resource('flapping'))?.flapping?.heldUntilUnixMs === undefined,
    'the hold-down does not end',
  );
  await until(async () => (await target.visit('attack.test')).body === 'flapping', 'it gets no new sessions');
  await target.assertUnharmed();
});
