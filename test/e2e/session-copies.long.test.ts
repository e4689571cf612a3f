/** Numbers of sessions after a reload and a `kill -9` of the control process: the new workers have counted none of these sessions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatusResource } from '@rollcall/protocol';
import { Site, until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

/** Visitors who return, and clients without cookies. */
const AGAIN = 12;
const ONCE = 5;

for (const count of [1, 2])
  test(`${count} worker(s): sessions outlive a reload and a kill of the control process, and a drain waits for them`, async (t) => {
    const site = await Site.start(t, { flags: ['--workers', String(count)] });
    await site.addNode('shop-1', { balancer: 'shop' }, (_, response) => void response.end('hello'));
    for (let i = 0; i < AGAIN; i++) {
      const visitor = new Visitor(site.proxyPort);
      await visitor.get('/');
      await visitor.get('/');
    }
    for (let i = 0; i < ONCE; i++) await new Visitor(site.proxyPort).get('/');
    const areTold = async () => {
      const node = await site.node('shop-1');
      return node?.sessions === AGAIN && node.sessionsSeenOnce === ONCE;
    };
    await until(areTold, 'the sessions are not counted');

    const workers = async () => (await site.admin<StatusResource>('GET', '/v1/status')).body.workers;
    const before = new Set((await workers()).map(({ pid }) => pid));
    assert.equal((await site.cli('reload')).code, 0);
    await until(async () => (await workers()).every(({ pid }) => !before.has(pid)), 'old workers do not end');
    await site.isCurrent();
    assert.equal(await areTold(), true, 'after the reload');
    // The question follows the sessions on the same connection, so a worker that answers it has them.
    assert.equal((await site.cli('explain', '--live', '--for', '100ms')).code, 0);

    await site.killControl();
    await site.isCurrent();
    await until(areTold, 'the sessions are lost');
    assert.match((await site.cli('nodes', '--wide')).stdout, new RegExp(`shop-1 .* ${AGAIN} +workers +${ONCE} `));
    const { code, stderr } = await site.cli('drain', 'shop-1', '--yes', '--wait', '--timeout', '1s');
    assert.equal(code, 4, stderr);
    assert.match(stderr, new RegExp(`shop-1: ${AGAIN} sessions(?: \\(.*\\))? and ${ONCE} seen once, 0 in flight`));
  });

test('a drain does not wait for sessions that were seen once', async (t) => {
  const site = await Site.start(t);
  await site.addNode('shop-1', { balancer: 'shop' }, (_, response) => void response.end('hello'));
  for (let i = 0; i < ONCE; i++) await new Visitor(site.proxyPort).get('/');
  await until(async () => (await site.node('shop-1'))?.sessionsSeenOnce === ONCE, 'the sessions are not counted');
  const { code, stderr } = await site.cli('drain', 'shop-1', '--yes', '--wait');
  assert.deepEqual([code, /shop-1: empty/.test(stderr)], [0, true], stderr);
});
