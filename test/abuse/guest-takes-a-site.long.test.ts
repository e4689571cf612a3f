/** A guest registers a context inside the site of another token, takes its traffic and leaves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatusResource } from '@rollcall/protocol';
import { until } from '../site/site.ts';
import { GUEST_TOKEN, program, RawAgent, siteWithGuest } from './guest.ts';

test('a guest cannot take over part of a site, and an abandoned context can be forgotten', async (t) => {
  const site = await siteWithGuest(t);
  await site.addNode('main', { balancer: 'shop' }, (_, response) => response.end('main'));
  const url = await program(t, 'guest');
  const answer = async (path: string): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${site.proxyPort}${path}`);
    return response.status === 200 ? response.text() : String(response.status);
  };
  for (const [id, claim] of Object.entries({
    below: { contexts: [{ path: '/login' }] },
    inside: { hosts: ['127.0.0.1'] },
    both: { hosts: ['127.0.0.1'], contexts: [{ path: '/login' }] },
  })) {
    const guest = await RawAgent.open(t, site, GUEST_TOKEN);
    const told = await guest.register(t, { id, balancer: 'guest', url, ...claim });
    assert.equal(told.code, 'context-taken', JSON.stringify(told));
    assert.match(told.message ?? '', /which token join serves \(balancer shop, 1 node\)/);
  }
  assert.equal(await answer('/login'), 'main');

  // A node that an operator admits may serve there. After it has left, its context answers 503 until it is forgotten.
  await site.put('login', { balancer: 'login', url, contexts: ['/login'], ttlMs: 60_000 });
  assert.equal(await answer('/login'), 'guest');
  assert.equal((await site.cli('remove', 'login', '--yes')).code, 0);
  await site.isCurrent();
  assert.equal(await answer('/login'), '503');
  const status = await site.json<StatusResource>('status');
  assert.deepEqual(
    status.remembered.map(({ path, balancer }) => [path, balancer]),
    [['/login', 'login']],
  );
  assert.match((await site.cli('status')).stdout, /contexts without nodes.*\/login on \* \(balancer login/);
  const forgotten = await site.cli('forget', '/login');
  assert.deepEqual([forgotten.code, forgotten.stderr], [0, '']);
  await until(async () => (await answer('/login')) === 'main', 'the site does not answer again');
  assert.deepEqual((await site.json<StatusResource>('status')).remembered, []);
  assert.equal((await site.cli('forget')).code, 2);
});
