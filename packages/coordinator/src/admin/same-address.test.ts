import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatusResource, WriteResult } from '@rollcall/protocol';
import { startTestCoordinator } from '../testing/test-coordinator.ts';
import { startTestNode } from '../testing/test-node.ts';

test('a second static member at one address is noted if it is in the same balancer', async (t) => {
  const started = await startTestCoordinator();
  t.after(() => started.close());
  const { url, close } = await startTestNode();
  t.after(() => close());
  const noteOf = async (id: string, balancer: string, contexts: readonly string[]): Promise<string | undefined> => {
    const answer = await started.api(`/v1/nodes/${id}`, { method: 'PUT', body: { url, balancer, contexts } });
    assert.equal(answer.status, 200, answer.text);
    return answer.json<WriteResult>().note;
  };
  const advice = async (): Promise<string[]> =>
    (await started.api('/v1/status')).json<StatusResource>().advice.filter((text) => text.startsWith('Members with'));
  assert.equal(await noteOf('s1', 'shop', ['/']), undefined);
  assert.equal(await noteOf('other', 'blog', ['/blog']), undefined, 'another balancer');
  assert.deepEqual(await advice(), []);
  const note = await noteOf('s1dup', 'shop', ['/']);
  assert.match(note!, /^s1 of balancer shop has this address too, .*share of 2 nodes; .*: rollcall remove s1dup$/);
  assert.match((await advice()).join(), /: s1 and s1dup\. .* To do: rollcall remove one/);
});
