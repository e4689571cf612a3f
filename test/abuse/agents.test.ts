/** Rows C66–C70: agents with malicious coordinators, programs and wrappers that end alone, and ends out of order. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { after, afterEach, before, type TestContext, test } from 'node:test';
import { type RollcallNode, rollcall } from '@rollcall/agent';
import { listening } from '@rollcall/agent/testing';
import { WebSocketServer } from 'ws';
import { until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';
import { frame, OPCODE } from './client.ts';
import { Target } from './target.ts';

let target: Target;

before(async () => {
  target = await Target.start();
});
after(() => target.close());
afterEach(() => target.assertUnharmed());

/** A program with the SDK that looks for its coordinator at `coordinator`. */
async function embedded(t: TestContext, id: string, coordinator: string | readonly string[]): Promise<RollcallNode> {
  const server = http.createServer((_, response) => response.end(id));
  const node = rollcall({ id, balancer: id, hosts: [`${id}.test`], coordinator, signals: [], log: () => undefined });
  node.on('warning', () => undefined);
  node.on('error', () => undefined);
  node.attach(server);
  await listening(t, server);
  t.after(() => node.close());
  return node;
}

type Lie = (socket: net.Socket) => void;

const answered =
  (text: string): Lie =>
  (socket) =>
    socket.end(text);
/** Accepts the upgrade and sends `texts`. */
const upgraded = (...texts: readonly (string | Buffer)[]): Lie => {
  const server = new WebSocketServer({ noServer: true });
  return (socket) => {
    const inner = http.createServer();
    inner.on('upgrade', (request, stream, head) =>
      server.handleUpgrade(request, stream, head, (client) => {
        client.on('error', () => undefined);
        for (const text of texts) client.send(text);
        client.once('message', () => client.close(4400));
      }),
    );
    inner.emit('connection', socket);
  };
};

/** A port that sends false answers on its first connection and forwards to the control port later. */
function lyingOnce(t: TestContext, lie: Lie): Promise<number> {
  let connections = 0;
  const control = Number(new URL(target.site.controlUrl).port);
  const server = net.createServer((socket) => {
    if (connections++ === 0) {
      lie(socket);
      return;
    }
    const onward = net.connect(control, '127.0.0.1');
    onward.on('error', () => socket.destroy());
    socket.on('close', () => onward.destroy());
    socket.pipe(onward).pipe(socket);
  });
  return listening(t, server);
}

test('C66: a coordinator that answers garbage, redirects or errors harms no program, which then registers at a good one', async (t) => {
  let isElsewhereAsked = false;
  const port = await listening(
    t,
    net.createServer((socket) => {
      isElsewhereAsked = true;
      socket.destroy();
    }),
  );
  // A host other than the configured one.
  const elsewhere = `ws://localhost:${port}`;
  const registered = { type: 'registered', node: { id: 'x', balancer: 'x', url: 'http://127.0.0.1:1' } };
  const lies: Readonly<Record<string, Lie>> = {
    'other-protocol': answered('SSH-2.0-OpenSSH_9.2\r\n'),
    redirect: answered(`HTTP/1.1 302 Found\r\nLocation: ${elsewhere}/v1/agent\r\nContent-Length: 0\r\n\r\n`),
    'other-redirect': answered(`HTTP/1.1 307 x\r\nLocation: ${elsewhere}/v1/agent\r\nContent-Length: 0\r\n\r\n`),
    'long-page': answered(`HTTP/1.1 503 x\r\nContent-Length: 1000000\r\n\r\n${'<p>'.repeat(100_000)}`),
    'bad-upgrade': answered('HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\u0000\u0000'),
    'bad-messages': upgraded('{', 'null', '5', '{"type":"hello"}', Buffer.from([1, 2, 3])),
    'long-message': upgraded('x'.repeat(200_000)),
    'bad-pace': upgraded(JSON.stringify({ ...registered, heartbeatMs: 0, suspectMs: -1, leaseMs: 1e300 })),
    'other-coordinators': upgraded(
      JSON.stringify({ ...registered, coordinators: [elsewhere] }),
      '{"type":"pace","heartbeatMs":1e999}',
      '{"type":"status","status":"stopped","deadlineMs":-1}',
      '{"__proto__":{"polluted":1},"type":"drained"}',
    ),
  };
  await Promise.all(
    Object.entries(lies).map(async ([id, lie]) => {
      const front = await lyingOnce(t, lie);
      const node = await embedded(t, id, `ws://127.0.0.1:${front}`);
      await until(async () => (await target.resource(id))?.liveness === 'up', `${id} is not up`);
      assert.equal(node.status, 'enabled');
      await until(async () => (await target.visit(`${id}.test`)).body === id, `${id} is not served`);
    }),
  );
  assert.equal(isElsewhereAsked, false);
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});

/** Serves `text` in a process of its own that ends by SIGKILL. */
async function program(
  t: TestContext,
  text: string,
): Promise<{ readonly url: string; readonly kill: () => Promise<void> }> {
  const source = `
    const server = require('node:http').createServer((_, response) => response.end(${JSON.stringify(text)}));
    server.listen(0, '127.0.0.1', () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  t.after(kill);
  const [port] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { url: `http://127.0.0.1:${port}`, kill };
}

async function bodies(host: string, count = 10): Promise<ReadonlySet<string>> {
  const answers = await Promise.all(Array.from({ length: count }, () => target.visit(host)));
  return new Set(answers.map(({ status, body }) => (status === 200 ? body : String(status))));
}

test('C67: a program that dies without its agent gets no more requests, and a program whose agent dies keeps its sessions', async (t) => {
  const host = 'beside.test';
  const flags = ['--balancer', 'beside', '--host', host];
  const programs: Record<string, Awaited<ReturnType<typeof program>>> = {};
  const agents: Record<string, ReturnType<Target['site']['start']>> = {};
  for (const id of ['stays', 'dies', 'orphan']) {
    programs[id] = await program(t, id);
    agents[id] = target.site.start(['join', programs[id].url, '--id', id, ...flags]);
    agents[id].stderr!.resume();
  }
  await until(async () => (await bodies(host, 20)).size === 3, 'not all are served');
  const visitor = new Visitor(target.site.proxyPort, { host });
  await until(async () => {
    if ((await visitor.get('/')).body === 'orphan') return true;
    for (const pair of visitor.cookies) visitor.take(pair.slice(0, pair.indexOf('=')), '');
    return false;
  }, 'no session at the orphan');
  await programs['dies']!.kill();
  await until(async () => !(await bodies(host)).has('dies'), 'the dead program is still asked');
  for (const body of await bodies(host)) assert.ok(body === 'stays' || body === 'orphan', body);
  agents['orphan']!.kill('SIGKILL');
  await until(async () => (await target.resource('orphan'))?.liveness === 'suspect', 'not suspect');
  await until(async () => !(await bodies(host)).has('orphan'), 'new sessions still go to it');
  assert.equal((await visitor.get('/')).body, 'orphan');
  visitor.close();
});

test('C68: heartbeats and registrations behind a leave do not bring the node back', async () => {
  const node = await target.node('left');
  const agent = await target.raw();
  const text = (message: object) => frame(OPCODE.text, JSON.stringify(message));
  agent.send(text({ type: 'register', node }));
  await until(() => agent.messages.some(({ type }) => type === 'registered'), 'not registered');
  agent.send(
    Buffer.concat([
      text({ type: 'leave' }),
      text({ type: 'heartbeat', load: 0.5 }),
      text({ type: 'status', status: 'enabled' }),
      text({ type: 'register', node }),
      text({ type: 'heartbeat', load: 0.5 }),
    ]),
  );
  assert.equal(await agent.closeCode(), 1000);
  await agent.ended();
  assert.equal((await target.resource('left'))?.liveness, 'gone');
  agent.close();
});

test('C69: a request in flight ends after its node has left, and no new one comes', async () => {
  const held: http.ServerResponse[] = [];
  let asked = 0;
  const url = await target.program((request, response) => {
    if (request.headers['user-agent']?.startsWith('rollcall-probe')) {
      response.end();
      return;
    }
    asked += 1;
    if (request.url === '/held') held.push(response);
    else response.end('leaving');
  });
  const agent = await target.agent();
  await agent.register({ ...(await target.node('leaving', { balancer: 'held', hosts: ['held.test'] })), url });
  const staying = await target.agent();
  await staying.register(await target.node('staying', { balancer: 'held', hosts: ['held.test'] }));
  await until(async () => (await bodies('held.test')).size === 2, 'not both are served');
  const answers: ReturnType<Target['visit']>[] = [];
  await until(() => {
    if (held.length === 0) answers.push(target.visit('held.test', '/held'));
    return held.length > 0;
  }, 'not in flight');
  agent.send({ type: 'leave' });
  assert.equal(await agent.closed, 1000);
  await target.site.isCurrent();
  const before = asked;
  assert.deepEqual(await bodies('held.test'), new Set(['staying']));
  assert.equal(asked, before);
  for (const response of held) response.end('finished');
  const ends = (await Promise.all(answers)).map(({ body }) => body);
  assert.equal(ends.filter((body) => body === 'finished').length, held.length);
  assert.equal(ends.filter((body) => body === 'staying').length, ends.length - held.length);
  staying.close();
});

/** A port with hanging connects: its process is stopped and its queue is full. */
async function blackHole(t: TestContext): Promise<number> {
  const source = `
    const server = require('node:net').createServer();
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const sockets: net.Socket[] = [];
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    child.kill('SIGKILL');
    await exited;
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  child.kill('SIGSTOP');
  for (let i = 0; i < 8; i++) sockets.push(net.connect(Number(line), '127.0.0.1').on('error', () => undefined));
  await until(() => sockets.some(({ connecting }) => !connecting), 'no connect at all');
  return Number(line);
}

test('C70: of several coordinators one that never answers a connect does not keep the agent from the next', async (t) => {
  const hole = await blackHole(t);
  const node = await embedded(t, 'patient', [`ws://127.0.0.1:${hole}`, target.site.controlUrl]);
  // A single connect would hang for more than two minutes.
  await until(() => node.isRegistered, 'not registered');
  await until(async () => (await target.resource('patient'))?.liveness === 'up', 'not up');
});
