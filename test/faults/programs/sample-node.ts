/**
 * A node with state: sessions in memory, by the cookie `sid`. An answer (`NodeAnswer`) contains the node, the process and
 * whether the process had no state of the session.
 *
 * `/upload` reads slowly, `/health` is the ready page, an upgrade is a WebSocket echo. The test changes how it behaves
 * over a socket in `SAMPLE_DIR` (`SampleOrder`). With `SAMPLE_SDK`, the built entry of the agent to use, it is its own
 * agent. With `SAMPLE_WAITS` it loads its modules and starts when it reads a line from standard input.
 */
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { WebSocketServer } from 'ws';
import { nowMs } from '../../live-cluster/instant.ts';
import type { NodeAnswer, SampleOrder, SampleState } from './sample-answer.ts';

/** The node pauses after this number of octets of an upload. */
const UPLOAD_BYTES = 65_536;
const UPLOAD_PAUSE_MS = 100;

const id = process.env['ROLLCALL_NODE_ID'] ?? process.env['SAMPLE_ID'] ?? 'sample';
const port = Number(process.env['PORT'] ?? 3000);
const instance = `${id}#${process.pid}`;
const sessions = new Map<string, number>();
const sockets = new Set<net.Socket>();
const echo = new WebSocketServer({ noServer: true });
let ready: { readonly status: number; readonly delaysMs: readonly number[] } = { status: 200, delaysMs: [0] };
let readyQuestions = 0;
let isClosingWhatItAccepts = false;

const server = http.createServer((request, response) => {
  serve(request, response).catch(() => response.destroy());
});
// Longer than any pause of a scenario: the program closes no connection by itself.
server.keepAliveTimeout = 120_000;
server.on('connection', (socket) => {
  if (isClosingWhatItAccepts) {
    socket.destroy();
    return;
  }
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
});
server.on('upgrade', (request, socket, head) =>
  echo.handleUpgrade(request, socket, head, (tunnel) => tunnel.on('message', (data) => tunnel.send(String(data)))),
);

async function serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  if (request.url === '/health') {
    const delayMs = ready.delaysMs[readyQuestions++ % ready.delaysMs.length] ?? 0;
    const { status } = ready;
    await pause(delayMs);
    response.writeHead(status).end();
    return;
  }
  let bytes = 0;
  let pauses = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (request.url !== '/upload') continue;
    for (; pauses < Math.floor(bytes / UPLOAD_BYTES); pauses++) await pause(UPLOAD_PAUSE_MS);
  }
  const sid = /(?:^|; )sid=([^;]+)/.exec(request.headers.cookie ?? '')?.[1];
  const seen = sid === undefined ? 0 : (sessions.get(sid) ?? 0);
  if (sid !== undefined) sessions.set(sid, seen + 1);
  const answer: NodeAnswer = {
    id: String(request.headers['x-request-id'] ?? ''),
    node: id,
    instance,
    pid: process.pid,
    count: seen + 1,
    fresh: seen === 0,
    bytes,
    atMs: nowMs(),
  };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(answer));
}

async function obey(order: SampleOrder): Promise<SampleState> {
  if (order.ready) ready = order.ready;
  if (order.listener === 'closed') {
    server.close();
    for (const socket of sockets) socket.destroy();
  }
  if (order.listener === 'open') await listen();
  if (order.accepted !== undefined) {
    isClosingWhatItAccepts = order.accepted === 'closed';
    if (isClosingWhatItAccepts) for (const socket of sockets) socket.destroy();
  }
  return { node: id, instance, pid: process.pid };
}

function listen(): Promise<void> {
  return new Promise((resolve) => server.listen(port, '0.0.0.0', resolve));
}

const sdk = process.env['SAMPLE_SDK'];
const loadAgent = async (entry: string) =>
  (await import(pathToFileURL(entry).href)) as typeof import('@rollcall/agent');
if (process.env['SAMPLE_WAITS'] !== undefined) {
  if (sdk !== undefined) await loadAgent(sdk);
  await once(process.stdin, 'data');
  process.stdin.destroy();
}
const directory = process.env['SAMPLE_DIR'];
if (directory !== undefined) {
  const path = join(directory, `${id}.sock`);
  rmSync(path, { force: true });
  net
    .createServer((socket) => {
      socket.on('data', (text) => {
        void obey(JSON.parse(String(text)) as SampleOrder).then((state) => socket.end(JSON.stringify(state)));
      });
      socket.on('error', () => undefined);
    })
    .listen(path);
}
if (sdk !== undefined) (await loadAgent(sdk)).rollcall({ id, balancer: 'site' }).attach(server);
await listen();
