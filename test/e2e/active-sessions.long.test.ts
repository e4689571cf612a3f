/** Sessions that several workers count together: distinct, also after the end of a worker, down to the last one. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { NodeResource, StatusResource } from '@rollcall/protocol';
import { startUp, type Up, until } from './up.ts';

const SESSIONS = 120;

describe('active sessions over two workers', () => {
  let up: Up;
  let second: Awaited<ReturnType<Up['worker']>>;

  before(async () => {
    up = await startUp();
    second = await up.worker('other-1');
    await until(async () => (await status()).workers.length === 2, 'two workers');
  });

  after(() => up.close());

  test('a session at both workers counts once, and a drain keeps it through the death of a worker', async (t) => {
    await up.member('shop-1', 'shop', await program(t));
    let lastCookie = '';
    for (let i = 0; i < SESSIONS; i++) {
      lastCookie = await ask(i % 2 === 0 ? up.proxyUrl : second.url, 'shop');
      await ask(up.proxyUrl, 'shop', lastCookie);
      if (i % 3 === 0) await ask(second.url, 'shop', lastCookie);
    }
    await until(async () => {
      const { sessions, newSessions } = await node('shop-1');
      return sessions === SESSIONS && newSessions === SESSIONS;
    }, `${SESSIONS} sessions`);
    assert.equal((await node('shop-1')).sessionsFrom, 'workers');
    const { workers } = await status();
    assert.match(await up.command('nodes', '--wide'), new RegExp(`shop-1 .* ${SESSIONS} +workers `));

    await up.api('POST', '/v1/nodes/shop-1/drain', { force: true });
    const first = workers.find(({ worker }) => worker !== 'other-1')!;
    process.kill(first.pid, 'SIGKILL');
    second.process.kill('SIGKILL');
    await until(async () => {
      const { workers: now } = await status();
      return now.length === 1 && now[0]!.pid !== first.pid && now[0]!.isCurrent;
    }, 'another worker replaces the first');
    const { requests } = (await node('shop-1')).observed;
    await ask(up.proxyUrl, 'shop', lastCookie);
    await until(async () => (await node('shop-1')).observed.requests > requests, 'counters of the new worker');
    const { drain } = await node('shop-1');
    assert.equal(drain?.sessionsLeft, SESSIONS);
    assert.equal(drain.isDone, false);
    assert.ok(drain.oldestSessionMs! > 0);
    assert.match(await up.command('nodes'), new RegExp(`${SESSIONS} sessions \\(the oldest for at least `));

    // The sessions end when they have been idle for long enough, and the drain with them.
    await up.api('PATCH', '/v1/balancers/shop', { sessionIdleMs: 1_000 });
    await until(async () => (await node('shop-1')).drain?.isDone === true, 'the end of the drain');
    assert.equal((await node('shop-1')).sessions, 0);
  });

  test('the number that a node reports is used, and every view names this source', async (t) => {
    const url = await program(t);
    await up.member('told-1', 'told', url, { sessions: 7 });
    for (let i = 0; i < 3; i++) await ask(up.proxyUrl, 'told');
    await until(async () => (await node('told-1')).newSessions === 3, 'the counters');
    const { sessions, sessionsSeenOnce, sessionsFrom } = await node('told-1');
    assert.deepEqual([sessions, sessionsSeenOnce, sessionsFrom], [4, 3, 'node']);
    assert.match(await up.command('nodes', '--wide'), /told-1 .* 4 +node +3 /);
  });

  function node(id: string): Promise<NodeResource> {
    return up.api('GET', `/v1/nodes/${id}`);
  }

  function status(): Promise<StatusResource> {
    return up.api('GET', '/v1/status');
  }

  /** One request on a separate connection; resolves with the cookie that it got, or sent. */
  function ask(url: string, balancer: string, cookie = ''): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = { host: `${balancer}.test`, connection: 'close', ...(cookie !== '' && { cookie }) };
      const sent = httpRequest(url, { agent: false, headers }, (response) => {
        response.resume();
        response.on('end', () => {
          if (response.statusCode === 200) resolve(response.headers['set-cookie']?.[0]?.split(';')[0] ?? cookie);
          else reject(new Error(`answered ${response.statusCode}`));
        });
      });
      sent.on('error', reject);
      sent.end();
    });
  }
});

async function program(t: TestContext): Promise<string> {
  const server = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
