/** Writes that leave no eligible node: 409 unless forced, and a dry run reports it. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Problem, WriteResult } from '@rollcall/protocol';
import { startTestCoordinator, type TestCoordinator } from '../testing/test-coordinator.ts';
import { startTestNode } from '../testing/test-node.ts';

/** Nodes a and b of balancer shop at `/`, c of shop at `/only`, all of group eu. */
async function started(t: TestContext): Promise<TestCoordinator> {
  const coordinator = await startTestCoordinator();
  t.after(() => coordinator.close());
  for (const [id, path] of [
    ['a', '/'],
    ['b', '/'],
    ['c', '/only'],
  ] as const) {
    const node = await startTestNode();
    t.after(() => node.close());
    const body = { balancer: 'shop', group: 'eu', contexts: [path], url: node.url };
    const answer = await coordinator.api(`/v1/nodes/${id}`, { method: 'PUT', body });
    assert.equal(answer.status, 200, answer.text);
  }
  return coordinator;
}

/** Drained before; the write; the contexts that it leaves without an eligible node, `''` for none. */
const CASES: readonly [drained: string, method: string, path: string, body: object, left: string][] = [
  ['', 'POST', '/v1/nodes/a/drain', {}, ''],
  ['b', 'POST', '/v1/nodes/a/drain', {}, '/ of balancer shop'],
  ['b', 'POST', '/v1/nodes/a/stop', {}, '/ of balancer shop'],
  ['b', 'DELETE', '/v1/nodes/a', {}, '/ of balancer shop'],
  ['b', 'DELETE', '/v1/nodes/b', {}, ''],
  ['b', 'POST', '/v1/nodes/b/stop', {}, ''],
  ['', 'POST', '/v1/nodes/c/drain', {}, '/only of balancer shop'],
  ['', 'POST', '/v1/balancers/shop/drain', {}, '/ of balancer shop and /only of balancer shop'],
  ['', 'POST', '/v1/groups/eu/stop', {}, '/ of balancer shop and /only of balancer shop'],
  ['b', 'POST', '/v1/nodes/a/enable', {}, ''],
  // These take no node from new visitors.
  ['b', 'PATCH', '/v1/nodes/a', { weight: 0.001 }, ''],
  ['b', 'PATCH', '/v1/nodes/a', { standby: true }, ''],
  ['b', 'PATCH', '/v1/nodes/a', { redirectTo: 'b' }, ''],
];

for (const [drained, method, path, body, left] of CASES)
  test(`${method} ${path} ${JSON.stringify(body)}${drained && ` with ${drained} drained`} leaves ${left || 'nothing'} without a node`, async (t) => {
    const { api } = await started(t);
    if (drained) assert.equal((await api(`/v1/nodes/${drained}/drain`, { method: 'POST', body: {} })).status, 200);
    const dry = (await api(path, { method, body: { ...body, dryRun: true } })).json<WriteResult>();
    const foreseen = `no node would be eligible for ${left}: new visitors would get 503`;
    assert.equal(dry.nobodyEligible, left === '' ? undefined : foreseen);
    assert.equal(dry.message.includes(`; ${foreseen}`), left !== '', dry.message);
    const plain = await api(path, { method, body });
    assert.equal(plain.status, left === '' ? 200 : 409, plain.text);
    if (left === '') return;
    const { code, detail } = plain.json<Problem>();
    assert.deepEqual([code, detail], ['nobody-eligible', `${foreseen}; add "force": true to apply it`]);
    const forced = (await api(path, { method, body: { ...body, force: true } })).json<WriteResult>();
    assert.equal(forced.isChanged, true);
    assert.ok(forced.message.endsWith(`; no node is eligible for ${left}: new visitors get 503`), forced.message);
  });

/** Budget of 2 at three nodes a, b, d of `/`: writes with force needed or not. */
const BUDGET_CASES: readonly [drained: string, method: string, path: string, body: object, isRefused: boolean][] = [
  ['', 'POST', '/v1/nodes/a/drain', {}, false],
  ['b', 'POST', '/v1/nodes/a/drain', {}, true],
  ['b', 'POST', '/v1/nodes/a/stop', {}, true],
  ['b', 'DELETE', '/v1/nodes/a', {}, true],
  ['b', 'PATCH', '/v1/nodes/a', { standby: true }, true],
  ['b', 'PATCH', '/v1/nodes/a', { standby: false, weight: 0.5 }, false],
  ['b', 'POST', '/v1/nodes/b/stop', {}, false],
  ['b', 'DELETE', '/v1/nodes/b', {}, false],
];

for (const [drained, method, path, body, isRefused] of BUDGET_CASES)
  test(`with min-eligible 2, ${method} ${path} ${JSON.stringify(body)}${drained && ` with ${drained} drained`} ${isRefused ? 'needs force' : 'is applied'}`, async (t) => {
    const { api } = await started(t);
    const more = await startTestNode();
    t.after(() => more.close());
    await api('/v1/nodes/d', { method: 'PUT', body: { balancer: 'shop', url: more.url } });
    const set = await api('/v1/balancers/shop', { method: 'PATCH', body: { minEligible: 2 } });
    assert.equal(set.status, 200, set.text);
    if (drained) assert.equal((await api(`/v1/nodes/${drained}/drain`, { method: 'POST', body: {} })).status, 200);
    const dry = (await api(path, { method, body: { ...body, dryRun: true } })).json<WriteResult>();
    const foreseen =
      'fewer nodes would be eligible than min-eligible for / of balancer shop (min-eligible 2: 2 eligible before, 1 after)';
    assert.equal(dry.belowBudget, isRefused ? foreseen : undefined);
    const plain = await api(path, { method, body });
    assert.equal(plain.status, isRefused ? 409 : 200, plain.text);
    if (!isRefused) return;
    const { code, detail } = plain.json<Problem>();
    assert.deepEqual([code, detail], ['budget', `${foreseen}; add "force": true to apply it`]);
    const forced = (await api(path, { method, body: { ...body, force: true } })).json<WriteResult>();
    assert.equal(forced.isChanged, true);
    assert.match(forced.belowBudget ?? '', /^fewer nodes are eligible than min-eligible for \/ of balancer shop/);
  });

test('with min-eligible 0 no write needs force', async (t) => {
  const { api } = await started(t);
  await api('/v1/balancers/shop', { method: 'PATCH', body: { minEligible: 0 } });
  assert.equal((await api('/v1/balancers/shop/drain', { method: 'POST', body: {} })).status, 200);
});
