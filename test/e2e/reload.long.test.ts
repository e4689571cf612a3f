/** `rollcall reload` and SIGHUP: workers are replaced under load by workers with new settings, without a failed request. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { StatusResource } from '@rollcall/protocol';
import { Site, until } from '../site/site.ts';
import { slowly, startLoad } from './reload-load.ts';

const RELOADS = 3;

async function workers(site: Site): Promise<StatusResource['workers']> {
  return (await site.admin<StatusResource>('GET', '/v1/status')).body.workers;
}

/** A connection that was upgraded at a node which echoes. */
async function openTunnel(
  t: TestContext,
  port: number,
): Promise<{ echo(text: string): Promise<void>; socket: net.Socket }> {
  const socket = net.connect({ port, host: '127.0.0.1' });
  t.after(() => socket.destroy());
  let seen = '';
  socket.on('data', (octets) => {
    seen += octets.toString();
  });
  socket.write(
    'GET /echo HTTP/1.1\r\nHost: site\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  );
  await until(() => seen.includes('\r\n\r\n'), 'no upgrade');
  assert.match(seen, /^HTTP\/1\.1 101 /);
  return {
    socket,
    async echo(text) {
      seen = '';
      socket.write(text);
      await until(() => seen === text, `no echo of ${text}`);
    },
  };
}

for (const count of [1, 2]) {
  test(`${RELOADS} reloads of ${count} worker(s) under load: no request fails, an upgraded connection continues`, async (t) => {
    const site = await Site.start(t, { flags: ['--workers', String(count)] });
    for (const id of ['first', 'second']) {
      const { server } = await site.addNode(id, { balancer: 'shop' }, slowly);
      server.on('upgrade', (_, socket) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
        socket.pipe(socket);
      });
    }
    const tunnel = await openTunnel(t, site.proxyPort);
    const load = startLoad(t, site.proxyPort);
    const seen = new Set((await workers(site)).map(({ pid }) => pid));
    for (let i = 0; i < RELOADS; i++) {
      const { code, stdout, stderr } = await site.cli('reload');
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, /serve/);
      await site.isCurrent();
      for (const { pid } of await workers(site)) seen.add(pid);
      await tunnel.echo(`after reload ${i}`);
    }
    const { requests, failures, slowestMs } = await load.end();
    t.diagnostic(`${count} worker(s): ${requests} requests, slowest ${Math.round(slowestMs)} ms`);
    assert.deepEqual(failures, []);
    assert.ok(requests > 100);
    assert.equal(seen.size, count * (RELOADS + 1), 'every reload brought new processes');

    tunnel.socket.end();
    await once(tunnel.socket, 'close');
    await until(async () => (await workers(site)).length === count, 'old workers do not end');
    const status = (await site.admin<StatusResource>('GET', '/v1/status')).body;
    const listed = status.processes.filter(({ name }) => name.startsWith('worker'));
    assert.deepEqual(new Set(listed.map(({ pid }) => pid)), new Set(status.workers.map(({ pid }) => pid)));
    assert.ok(
      listed.every(({ restarts }) => restarts === 0),
      'a reload counts as a restart',
    );
  });
}

test('a worker that is killed leaves no connection refused, and the others continue', async (t) => {
  const site = await Site.start(t, { flags: ['--workers', '2'] });
  await site.addNode('first', { balancer: 'shop' }, slowly);
  const counts = async (): Promise<number[]> => (await workers(site)).map(({ requests }) => requests);
  const ask = async (): Promise<number> => {
    const response = await fetch(`http://127.0.0.1:${site.proxyPort}/`, { headers: { connection: 'close' } });
    await response.text();
    return response.status;
  };
  await until(async () => {
    for (let i = 0; i < 20; i++) assert.equal(await ask(), 200);
    return (await counts()).every((requests) => requests > 0);
  }, 'one worker gets no connections');
  const [{ pid } = { pid: 0 }] = await workers(site);
  process.kill(pid, 'SIGKILL');
  for (let i = 0; i < 50; i++) assert.equal(await ask(), 200);
  await until(async () => (await workers(site)).length === 2, 'the worker does not come back');
});

test('a command waits for a control process that is restarting', async (t) => {
  const site = await Site.start(t);
  const [, { code, stderr }] = await Promise.all([site.killControl(), site.cli('nodes', '--json')]);
  assert.deepEqual([code, stderr], [0, '']);
});

test('new settings are used, invalid settings are refused and change nothing', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-reload-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const write = (settings: object): void => writeFileSync(join(directory, 'rollcall.json'), JSON.stringify(settings));
  write({ healthPath: '/one' });
  const site = await Site.start(t, { directory });
  await site.addNode('first', { balancer: 'shop' }, slowly);
  const body = async (path: string): Promise<string> =>
    (await fetch(`http://127.0.0.1:${site.proxyPort}${path}`, { headers: { connection: 'close' } })).text();
  assert.deepEqual([await body('/one'), await body('/two')], ['ok\n', 'whole']);

  write({ healthPath: '/two', balancers: { shop: { retries: 5 } } });
  assert.equal((await site.cli('reload')).code, 0);
  assert.deepEqual([await body('/one'), await body('/two')], ['whole', 'ok\n']);
  await until(
    async () => (await site.balancer('shop').catch(() => undefined))?.retries === 5,
    'the balancer keeps its settings',
  );
  await site.isCurrent();

  const refused = async (settings: object, why: RegExp): Promise<void> => {
    write(settings);
    const before = (await workers(site)).map(({ pid }) => pid);
    const { code, stderr } = await site.cli('reload');
    assert.equal(code, 1, stderr);
    assert.match(stderr, why);
    assert.deepEqual(
      (await workers(site)).map(({ pid }) => pid),
      before,
    );
    assert.equal(await body('/two'), 'ok\n');
  };
  await refused({ healthPath: '/two', helthPath: '/three' }, /unknown key "helthPath"; did you mean "healthPath"/);
  await refused(
    { healthPath: '/two', workers: '2' },
    /--workers cannot change while rollcall runs: restart rollcall up/,
  );
  await refused({ healthPath: '/two', limit: ['connections=0'] }, /--limit connections=0: maxConnections is 0/);

  write({ healthPath: '/four' });
  site.signalUp('SIGHUP');
  await until(async () => (await body('/four')) === 'ok\n', 'SIGHUP does nothing');
});
