/** Members with the longest hosts and contexts that are allowed, many of them, changed at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodePut } from '@rollcall/protocol';
import { Site, until } from '../site/site.ts';
import { program } from './guest.ts';

/** In one message of changes they are more than a frame of the feed may have. */
const MEMBERS = 480;
const PUTS_AT_ONCE = 8;

test('members of the largest size reach every worker, at a change of all of them and after a restart', {
  timeout: 300_000,
}, async (t) => {
  const site = await Site.start(t);
  const url = await program(t, 'a member');
  const host = (i: number): string =>
    `${`h${i}`.padEnd(63, 'h')}.${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(61)}`;
  const body: NodePut = {
    balancer: 'large',
    url,
    hosts: Array.from({ length: 16 }, (_, i) => host(i)),
    contexts: Array.from({ length: 16 }, (_, i) => `/${i}-`.padEnd(256, 'p')),
  };
  // A request may meet the end of an idle connection.
  const isCurrent = (): Promise<void> =>
    until(
      () =>
        site.isCurrent().then(
          () => true,
          () => false,
        ),
      'no worker is current',
    );
  let next = 0;
  await Promise.all(
    Array.from({ length: PUTS_AT_ONCE }, async () => {
      for (let i = next++; i < MEMBERS; i = next++) {
        const { status } = await site.admin('PUT', `/v1/nodes/m${i}`, body);
        assert.equal(status, 200);
      }
    }),
  );
  await isCurrent();
  assert.equal((await site.cli('drain', '--balancer', 'large', '--yes')).code, 0);
  await isCurrent();
  await site.restart();
  await isCurrent();
  await site.addNode('late', { balancer: 'late' }, (_, response) => response.end('late'));
  await until(async () => {
    const response = await fetch(`http://127.0.0.1:${site.proxyPort}/`);
    return (await response.text()) === 'late';
  }, 'a node that comes later is not served');
  assert.doesNotMatch(site.log, /not understood/);
});
