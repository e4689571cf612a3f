/** Rows C44, C47, C49, C50 and C55: rights of tokens, and rights without one. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { AGENT_SUBPROTOCOL } from '@rollcall/protocol';
import { until } from '../site/site.ts';
import { RawClient } from './client.ts';
import { Target, withTokens } from './target.ts';

const JOIN = 'join-token-0123456789';
const VIEWER = 'viewer-token-0123456789';
const OPERATOR = 'operator-token-0123456789';
const PROXY = 'proxy-token-0123456789';

let target: Target;

before(async () => {
  target = await Target.start({
    prepare: withTokens([
      { name: 'nodes', role: 'join', token: JOIN },
      { name: 'viewers', role: 'viewer', token: VIEWER },
      { name: 'operators', role: 'operator', token: OPERATOR },
      { name: 'workers', role: 'proxy', token: PROXY },
    ]),
    token: JOIN,
  });
});
after(() => target.close());
afterEach(() => target.assertUnharmed());

/** Status of a request with `token`; without one where it is `undefined`. */
async function ask(method: string, path: string, token: string | undefined, body?: object): Promise<number> {
  const response = await fetch(target.site.controlUrl + path, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
    redirect: 'manual',
  });
  await response.body?.cancel();
  return response.status;
}

test('C44: a token in the address is no token, neither of an agent nor of a request', async () => {
  for (const name of ['token', 'access_token', 'authorization'])
    for (const path of [`/v1/agent?${name}=${JOIN}`, `/v1/agent?${name}=Bearer%20${JOIN}`])
      assert.match(await target.upgradeRefusal({ path }), /^HTTP 40[14]$/, path);
  const address = new URL(target.site.controlUrl);
  address.username = 'x';
  address.password = JOIN;
  for (const [path, method] of [
    [`/v1/nodes/bystander/drain?token=${target.adminToken()}`, 'POST'],
    [`/v1/nodes/bystander?access_token=${target.adminToken()}`, 'DELETE'],
  ] as const)
    assert.equal(await ask(method, path, undefined, {}), 401, path);
  assert.ok(!target.site.log.includes(target.adminToken()));
  assert.ok(!JSON.stringify(target.audit()).includes(target.adminToken()));
});

test('C47: without a join token `up` refuses to let agents in from beyond loopback', async () => {
  for (const [flag, address] of [
    ['--control', '0.0.0.0:0'],
    ['--agents', '[::]:0'],
  ] as const) {
    const ports = ['--proxy', '127.0.0.1:0', '--control', '127.0.0.1:0', '--store', 'memory'];
    const directory = ['--state-dir', `${target.site.directory}/open${flag}`];
    const { code, stderr } = await target.site.bareCli('up', ...ports, ...directory, flag, address);
    assert.notEqual(code, 0, flag);
    assert.match(stderr, /ROLLCALL_JOIN_TOKEN|--token-dir/);
  }
});

test('C49: each role has its own rights and gets 403 for all others', async () => {
  const put = { balancer: 'attack', hosts: ['attack.test'], ttlMs: 60_000 };
  const rows: readonly (readonly [method: string, path: string, body: object | undefined, allowed: string])[] = [
    ['GET', '/v1/status', undefined, 'viewer operator'],
    ['GET', '/v1/nodes', undefined, 'viewer operator'],
    ['GET', '/metrics', undefined, 'viewer operator'],
    ['PUT', '/v1/nodes/by-ROLE', put, 'join operator'],
    ['POST', '/v1/nodes/by-join/drain', { force: true }, 'operator'],
    ['PATCH', '/v1/nodes/by-join', { weight: 2 }, 'operator'],
    ['PATCH', '/v1/balancers/attack', { retries: 1 }, 'operator'],
    ['DELETE', '/v1/nodes/by-join', { force: true }, 'operator'],
  ];
  const tokens = { join: JOIN, viewer: VIEWER, operator: OPERATOR, proxy: PROXY };
  for (const [method, path, body, allowed] of rows)
    for (const [role, token] of Object.entries(tokens)) {
      const expected = allowed.split(' ').includes(role) ? 200 : 403;
      const filled = body === put ? { ...put, url: await target.program() } : body;
      assert.equal(await ask(method, path.replace('ROLE', role), token, filled), expected, `${role} ${method} ${path}`);
    }
});

test('C49: the agents’ socket is for join tokens, the feed for proxy tokens', async () => {
  const admin = target.adminToken();
  for (const token of [VIEWER, OPERATOR, PROXY, admin])
    assert.equal(await target.upgradeRefusal({ token }), 'HTTP 403', token);
  const feed = { path: '/v1/feed', subprotocol: 'rollcall.feed.v1' };
  for (const token of [JOIN, VIEWER, OPERATOR, admin])
    assert.equal(await target.upgradeRefusal({ token, ...feed }), 'HTTP 403', token);
  assert.equal(await target.upgradeRefusal({}), 'HTTP 401');
  assert.equal(await target.upgradeRefusal({ token: 'unknown-token-0123456789' }), 'HTTP 401');
});

/** Requests for a verb that needs a token, spelled so that a check by text would miss it. */
const SPELLINGS = [
  '//v1/nodes/bystander/drain',
  '/v1//nodes/bystander/drain',
  '/v1/nodes/bystander/drain/',
  '/V1/nodes/bystander/drain',
  '/v1/nodes/bystander/DRAIN',
  '/v1/./nodes/bystander/drain',
  '/livez/../v1/nodes/bystander/drain',
  '/livez/..;/v1/nodes/bystander/drain',
  '/livez;/v1/nodes/bystander/drain',
  '/%76%31/nodes/bystander/drain',
  '/v1/nodes/bystander%2fdrain',
  '/v1/nodes/bystander/drain%2f',
  '/v1/nodes/bystander/drain%00',
  '/v1/nodes/bystander/drain?x=/livez',
  '/v1/nodes/bystander/drain#/livez',
  '\\v1\\nodes\\bystander\\drain',
  'http://127.0.0.1/v1/nodes/bystander/drain',
  '/livez%2f..%2fv1/nodes/bystander/drain',
];
const OVERRIDES: Readonly<Record<string, string>> = {
  'X-Original-URL': '/v1/nodes/bystander/drain',
  'X-Rewrite-URL': '/v1/nodes/bystander/drain',
  'X-HTTP-Method-Override': 'POST',
  'X-Forwarded-Host': 'localhost',
  'X-Forwarded-For': '127.0.0.1',
  'X-Real-IP': '127.0.0.1',
};

/** Status of a request of bare octets; 0 when the connection ends without an answer. */
async function rawStatus(head: string): Promise<number> {
  const client = await RawClient.connect(Number(new URL(target.site.controlUrl).port));
  client.send(head);
  await until(() => client.received.includes('\r\n\r\n') || client.isEnded || client.socket.readableEnded, 'no answer');
  client.close();
  return client.status;
}

test('C50: no spelling of a path, no method and no field gets by the check of the role', async () => {
  const { host } = new URL(target.site.controlUrl);
  const fields = `Host: ${host}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n`;
  for (const path of SPELLINGS) {
    const status = await rawStatus(`POST ${path} HTTP/1.1\r\n${fields}\r\n{}`);
    assert.ok([0, 400, 401, 403, 404, 414].includes(status), `${path}: ${status}`);
  }
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'PATCH', 'CONNECT', 'post', 'MOVE']) {
    const status = await rawStatus(`${method} /v1/nodes/bystander/drain HTTP/1.1\r\n${fields}\r\n{}`);
    assert.ok([0, 400, 401, 403, 404, 405].includes(status), `${method}: ${status}`);
  }
  for (const [name, value] of Object.entries(OVERRIDES))
    for (const line of ['GET /livez', 'GET /v1/nodes', 'POST /v1/nodes/bystander/drain']) {
      const status = await rawStatus(`${line} HTTP/1.1\r\n${fields}${name}: ${value}\r\n\r\n{}`);
      if (line.startsWith('POST')) assert.equal(status, 401, name);
    }
  assert.equal((await target.resource('bystander'))?.status, 'enabled');
});

test('C55: an upgrade without a version in common gets 426 with the versions that are spoken', async () => {
  const { host, port } = new URL(target.site.controlUrl);
  const key = 'AAAAAAAAAAAAAAAAAAAAAA==';
  for (const protocol of ['', 'rollcall.v0', 'rollcall.v999', 'ROLLCALL.V1', 'rollcall.v1x', 'graphql-ws, soap']) {
    const client = await RawClient.connect(Number(port));
    const fields = [
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${key}`,
    ];
    if (protocol !== '') fields.push(`Sec-WebSocket-Protocol: ${protocol}`);
    fields.push(`Host: ${host}`, `Authorization: Bearer ${JOIN}`);
    client.send(`GET /v1/agent HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`);
    await client.ended();
    assert.equal(client.status, 426, protocol);
    assert.ok(client.received.includes(AGENT_SUBPROTOCOL), protocol);
    client.close();
  }
  const agent = await target.agent({ token: JOIN, subprotocol: AGENT_SUBPROTOCOL });
  assert.equal(agent.socket.protocol, AGENT_SUBPROTOCOL);
  agent.close();
});
