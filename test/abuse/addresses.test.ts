/** Rows C51, C56 and C57: valid addresses of nodes, and the two ports that must not be reachable through each other. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, afterEach, before, test } from 'node:test';
import { until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';
import { RawClient } from './client.ts';
import { Target } from './target.ts';

let target: Target;

before(async () => {
  target = await Target.start();
});
after(() => target.close());
afterEach(() => target.assertUnharmed());

/** Ids are used once, because registrations of one id are slowed. */
let registrations = 0;

/** The code with which an agent's registration of `url` is refused; `undefined` when it is accepted. */
async function refusalOf(url: string, more: object = {}): Promise<string | undefined> {
  const agent = await target.agent();
  agent.send({ type: 'register', node: { ...(await target.node(`pointing-${registrations++}`)), url, ...more } });
  const { type, code } = await agent.next();
  if (type === 'registered') {
    agent.send({ type: 'leave' });
    await agent.closed;
  } else agent.close();
  return code;
}

const NEVER = [
  'http://169.254.169.254:80',
  'http://[fe80::1]:80',
  'http://[fd00:ec2::254]:80',
  'http://100.100.100.200:80',
  'http://0.0.0.0:3000',
  'http://[::]:3000',
  'http://255.255.255.255:80',
  'http://224.0.0.1:80',
  'http://[64:ff9b::a9fe:a9fe]:80',
  'http://[::ffff:a9fe:a9fe]:80',
];
const NO_ADDRESS = [
  'http://2130706433:80',
  'http://0x7f.1:80',
  'http://0177.0.0.1:80',
  'http://127.1:80',
  'http://10.0.0.5',
  'http://10.0.0.5:0',
  'http://10.0.0.5:65536',
  'http://10.0.0.5:-1',
  'http://10.0.0.5:80 ',
  'http://10.0.0.5:080',
  'http://10.0.0.5:8e1',
  'http://user@10.0.0.5:80',
  'http://10.0.0.5:80/path',
  'http://10.0.0.5:80?x',
  'http://10.0.0.5:80#x',
  'http://10.0.0.5:80\r\nHost: x',
  'http://10.0.0.5\\@127.0.0.1:80',
  'ftp://10.0.0.5:21',
  'file:///etc/passwd',
  'unix:/run/x.sock',
  'javascript:1',
  '//10.0.0.5:80',
  'http://１０.0.0.5:80',
  'http://[::1%25eth0]:80',
];

test('C56: link-local, metadata, unspecified, multicast and translated addresses are no nodes', async () => {
  for (const url of NEVER) assert.equal(await refusalOf(url), 'bad-address', url);
  for (const url of NEVER) {
    const body = { balancer: 'attack', url, hosts: ['attack.test'] };
    const { status } = await target.site.admin('PUT', '/v1/nodes/pointing', body);
    assert.equal(status, 400, `an operator adds ${url}`);
  }
});

test('C56: odd spellings of addresses and ports are no addresses', async () => {
  for (const url of NO_ADDRESS) assert.equal(await refusalOf(url), 'bad-address', url);
});

test('C56: an address other than the peer’s own is no node', async () => {
  for (const url of ['http://10.0.0.5:3000', 'http://192.0.2.1:80', 'http://[2001:db8::1]:80'])
    assert.equal(await refusalOf(url), 'bad-address', url);
});

test('C56: the ports of Rollcall itself are no nodes, under any address of this machine', async () => {
  const ports = [target.site.proxyPort, Number(new URL(target.site.controlUrl).port)];
  for (const port of ports)
    for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]'])
      assert.equal(await refusalOf(`http://${host}:${port}`), 'bad-address', `${host}:${port}`);
});

test('C56: a redirect of a node is passed to the client and not followed by the probe', async () => {
  const asked: string[] = [];
  const secret = await target.program((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.end('secret');
  });
  const node = await target.node('redirecting');
  const url = await target.program((_, response) => response.writeHead(302, { location: `${secret}/x` }).end());
  const agent = await target.agent();
  await agent.register({ ...node, url, readyPath: '/ready' });
  agent.send({ type: 'heartbeat' });
  await until(async () => (await target.resource('redirecting'))?.liveness === 'up', 'not up');
  await target.site.isCurrent();
  assert.equal((await target.visit('attack.test')).status, 302);
  assert.deepEqual(asked, []);
  agent.send({ type: 'leave' });
  await agent.closed;
});

test('C57: a ready path that is no plain path is refused', async () => {
  const { url } = await target.node('pointing');
  for (const readyPath of [
    'http://evil.test/',
    'evil',
    '',
    '/ok\r\nHost: evil.test',
    '/a b',
    '/\u0000',
    '/ü',
    `/${'x'.repeat(256)}`,
    `/${'x'.repeat(10_240)}`,
  ])
    assert.equal(await refusalOf(String(url), { readyPath }), 'bad-field', JSON.stringify(readyPath));
});

test('C57: a ready path of two slashes is asked of the node itself', async () => {
  const lines: string[] = [];
  const server = net.createServer((socket) => {
    let head = '';
    socket.on('error', () => undefined);
    socket.on('data', (octets: Buffer) => {
      head += octets.toString('latin1');
      // No answer to OPTIONS *, so that the ready path is asked for.
      if (head.startsWith('HEAD')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      else socket.destroy();
      lines.push(head);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const agent = await target.agent();
  await agent.register({
    ...(await target.node('slashes')),
    url: `http://127.0.0.1:${port}`,
    readyPath: '//evil.test/',
    proves: true,
    instance: 'a'.repeat(32),
  });
  const beats = setInterval(() => agent.send({ type: 'heartbeat' }), 500);
  await until(async () => (await target.resource('slashes'))?.liveness === 'up', 'not up');
  clearInterval(beats);
  for (const head of lines) {
    assert.match(head, new RegExp(`\\r\\nhost: 127\\.0\\.0\\.1:${port}\\r\\n`, 'i'));
    assert.match(head, /^(OPTIONS \*|HEAD \/\/evil\.test\/) HTTP\/1\.1/);
  }
  agent.send({ type: 'leave' });
  await agent.closed;
  server.close();
});

test('C51: the admin API is not reached through the site’s port, nor the site through the control port', async () => {
  const { host: control } = new URL(target.site.controlUrl);
  for (const [line, host] of [
    ['GET /v1/nodes', control],
    [`GET ${target.site.controlUrl}/v1/nodes`, control],
    [`GET ${target.site.controlUrl}/v1/nodes`, 'bystander.test'],
    ['GET /livez', control],
    ['GET /balancer-manager', 'localhost'],
  ]) {
    const client = await RawClient.connect(target.site.proxyPort);
    const fields = `Host: ${host}\r\nAuthorization: Bearer ${target.adminToken()}\r\nConnection: close`;
    client.send(`${line} HTTP/1.1\r\n${fields}\r\n\r\n`);
    await client.ended();
    assert.doesNotMatch(client.received.toString('latin1'), /"nodes"|balancer-manager|\bok\b/i, line);
    assert.notEqual(client.status, 0, line);
    client.close();
  }
  const visitor = new Visitor(Number(new URL(target.site.controlUrl).port), { host: 'bystander.test' });
  const { status, body } = await visitor.get('/');
  visitor.close();
  assert.notEqual(body, 'bystander');
  assert.ok(status >= 400, String(status));
});

test('C51: a request that has passed this proxy before gets 508', async () => {
  let via: string | undefined;
  const url = await target.program((request, response) => {
    // Probes carry none.
    via ??= request.headers.via;
    response.end('seen');
  });
  const agent = await target.agent();
  await agent.register({ ...(await target.node('loop')), url });
  agent.send({ type: 'heartbeat' });
  await until(async () => (await target.visit('attack.test')).body === 'seen', 'not served');
  assert.ok(via, 'the node sees Via');
  const visitor = new Visitor(target.site.proxyPort, { host: 'attack.test' });
  assert.equal((await visitor.get('/', { headers: { via } })).status, 508);
  visitor.close();
  agent.send({ type: 'leave' });
  await agent.closed;
});
