/** `readyPath` of `PUT /v1/nodes/ID`: what real programs answer, and what is shown of it. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { NodeExplanation, NodeResource, StatusResource, WriteResult } from '@rollcall/protocol';
import { openStore } from '../stores/open-store.ts';
import { selfSigned } from '../testing/self-signed.ts';
import { listenOn } from '../testing/tcp.ts';
import { startTestCoordinator, type TestCoordinator } from '../testing/test-coordinator.ts';

const http = (listener: RequestListener): Server => createServer(listener);
const tcp = (onRequest: (socket: Socket) => void): Server =>
  createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => onRequest(socket));
  });

async function serve(t: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  const port = await listenOn(server, 0);
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return port;
}

/** Body without an end: only the head may be read. */
const huge: RequestListener = (_, response) => {
  const write = (): void => {
    while (response.write('x'.repeat(65_536)));
    response.once('drain', write);
  };
  write();
};

const NO_ANSWER = 'has not answered /health within 1 s';
const ANSWERS: readonly (readonly [string, () => Server, string | undefined])[] = [
  ['200', () => http((_, response) => void response.end('ok')), undefined],
  ['302', () => http((_, response) => void response.writeHead(302, { location: '/login' }).end()), undefined],
  ['404', () => http((_, response) => void response.writeHead(404).end()), undefined],
  ['499', () => http((_, response) => void response.writeHead(499).end()), undefined],
  ['500', () => http((_, response) => void response.writeHead(500).end()), 'answers 500 at /health'],
  ['503', () => http((_, response) => void response.writeHead(503).end()), 'answers 503 at /health'],
  ['huge', () => http(huge), undefined],
  ['early', () => http((_, response) => void response.writeEarlyHints({ link: '</x>; rel=preload' })), NO_ANSWER],
  [
    'upgrade',
    () =>
      tcp((socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n')),
    undefined,
  ],
  ['garbage', () => tcp((socket) => socket.end('SSH-2.0-x\r\n')), 'answers no HTTP at /health'],
  [
    'head',
    () => tcp((socket) => socket.end(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`)),
    'answers no HTTP at /health',
  ],
  ['closes', () => tcp((socket) => socket.destroy()), 'answers no HTTP at /health'],
  ['silent', () => tcp(() => undefined), NO_ANSWER],
  ['part', () => tcp((socket) => socket.write('HTTP/1.1 200 OK\r\n')), NO_ANSWER],
];

async function put({ api }: TestCoordinator, id: string, body: object): Promise<WriteResult> {
  const answer = await api(`/v1/nodes/${id}`, { method: 'PUT', body: { contexts: [`/${id}`], ...body } });
  assert.equal(answer.status, 200, answer.text);
  return answer.json<WriteResult>();
}

test('each answer of a ready path: the message of PUT, the node, its explanation and the status', async (t) => {
  const cluster = await startTestCoordinator();
  t.after(() => cluster.close());
  const { api } = cluster;
  const results = ANSWERS.map(async ([id, server, problem]) => {
    const url = `http://127.0.0.1:${await serve(t, server())}`;
    const { message } = await put(cluster, id, { url, readyPath: '/health' });
    const trouble = `, but it is not ready: it ${problem}; it gets new sessions when that page answers below 500`;
    assert.equal(message, `node ${id} is registered as a static member${problem === undefined ? '' : trouble}`);
    const node = (await api(`/v1/nodes/${id}`)).json<NodeResource>();
    assert.deepEqual(
      [id, node.liveness, node.readyPath, node.isReady, node.readyReason],
      [id, 'up', '/health', problem === undefined, problem],
    );
    const { because } = (await api(`/v1/nodes/${id}/explain`)).json<NodeExplanation>();
    const sentence = `it ${problem}: it keeps its sessions, and new ones go elsewhere while a ready node is there`;
    assert.equal(because.includes(sentence), problem !== undefined, because.join('\n'));
  });
  await Promise.all(results);
  const { advice } = (await api('/v1/status')).json<StatusResource>();
  assert.ok(
    advice.some((one) => /^Not ready: .*\(answers .* at \/health\).* New sessions go elsewhere/.test(one)),
    advice.join('\n'),
  );
});

test('the path is asked over TLS without a check of the certificate, with the authority of the url as host', async (t) => {
  const cluster = await startTestCoordinator();
  t.after(() => cluster.close());
  const asked: unknown[] = [];
  const { key, cert } = selfSigned(t, 'shop.test', 2);
  const server = createTlsServer({ key, cert }, (request, response) => {
    if (request.method === 'GET') asked.push([request.url, request.headers.host, request.headers['user-agent']]);
    response.writeHead(503).end();
  });
  const port = await serve(t, server);
  const { message } = await put(cluster, 's1', { url: `https://127.0.0.1:${port}`, readyPath: '/up?x=1' });
  assert.match(message, /it answers 503 at \/up\?x=1;/);
  assert.deepEqual(asked[0], ['/up?x=1', `127.0.0.1:${port}`, 'rollcall-probe/0.0.0-test']);
});

test('a member is ready again when its page is, also after a restart', async (t) => {
  const stateDir = await mkdtemp(join(tmpdir(), 'rollcall-ready-'));
  t.after(() => rm(stateDir, { recursive: true, force: true }));
  const store = async () => (await openStore(`file:${join(stateDir, 'cluster.json')}`, assert.fail))!;
  let status = 503;
  const port = await serve(
    t,
    http((_, response) => void response.writeHead(status).end()),
  );
  const first = await startTestCoordinator({ stateDir, store: await store() });
  const url = `http://127.0.0.1:${port}`;
  assert.match((await put(first, 's1', { url, readyPath: '/health' })).message, /answers 503 at \/health/);
  await first.coordinator.close();

  const second = await startTestCoordinator({ stateDir, store: await store() });
  t.after(() => second.coordinator.close());
  const shown = async () => (await second.api('/v1/nodes/s1')).json<NodeResource>();
  const until = async (isMatch: (node: NodeResource) => boolean): Promise<void> => {
    const response = await fetch(`${second.coordinator.url}/v1/events`, { headers: { accept: 'text/event-stream' } });
    for await (const _ of response.body!) if (isMatch(await shown())) return;
  };
  await until(({ liveness, readyReason }) => liveness === 'up' && readyReason === 'answers 503 at /health');
  status = 200;
  await until(({ isReady }) => isReady);
});

test('another path of a member that is up is asked before the answer; without one it is ready', async (t) => {
  const cluster = await startTestCoordinator();
  t.after(() => cluster.close());
  const port = await serve(
    t,
    http((request, response) => void response.writeHead(request.url === '/bad' ? 500 : 200).end()),
  );
  const body = { url: `http://127.0.0.1:${port}` };
  for (const [readyPath, problem] of [
    [{}, undefined],
    [{ readyPath: '/bad' }, 'answers 500 at /bad'],
    [{ readyPath: '/good' }, undefined],
    [{ readyPath: '/bad' }, 'answers 500 at /bad'],
    [{}, undefined],
  ] as const) {
    const { nodes } = await put(cluster, 's1', { ...body, ...readyPath });
    assert.deepEqual([nodes[0]?.readyReason, nodes[0]?.isReady], [problem, problem === undefined]);
  }
});

test('an invalid path is refused by its name', async (t) => {
  const cluster = await startTestCoordinator();
  t.after(() => cluster.close());
  for (const readyPath of ['health', '', '/a b', '/\r\nx: y', `/${'x'.repeat(256)}`]) {
    const body = { url: 'http://127.0.0.1:1', readyPath };
    const answer = await cluster.api('/v1/nodes/s1', { method: 'PUT', body });
    assert.equal(answer.status, 400, readyPath);
    assert.match(answer.text, /readyPath/);
  }
});
