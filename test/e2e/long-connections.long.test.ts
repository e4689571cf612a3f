/**
 * WebSockets, event streams and long polls. No change of the cluster cuts connections of a node that stays. Connections of a
 * stopped node get a close frame. All of them are counted.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http, { type ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeResource } from '@rollcall/protocol';
import WebSocket, { WebSocketServer } from 'ws';
import { Site, until } from '../site/site.ts';

const TIMEOUT_MS = 120_000;
const HELD = 20;

/** A node that echoes over WebSockets, and streams events and answers polls on request. */
async function startNode(
  t: TestContext,
  site: Site,
  id: string,
): Promise<{ readonly streams: Set<ServerResponse>; readonly polls: Set<ServerResponse>; stop(): Promise<void> }> {
  const streams = new Set<ServerResponse>();
  const polls = new Set<ServerResponse>();
  const node = await site.addNode(id, {}, (request, response) => {
    if (request.url === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`data: ${id}\n\n`);
      streams.add(response);
      response.on('close', () => streams.delete(response));
    } else if (request.url === '/poll') {
      polls.add(response);
      response.on('close', () => polls.delete(response));
    } else response.end(id);
  });
  const sockets = new WebSocketServer({ server: node.server });
  sockets.on('connection', (socket) => {
    socket.send(id);
    socket.on('message', (data) => socket.send(`echo ${String(data)}`));
  });
  t.after(() => sockets.close());
  return { streams, polls, stop: () => node.stop() };
}

/** One WebSocket of a new session; `node` is its node. */
async function openSocket(site: Site): Promise<{ readonly socket: WebSocket; readonly node: string }> {
  const socket = new WebSocket(`ws://127.0.0.1:${site.proxyPort}/socket`);
  const [data] = (await once(socket, 'message')) as [Buffer];
  return { socket, node: data.toString() };
}

async function echoes(socket: WebSocket, text: string): Promise<void> {
  const answer = once(socket, 'message');
  socket.send(text);
  assert.equal(String((await answer)[0]), `echo ${text}`);
}

/** One event stream of a new session. */
async function openStream(
  site: Site,
): Promise<{ readonly node: string; next(): Promise<string>; readonly hasEnded: () => boolean; close(): void }> {
  const request = http.get({ host: '127.0.0.1', port: site.proxyPort, path: '/events', agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let hasEnded = false;
  response.on('close', () => (hasEnded = true));
  response.on('error', () => (hasEnded = true));
  const next = async (): Promise<string> => String((await once(response, 'data'))[0]).replace(/^data: (.*)\n\n$/, '$1');
  return { node: await next(), next, hasEnded: () => hasEnded, close: () => request.destroy() };
}

const counted = async (site: Site): Promise<Map<string, NodeResource>> =>
  new Map(
    (await site.admin<{ nodes: NodeResource[] }>('GET', '/v1/nodes')).body.nodes.map((node) => [
      node.id as string,
      node,
    ]),
  );

test('tunnels and streams of nodes that stay continue through joins, drains, leaves and a control process that dies', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const site = await Site.start(t);
  const nodes = new Map<string, Awaited<ReturnType<typeof startNode>>>();
  for (const id of ['a', 'b', 'c']) nodes.set(id, await startNode(t, site, id));
  const sockets = await Promise.all(Array.from({ length: HELD }, () => openSocket(site)));
  const streams = await Promise.all(Array.from({ length: HELD }, () => openStream(site)));
  const cut: string[] = [];
  const codes = new Set<number>();
  for (const { socket, node } of sockets)
    socket.on('close', (code) => {
      cut.push(node);
      codes.add(code);
    });

  let number = 0;
  /** Every stream has its event before its node sends the next, so nothing waits in a buffer; every tunnel echoes. */
  const allFlow = async (): Promise<void> => {
    number++;
    const events = streams.filter(({ hasEnded }) => !hasEnded()).map((stream) => stream.next());
    for (const { streams: open } of nodes.values()) for (const response of open) response.write(`data: ${number}\n\n`);
    assert.deepEqual(new Set(await Promise.all(events)), new Set([`${number}`]));
    for (const { socket } of sockets.filter(({ socket }) => socket.readyState === WebSocket.OPEN))
      await echoes(socket, `${number}`);
  };
  await allFlow();
  await until(async () => {
    const all = [...(await counted(site)).values()];
    return (
      all.reduce((sum, node) => sum + node.tunnels, 0) === HELD &&
      all.reduce((sum, node) => sum + node.inFlight, 0) === HELD
    );
  }, 'not all are counted');

  nodes.set('d', await startNode(t, site, 'd'));
  await allFlow();
  await site.admin('POST', '/v1/nodes/a/drain', { force: true });
  await site.isCurrent();
  await allFlow();
  await site.admin('DELETE', '/v1/nodes/d', {});
  await site.isCurrent();
  await allFlow();
  await site.killControl();
  await allFlow();
  await site.isCurrent();
  await allFlow();
  assert.deepEqual(cut, []);
  assert.equal(streams.filter(({ hasEnded }) => hasEnded()).length, 0);

  const onB = sockets.filter(({ node }) => node === 'b').length;
  assert.ok(onB > 0);
  await site.admin('POST', '/v1/nodes/b/stop', { force: true });
  await until(() => cut.length === onB, 'the tunnels of the stopped node stay');
  assert.deepEqual([...codes], [1001], 'they got a close frame');
  assert.deepEqual(new Set(cut), new Set(['b']), 'and no others were cut');
  for (const { socket } of sockets) socket.terminate();
  for (const stream of streams) stream.close();
  await until(
    async () => [...(await counted(site)).values()].every(({ tunnels, inFlight }) => tunnels + inFlight === 0),
    'counts stay behind',
  );
});

test('a long poll is answered by its node while that is drained, and the drain waits for it', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const site = await Site.start(t, { flags: ['--session-idle', '1s'] });
  const node = await startNode(t, site, 'a');
  const asked = Array.from({ length: 5 }, async () => {
    const response = await fetch(`http://127.0.0.1:${site.proxyPort}/poll`);
    return response.text();
  });
  await until(() => node.polls.size === 5, 'the polls do not come');
  await site.admin('POST', '/v1/nodes/a/drain', { force: true });
  await until(async () => (await site.node('a'))?.drain?.inFlight === 5, 'the drain does not see them');
  // Longer than a session is active: the requests alone hold it.
  await sleep(1_500);
  assert.equal((await site.node('a'))?.drain?.isDone, false);
  for (const response of node.polls) response.end('now');
  assert.deepEqual(
    await Promise.all(asked),
    Array.from({ length: 5 }, () => 'now'),
  );
  await until(async () => (await site.node('a'))?.drain?.isDone === true, 'the drain does not end');
});
