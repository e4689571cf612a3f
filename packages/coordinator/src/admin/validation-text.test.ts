import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { startTestCoordinator, type TestCoordinator } from '../testing/test-coordinator.ts';
import { startTestNode } from '../testing/test-node.ts';

let started: TestCoordinator | undefined;

afterEach(() => started?.close());

test('the refusal of a body uses terms of the API', async () => {
  started = await startTestCoordinator();
  const { url, close } = await startTestNode();
  const { api } = started;
  const refusals: (readonly [string, string, object, string])[] = [
    ['POST', '/v1/nodes/n1/drain', { forMs: 1e13 }, 'forMs is more than 2678400000'],
    ['POST', '/v1/nodes/n1/drain', { forMs: -1 }, 'forMs is less than 0'],
    ['POST', '/v1/nodes/n1/drain', { forMs: '5' }, 'forMs is not a number'],
    ['POST', '/v1/nodes/n1/drain', { reason: 'x'.repeat(257) }, 'reason has more than 256 characters'],
    ['POST', '/v1/nodes/n1/drain', { reason: 'a\nb' }, 'reason has a character that is not allowed'],
    ['POST', '/v1/nodes/n1/drain', { reson: 'x' }, 'reson is not a known field; did you mean "reason"?'],
    ['POST', '/v1/nodes/n1/drain', { zzzzzz: 'x' }, 'zzzzzz is not a known field'],
    ['PUT', '/v1/nodes/n1', {}, 'url is missing'],
    ['PUT', '/v1/nodes/n1', { url, ttlMs: 1.5e3 + 0.5 }, 'ttlMs is not an integer'],
    ['PUT', '/v1/nodes/n1', { url, hosts: Array(17).fill('*') }, 'hosts has more than 16 items'],
    [
      'PUT',
      '/v1/nodes/n1',
      { url, sticky: { moed: 'none' } },
      'sticky.moed is not a known field; did you mean "mode"?',
    ],
    [
      'PUT',
      '/v1/nodes/n1',
      { url, sticky: { mode: 'glue' } },
      'sticky.mode is not one of insert, suffix, rewrite, none',
    ],
  ];
  const limit = 'is not a known field; did you mean "upstreamTimeoutMs"?';
  for (const [limits, where] of [
    [{ upstreamTimeout: '1s' }, 'limits.upstreamTimeout'],
    [{ paths: { '/apix': { upstreamTimeout: '1s' } } }, 'limits.paths./apix.upstreamTimeout'],
    [{ paths: { '/a/b~c': { upstreamTimeout: '1s' } } }, 'limits.paths./a/b~c.upstreamTimeout'],
  ] as const)
    refusals.push(['PATCH', '/v1/balancers/shop', { limits }, `${where} ${limit}`]);
  for (const [method, path, body, detail] of refusals) {
    const answer = await api(path, { method, body });
    assert.deepEqual([answer.status, answer.json<{ detail: string }>().detail], [400, detail]);
  }
  await close();
});
