/** Rows C32, C33, C35, C36 and C40–C42: connections that flood, never register, or all come back at once. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AGENT_SUBPROTOCOL, type NodeResource } from '@rollcall/protocol';
import { Site, until } from '../site/site.ts';
import { AgentClient, frame, OPCODE, RawClient } from './client.ts';
import { Target, withTokens } from './target.ts';

const TOKEN = 'join-token-0123456789';
const NODES = withTokens([{ name: 'nodes', role: 'join', token: TOKEN }]);

let target: Target;

before(async () => {
  target = await Target.start({ prepare: NODES, token: TOKEN });
});
after(() => target.close());
afterEach(() => target.assertUnharmed());

test('C32: the excess of a flood of heartbeats is dropped with too-fast, and the connection closes with 1008', async () => {
  const agent = await target.agent({ token: TOKEN });
  await agent.register(await target.node('flooding'));
  for (let i = 0; i < 2_000; i++) agent.send({ type: 'heartbeat', seq: i + 1, sessions: i + 1 });
  assert.equal(await agent.closed, 1008);
  assert.ok(agent.received.some(({ code }) => code === 'too-fast'));
  const { sessions, liveness } = (await target.resource('flooding'))!;
  assert.ok(sessions < 1_000, `${sessions} of 2,000 heartbeats were taken`);
  assert.notEqual(liveness, 'gone');
});

/** Status and `Retry-After` of an upgrade with these fields. */
async function upgrade(fields: string): Promise<{ readonly status: number; readonly retryAfter: string | undefined }> {
  const { host, port } = new URL(target.site.controlUrl);
  const client = await RawClient.connect(Number(port));
  const key = `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n`;
  const protocol = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: ${AGENT_SUBPROTOCOL}\r\n`;
  client.send(`GET /v1/agent HTTP/1.1\r\nHost: ${host}\r\n${key}${protocol}${fields}\r\n`);
  await until(() => client.received.includes('\r\n\r\n') || client.isEnded, 'no answer');
  const { status, head } = client;
  client.close();
  return { status, retryAfter: /^retry-after: (\d+)\r$/im.exec(head)?.[1] };
}

test('C33: 1,000 connections without credentials are refused one by one, and agents register at the same time', async () => {
  const statuses = new Set<number>();
  const flood = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) {
      const { status, retryAfter } = await upgrade('');
      statuses.add(status);
      if (status === 429 || status === 503) assert.ok(Number(retryAfter) >= 1, 'no Retry-After');
    }
  };
  const floods = Array.from({ length: 50 }, flood);
  const agent = await target.agent({ token: TOKEN });
  await agent.register(await target.node('beside'));
  await Promise.all(floods);
  for (const status of statuses) assert.ok([401, 429, 503].includes(status), String(status));
  assert.ok(agent.isOpen);
  agent.close();
});

test('C36: of connections that send no request the longest idle are closed, and agents and operators are served', async () => {
  const port = Number(new URL(target.site.controlUrl).port);
  const hold = (count: number): Promise<RawClient[]> =>
    Promise.all(Array.from({ length: count }, () => RawClient.connect(port)));
  const clients = await hold(300);
  await sleep(1_100);
  const late = await hold(100);
  await until(() => clients.filter(({ socket }) => socket.readableEnded).length >= 100, 'the longest idle are held');
  assert.ok(late.every(({ socket }) => !socket.readableEnded));
  const agent = await target.agent({ token: TOKEN });
  await agent.register(await target.node('beside-silence'));
  assert.match(await target.site.metrics(), /^rollcall_control_idle_connections_closed_total [1-9]/m);
  agent.close();
  for (const client of [...clients, ...late]) client.close();
});

test('C35: a connection that does not register gets register-timeout and closes with 4408', async () => {
  const agent = await target.agent({ token: TOKEN });
  // Bad messages do not extend the time.
  agent.send({ type: 'hello' });
  assert.equal((await agent.next()).code, 'unknown-message');
  assert.equal((await agent.next()).code, 'register-timeout');
  assert.equal(await agent.closed, 4408);
});

test('C40: heartbeats do not bring traffic to a node whose port refuses, an answer of the port does', async () => {
  const more = { balancer: 'dead', hosts: ['dead.test'] };
  const answer = (text: string) => http.createServer((_, response) => response.end(text));
  const first = answer('first');
  first.listen(0, '127.0.0.1');
  await until(() => first.listening, 'not listening');
  const { port } = first.address() as { port: number };
  const agents: AgentClient[] = [];
  for (const [id, url] of [
    ['first', `http://127.0.0.1:${port}`],
    ['second', await target.program((_, response) => response.end('second'))],
  ] as const) {
    const agent = await target.agent({ token: TOKEN });
    await agent.register({ ...(await target.node(id, more)), url });
    agents.push(agent);
  }
  const beats = setInterval(() => {
    for (const agent of agents) agent.send({ type: 'heartbeat', load: 0 });
  }, 500);
  const answers = async (): Promise<Set<string>> => {
    const bodies = await Promise.all(Array.from({ length: 10 }, () => target.visit('dead.test')));
    return new Set(bodies.map(({ status, body }) => (status === 200 ? body : String(status))));
  };
  await until(async () => (await answers()).has('first'), 'the first node is not served');
  await new Promise((resolve) => {
    first.close(resolve);
    first.closeAllConnections();
  });
  await until(async () => !(await answers()).has('first'), 'the first node is still served');
  for (let i = 0; i < 5; i++) assert.deepEqual(await answers(), new Set(['second']));
  assert.ok(agents[0]!.isOpen);
  const again = answer('first');
  again.listen(port, '127.0.0.1');
  await until(async () => (await answers()).has('first'), 'the first node does not return');
  clearInterval(beats);
  again.close();
  again.closeAllConnections();
  for (const agent of agents) agent.close();
});

test('C41: a flood of pings with payload buffers no answers without bound and harms nothing else', async () => {
  const agent = await target.raw({ Authorization: `Bearer ${TOKEN}` });
  const node = await target.node('pinging');
  agent.send(frame(OPCODE.text, JSON.stringify({ type: 'register', node })));
  await until(() => agent.messages.some(({ type }) => type === 'registered'), 'not registered');
  agent.socket.pause();
  const pings = Buffer.concat(Array<Buffer>(1_000).fill(frame(OPCODE.ping, 'x'.repeat(125))));
  for (let i = 0; i < 100 && !agent.isEnded; i++) agent.send(pings);
  await target.assertUnharmed();
  agent.socket.resume();
  // Either the coordinator closed the connection, or it still works.
  agent.send(frame(OPCODE.text, '{"type":"heartbeat","load":0.5}'));
  await until(
    async () => agent.isEnded || (await target.resource('pinging'))?.load === 0.5,
    'neither closed nor answered',
  );
  agent.close();
});

test('C42: 40 agents that come back at once after the control process was killed are all up again, none was gone', async (t) => {
  const site = await Site.start(t, { prepare: NODES });
  const program = http.createServer((_, response) => response.end('served'));
  program.listen(0, '127.0.0.1');
  await until(() => program.listening, 'not listening');
  const { port } = program.address() as { port: number };
  const instance = randomBytes(16).toString('hex');
  // Nodes of one instance may share an address.
  const nodes = Array.from({ length: 40 }, (_, i) => ({
    id: `storm-${i}`,
    balancer: 'storm',
    url: `http://127.0.0.1:${port}`,
    instance,
    incarnation: 1,
  }));
  const agents = new Set<AgentClient>();
  /** Connects until it is accepted, without a pause of its own. */
  const join = async (node: object): Promise<void> => {
    await until(async () => {
      const agent = await AgentClient.connect(site.controlUrl, { token: TOKEN }).catch(() => undefined);
      if (agent === undefined) return false;
      agents.add(agent);
      return agent.register(node).then(
        () => true,
        () => false,
      );
    }, 'not registered');
  };
  const states = async (): Promise<readonly string[]> => {
    const { nodes: found } = (await site.admin<{ nodes: NodeResource[] }>('GET', '/v1/nodes')).body;
    return found.filter(({ id }) => id.startsWith('storm-')).map(({ liveness }) => liveness);
  };
  await Promise.all(nodes.map(join));
  const beats = setInterval(() => {
    for (const agent of agents) if (agent.isOpen) agent.send({ type: 'heartbeat' });
  }, 1_000);
  t.after(() => {
    clearInterval(beats);
    for (const agent of agents) agent.close();
    program.close();
    program.closeAllConnections();
  });
  const areUp = async (): Promise<boolean> => (await states()).filter((one) => one === 'up').length === nodes.length;
  await until(areUp, 'not all up');
  await site.isCurrent();
  const lost = [...agents].map(({ closed }) => closed);
  await site.killControl();
  await Promise.all(lost);
  await Promise.all(nodes.map(join));
  await until(areUp, 'not all up again');
  await site.isCurrent();
  const { events } = (await site.admin<{ events: { type: string }[] }>('GET', '/v1/events')).body;
  assert.deepEqual(
    events.filter(({ type }) => type === 'gone' || type === 'left'),
    [],
  );
  const answer = await fetch(`http://127.0.0.1:${site.proxyPort}/`);
  assert.equal(answer.status, 200, await answer.text());
});
