/** A node announces the largest weight, the most cores and no load. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../site/site.ts';
import { MAIN_TOKEN, program, RawAgent, siteWithGuest } from './guest.ts';

test('weight 100 and 1,024 cores count as eight times the median, with a warning', async (t) => {
  const site = await siteWithGuest(t);
  const liar = await RawAgent.open(t, site, MAIN_TOKEN);
  await liar.register(t, { id: 'liar', balancer: 'shop', url: await program(t, 'liar'), weight: 100, cores: 1_024 });
  for (const id of ['a', 'b', 'c', 'd'])
    await (await RawAgent.open(t, site, MAIN_TOKEN)).register(t, {
      id,
      balancer: 'shop',
      url: await program(t, id),
      cores: 1,
    });
  await until(async () => (await site.balancer('shop')).nodesUp === 5, 'the nodes are not up');
  const { weight, warnings } = (await site.node('liar'))!;
  assert.equal(weight * 1_024, 8);
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ['weight-clamped'],
  );
  assert.match((await site.cli('nodes')).stdout, /^liar .*weight-clamped/m);
  assert.equal((await site.cli('weight', 'liar', '3')).code, 0);
  assert.equal((await site.node('liar'))?.weight, 3);
});
