/** A guest registers into a balancer with a hint that switches stickiness off. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GUEST_TOKEN, program, RawAgent, siteWithGuest } from './guest.ts';

test('a hint of a guest does not change the stickiness of a balancer, also after the guest has left', async (t) => {
  const site = await siteWithGuest(t);
  for (const id of ['a', 'b'])
    await site.addNode(id, { balancer: 'shop', contexts: ['/app'] }, (_, response) => response.end(id));
  const visit = async (cookie: string): Promise<{ node: string; cookie: string }> => {
    const response = await fetch(`http://127.0.0.1:${site.proxyPort}/app`, {
      headers: cookie === '' ? {} : { cookie },
    });
    const [set = cookie] = response.headers.getSetCookie().map((text) => text.split(';')[0]!);
    return { node: await response.text(), cookie: set };
  };
  const sessions = await Promise.all(Array.from({ length: 20 }, () => visit('')));
  const stay = async (): Promise<void> => {
    for (const { node, cookie } of sessions) assert.equal((await visit(cookie)).node, node);
  };
  await stay();
  const guest = await RawAgent.open(t, site, GUEST_TOKEN);
  const told = await guest.register(t, {
    id: 'guest',
    balancer: 'shop',
    url: await program(t, 'guest'),
    contexts: [{ path: '/other' }],
    sticky: { mode: 'none' },
  });
  assert.equal(told.type, 'registered', JSON.stringify(told));
  assert.deepEqual(
    told.warnings?.map(({ code }) => code),
    ['balancer-settings-differ'],
  );
  await site.isCurrent();
  assert.equal((await site.balancer('shop')).sticky.mode, 'insert');
  await stay();
  guest.send({ type: 'leave' });
  await site.isCurrent();
  await stay();
});
