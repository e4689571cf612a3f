/** A node whose address is, or later resolves to, a listener of the coordinator itself. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { NodeResource, Problem } from '@rollcall/protocol';
import { Site, until } from '../site/site.ts';

const PRIVATE_DNS = fileURLToPath(new URL('programs/private-dns.mjs', import.meta.url));

/** Names that a test can change while the site runs. */
function privateDns(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-names-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'names.json');
  const set = (names: Readonly<Record<string, readonly string[]>>): void => writeFileSync(file, JSON.stringify(names));
  set({});
  return { set, environment: { NODE_OPTIONS: `--import=${PRIVATE_DNS}`, ROLLCALL_TEST_NAMES: file } };
}

/** A program at an address; ends with the test. */
async function program(t: TestContext, host: string, port: number): Promise<number> {
  const server = http.createServer((_, response) => response.setHeader('connection', 'close').end('the program'));
  server.listen(port, host);
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function textOf(url: string): Promise<string> {
  const response = await fetch(url);
  return `${response.status} ${await response.text()}`;
}

test('C56: a name that comes to be the control port reaches nothing there', { timeout: 300_000 }, async (t) => {
  const dns = privateDns(t);
  const site = await Site.start(t, { flags: ['--store', 'memory'], environment: dns.environment });
  const port = Number(new URL(site.controlUrl).port);
  // The control port is on 127.0.0.1 alone: the same port of another loopback address is free.
  await program(t, '127.0.0.2', port);
  dns.set({ 'app.test': ['127.0.0.2'] });
  await site.put('n1', { balancer: 'shop', url: `http://app.test:${port}` as NodeResource['url'] });
  const page = `http://127.0.0.1:${site.proxyPort}/livez`;
  await until(async () => (await textOf(page)) === '200 the program', 'the program is not served');

  for (const address of ['127.0.0.1', '169.254.169.254', '0.0.0.0']) {
    dns.set({ 'app.test': [address] });
    const answer = await textOf(page);
    assert.match(answer, /^50[234] /, address);
  }
  await until(async () => {
    const node = await site.node('n1');
    return node?.warnings.some(({ code, message }) => code === 'bad-address' && /app\.test/.test(message)) ?? false;
  }, 'the node has no warning of its address');
  assert.match(site.log, /n1 is not connected to/);
  const event = /does not connect to node n1: app\.test is 127\.0\.0\.1, which at port \d+ is a listener/;
  // A command has a time limit of 5 s, which a slow machine may exceed.
  await until(async () => event.test((await site.cli('events')).stdout), 'no event names the address');
  await until(
    async () => (await site.cli('explain', 'n1')).stdout.includes('app.test is '),
    'the explanation does not name the address',
  );

  dns.set({ 'app.test': ['127.0.0.2'] });
  await until(async () => (await textOf(page)) === '200 the program', 'the program is not served again');
});

for (const form of ['redis://HOST', 'redis-sentinel://127.0.0.1:1,HOST#main', 'redis-cluster://127.0.0.1:1,HOST'])
  test(`C56: listeners of Rollcall and its Redis are refused as nodes, ${form}`, {
    timeout: 300_000,
  }, async (t) => {
    const redis = net.createServer((socket) => socket.on('error', () => undefined).resume());
    redis.listen(0, '127.0.0.1');
    await once(redis, 'listening');
    t.after(() => redis.close());
    const redisPort = (redis.address() as AddressInfo).port;
    const dns = privateDns(t);
    dns.set({ 'redis.test': ['127.0.0.1'], 'many.test': ['127.0.0.2', '169.254.169.254'] });
    const flags = ['--store', form.replace('HOST', `redis.test:${redisPort}`)];
    const site = await Site.start(t, { flags, environment: dns.environment });
    const controlPort = Number(new URL(site.controlUrl).port);
    for (const [url, why] of [
      [`http://127.0.0.1:${redisPort}`, /listener of Rollcall/],
      [`http://redis.test:${redisPort}`, /listener of Rollcall/],
      [`http://[::ffff:127.0.0.1]:${redisPort}`, /listener of Rollcall/],
      [`http://127.0.0.1:${controlPort}`, /listener of Rollcall/],
      [`http://localhost:${site.proxyPort}`, /listener of Rollcall/],
      ['http://many.test:80', /link-local/],
      ['http://0.0.0.0:80', /unspecified/],
      ['http://[::]:80', /unspecified/],
      ['http://169.254.169.254:80', /link-local/],
      ['http://2130706433:80', /url/],
      ['http://127.1:80', /url/],
    ] as const) {
      const { status, body } = await site.admin<Problem>('PUT', '/v1/nodes/n1', { balancer: 'shop', url });
      assert.equal(status, 400, url);
      assert.match(body.detail, why, url);
    }
  });

test('C56: a member of the store that is the control port by now is refused by name', {
  timeout: 300_000,
}, async (t) => {
  const site = await Site.start(t);
  const server = http.createServer((_, response) => response.setHeader('connection', 'close').end('the program'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await site.put('n1', { balancer: 'shop', url: `http://127.0.0.1:${port}` as NodeResource['url'] });
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  await site.restart(['--control', `127.0.0.1:${port}`]);
  assert.equal(new URL(site.controlUrl).port, String(port));
  await until(async () => {
    const node = await site.node('n1');
    return node?.warnings.some(({ code, message }) => code === 'bad-address' && /listener/.test(message)) ?? false;
  }, 'the node has no warning of its address');
  const answer = await textOf(`http://127.0.0.1:${site.proxyPort}/livez`);
  assert.match(answer, /^50[234] /);
});
