import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeResource, WriteResult } from '@rollcall/protocol';
import { startTestCoordinator } from '../testing/test-coordinator.ts';

test('an operator drains, stops and enables contexts of one node', async () => {
  const { api, close } = await startTestCoordinator();
  const put = { url: 'http://127.0.0.1:9', balancer: 'shop', contexts: ['/a', '/b'] };
  assert.equal((await api('/v1/nodes/n1', { method: 'PUT', body: put })).status, 200);
  const verb = async (name: string, body: object): Promise<WriteResult> => {
    const answer = await api(`/v1/nodes/n1/${name}`, { method: 'POST', body });
    assert.equal(answer.status, 200, answer.text);
    return answer.json<WriteResult>();
  };
  const statuses = async (): Promise<string[]> => {
    const { contexts } = (await api('/v1/nodes/n1')).json<NodeResource>();
    return contexts.map(({ path, status }) => `${path} ${status}`);
  };
  const planned = await verb('drain', { contexts: ['/a'], dryRun: true });
  assert.deepEqual([planned.isChanged, planned.isDryRun], [true, true]);
  assert.deepEqual(await statuses(), ['/a enabled', '/b enabled']);
  const drained = await verb('drain', { contexts: ['/a'], reason: 'deploy' });
  assert.deepEqual([drained.isChanged, drained.message], [true, '/a of node n1 is now draining']);
  assert.deepEqual(await statuses(), ['/a draining', '/b enabled']);
  assert.equal((await verb('drain', { contexts: ['/a'] })).isChanged, false);
  await verb('stop', { contexts: ['/a', '/b'] });
  assert.deepEqual(await statuses(), ['/a stopped', '/b stopped']);
  await verb('enable', { contexts: ['/b'] });
  assert.deepEqual(await statuses(), ['/a stopped', '/b enabled']);
  await verb('enable', {});
  assert.deepEqual(await statuses(), ['/a enabled', '/b enabled']);
  await close();
});

test('contexts need one node that serves them, and have no limits of time', async () => {
  const { api, close } = await startTestCoordinator();
  const put = { url: 'http://127.0.0.1:9', balancer: 'shop', contexts: ['/a'] };
  await api('/v1/nodes/n1', { method: 'PUT', body: put });
  const refused: [path: string, body: object, text: RegExp][] = [
    ['/v1/balancers/shop/drain', { contexts: ['/a'] }, /contexts needs one node/],
    ['/v1/nodes/n1/drain', { contexts: ['/x'] }, /\/x, which node n1 does not serve/],
    ['/v1/nodes/n1/drain', { contexts: ['a'] }, /contexts: a is not a path/],
    ['/v1/nodes/n1/drain', { contexts: [] }, /contexts/],
    ['/v1/nodes/n1/drain', { contexts: ['/a'], forMs: 1_000 }, /for whole nodes/],
  ];
  for (const [path, body, text] of refused) {
    const answer = await api(path, { method: 'POST', body });
    assert.equal(answer.status, 400, answer.text);
    assert.match(answer.text, text);
  }
  await close();
});
