/** A guest announces that it keeps up to 1,000 copies of a balancer's program. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../site/site.ts';
import { GUEST_TOKEN, MAIN_TOKEN, program, RawAgent, siteWithGuest } from './guest.ts';

test('new copies are asked of the wrapper of the first token, not of a guest', async (t) => {
  const site = await siteWithGuest(t);
  const main = await RawAgent.open(t, site, MAIN_TOKEN);
  const copies = (wrapper: string, most: number): object => ({ wrapper: wrapper.repeat(32), kept: 1, most });
  const about = { balancer: 'shop' };
  const registered = await main.register(t, {
    ...about,
    id: 'main',
    url: await program(t, 'main'),
    copies: copies('a', 10),
  });
  assert.equal(registered.type, 'registered');
  const guest = await RawAgent.open(t, site, GUEST_TOKEN);
  await guest.register(t, { ...about, id: 'guest', url: await program(t, 'guest'), copies: copies('b', 1_000) });
  await until(async () => (await site.balancer('shop')).nodesUp === 2, 'both nodes are not up');
  const scaled = await site.cli('scale', 'shop=5');
  assert.equal(scaled.code, 0, scaled.stderr);
  // The node of the guest is one of the five.
  assert.equal((await main.next(({ type }) => type === 'scale')).count, 4);
});
