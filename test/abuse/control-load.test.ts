/** The control port under load: requests of unauthorized clients are bounded, and operators and agents are served. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AGENT_PATH, AGENT_SUBPROTOCOL } from '@rollcall/protocol';
import { WebSocket } from 'ws';
import { Site, until } from '../site/site.ts';

const MEMBERS = 400;
const CLIENTS = 60;
const VIEWERS = 120;
/** Requests of one connection: the system buffers some MB of their answers. */
const PIPELINED = 6;
/** All answers that wait to be read, bytes. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;

/** Registers members with long contexts, so that their list has about 2 MB. */
async function addMembers(t: TestContext, site: Site): Promise<void> {
  const server = http.createServer((_, response) => response.end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const contexts = Array.from({ length: 16 }, (_, i) => `/${i}${'x'.repeat(200)}`);
  for (let i = 0; i < MEMBERS; i += 25) {
    const puts = Array.from({ length: 25 }, (_, k) =>
      site.admin('PUT', `/v1/nodes/m${i + k}`, { balancer: 'shop', url, contexts }),
    );
    assert.deepEqual(new Set((await Promise.all(puts)).map(({ status }) => status)), new Set([200]));
  }
}

function adminToken(site: Site): string {
  return readFileSync(join(site.stateDir, 'admin-token'), 'utf8').trim();
}

/** A connection to the control port that is closed with the test. */
async function connection(t: TestContext, site: Site): Promise<Socket> {
  const { hostname, port } = new URL(site.controlUrl);
  const socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

async function metric(site: Site, name: string): Promise<number> {
  const headers = { authorization: `Bearer ${adminToken(site)}` };
  const text = await (await fetch(`${site.controlUrl}/metrics`, { headers })).text();
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

/** An operator and a joiner are served now. */
async function isServed(site: Site): Promise<void> {
  assert.equal((await site.admin('POST', '/v1/nodes/m0/drain', { reason: 'served', force: true })).status, 200);
  assert.equal((await site.admin('POST', '/v1/nodes/m0/enable', {})).status, 200);
  assert.equal((await fetch(`${site.controlUrl}/livez`)).status, 200);
}

test('attack 10: the answers to clients that ask for a large list and never read are bounded and closed', {
  timeout: 240_000,
}, async (t) => {
  const site = await Site.start(t);
  await addMembers(t, site);
  const ask = `GET /v1/nodes HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${adminToken(site)}\r\n\r\n`;
  const closed = (): Promise<number> => metric(site, 'rollcall_unread_answers_closed_total');
  let most = 0;
  for (let i = 0; i < CLIENTS; i++) {
    const client = await connection(t, site);
    client.write(ask.repeat(PIPELINED));
    if (i % 10 === 9) most = Math.max(most, await metric(site, 'rollcall_unread_answer_bytes'));
  }
  await isServed(site);
  // control-load.long.test.ts tests that a connection that is not read for 10 s is closed as well.
  await until(async () => (await closed()) >= CLIENTS / 3, 'clients that do not read are not closed');
  most = Math.max(most, await metric(site, 'rollcall_unread_answer_bytes'));
  assert.ok(most > 0 && most <= MAX_UNREAD_BYTES, `${most} bytes wait`);
  await isServed(site);
});

test('attack 10: clients without a token cannot take all event streams', { timeout: 120_000 }, async (t) => {
  const site = await Site.start(t);
  const statuses = new Map<number, number>();
  const open = async (headers: Record<string, string>): Promise<number> => {
    const request = http.get(`${site.controlUrl}/v1/events`, { headers: { accept: 'text/event-stream', ...headers } });
    t.after(() => request.destroy());
    request.on('error', () => undefined);
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.on('error', () => undefined).resume();
    return response.statusCode!;
  };
  for (let i = 0; i < VIEWERS; i++) {
    const status = await open({});
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  assert.deepEqual(Object.fromEntries(statuses), { 200: 50, 429: 70 });
  assert.equal(await open({ authorization: `Bearer ${adminToken(site)}` }), 200);
});

test('attack 10: clients without a token that read in loops are refused before operators, joiners and health checks', {
  timeout: 240_000,
}, async (t) => {
  const site = await Site.start(t);
  await addMembers(t, site);
  let isOver = false;
  const refusals: (string | null)[] = [];
  const loops = Array.from({ length: 10 }, async () => {
    while (!isOver) {
      const response = await fetch(`${site.controlUrl}/v1/nodes`);
      await response.arrayBuffer();
      if (response.status === 429) refusals.push(response.headers.get('retry-after'));
      else assert.equal(response.status, 200);
    }
  });
  try {
    await until(() => refusals.length >= 10, 'no read without a token is refused');
    for (let i = 0; i < 10; i++) await isServed(site);
    const lease = {
      url: `http://127.0.0.1:${site.proxyPort + 1}`,
      balancer: 'other',
      contexts: ['/other'],
      ttlMs: 60_000,
    };
    const put = await fetch(`${site.controlUrl}/v1/nodes/joiner`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(lease),
    });
    assert.equal(put.status, 200, await put.text());
  } finally {
    isOver = true;
    await Promise.all(loops);
  }
  assert.ok(refusals.every((seconds) => Number(seconds) >= 1 && Number(seconds) <= 11));
});

test('attack 17, C32: an agent that floods with 100 heartbeats a second is closed, and another one is not', {
  timeout: 120_000,
}, async (t) => {
  const site = await Site.start(t);
  const agent = async (id: string, port: number): Promise<WebSocket> => {
    const socket = new WebSocket(`${site.controlUrl.replace('http', 'ws')}${AGENT_PATH}`, [AGENT_SUBPROTOCOL]);
    t.after(() => socket.terminate());
    socket.on('error', () => undefined);
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'register', node: { id, balancer: 'shop', url: `http://127.0.0.1:${port}` } }));
    await once(socket, 'message');
    return socket;
  };
  const other = await agent('other', 5_001);
  const flooding = await agent('flooding', 5_002);
  let code: number | undefined;
  flooding.once('close', (closeCode) => {
    code = closeCode;
  });
  for (let i = 0; code === undefined && i < 400; i++) {
    for (let k = 0; k < 10; k++) flooding.send('{"type":"heartbeat"}');
    if (i % 10 === 0) other.send('{"type":"heartbeat"}');
    // The rate is the subject of the test.
    await sleep(100);
  }
  assert.equal(code, 1008);
  assert.equal(other.readyState, WebSocket.OPEN);
});
