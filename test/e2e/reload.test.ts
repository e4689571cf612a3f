/** `rollcall reload` and SIGHUP: workers are replaced under load, by others with new settings, and nobody notices. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { StatusResource } from '@rollcall/protocol';
import { Site, until } from '../site/site.ts';

const CLIENTS = 32;
const RELOADS = 3;

/** Answers after a moment, so that requests are under way at any time. */
function slowly(_: http.IncomingMessage, response: http.ServerResponse): void {
  setTimeout(() => response.end('whole'), 5);
}

interface Load {
  readonly requests: number;
  readonly failures: string[];
  /** The longest that one request took, milliseconds. */
  readonly slowestMs: number;
}

/** Clients that ask one request after another on kept-alive connections until `end` is called. */
function startLoad(port: number): { readonly end: () => Promise<Load> } {
  const load = { requests: 0, failures: [] as string[], slowestMs: 0 };
  let isOver = false;
  const agents: http.Agent[] = [];
  const ask = (agent: http.Agent, method: string): Promise<void> =>
    new Promise((resolve) => {
      const sentMs = performance.now();
      const request = http.request({ host: '127.0.0.1', port, method, agent, path: '/work' }, (response) => {
        let text = '';
        response.on('data', (octets: Buffer) => {
          text += octets.toString();
        });
        response.on('close', () => {
          load.requests++;
          load.slowestMs = Math.max(load.slowestMs, performance.now() - sentMs);
          if (response.statusCode !== 200 || text !== 'whole') load.failures.push(`${response.statusCode} ${text}`);
          resolve();
        });
      });
      request.on('error', (error) => {
        load.failures.push(`${method}: ${error.message}`);
        resolve();
      });
      request.end(method === 'POST' ? 'body' : undefined);
    });
  const clients = Array.from({ length: CLIENTS }, async (_, i) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    agents.push(agent);
    while (!isOver) await ask(agent, i % 2 === 0 ? 'GET' : 'POST');
  });
  return {
    async end() {
      isOver = true;
      await Promise.all(clients);
      for (const agent of agents) agent.destroy();
      return load;
    },
  };
}

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
  test(`${RELOADS} reloads of ${count} worker(s) under load: no request fails, an upgraded connection goes on`, async (t) => {
    const site = await Site.start(t, { flags: ['--workers', String(count)] });
    for (const id of ['first', 'second']) {
      const { server } = await site.addNode(id, { balancer: 'shop' }, slowly);
      server.on('upgrade', (_, socket) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
        socket.pipe(socket);
      });
    }
    const tunnel = await openTunnel(t, site.proxyPort);
    const load = startLoad(site.proxyPort);
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
  });
}

test('a worker that is killed leaves no connection refused, and the others go on', async (t) => {
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

test('new settings are used, bad ones are refused and change nothing', async (t) => {
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
  await refused({ healthPath: '/two', workers: '2' }, /--workers cannot change while rollcall runs: start it again/);
  await refused({ healthPath: '/two', limit: ['connections=0'] }, /--limit connections=0: maxConnections is 0/);

  write({ healthPath: '/four' });
  site.signalUp('SIGHUP');
  await until(async () => (await body('/four')) === 'ok\n', 'SIGHUP does nothing');
});
