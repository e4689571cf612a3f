/**
 * Compiles the code of the request path before clients wait for it. V8 compiles code that has run often enough, in the turns
 * in which requests wait. Without a warm-up a new worker would answer its first requests in tens of milliseconds instead of
 * fractions of one.
 *
 * It uses a small cluster in this process, on the loopback interface: the engine and router of real requests, in other instances.
 */

import net, { type AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { FeedNode } from '@rollcall/feed';
import { newFeedNode } from '@rollcall/feed';
import {
  DEFAULT_LEASE_MS,
  parseBalancerName,
  parseContextPath,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  parseRoute,
} from '@rollcall/protocol';
import { ClusterView } from './cluster/cluster-view.ts';
import { Ejections } from './cluster/ejections.ts';
import { Engine } from './engine/engine.ts';
import { ClusterRouter } from './routing/cluster-router.ts';
import { sessionIds } from './routing/session-ids.ts';

const REQUESTS = 1_500;
const CLIENTS = 8;
/** A worker that is slow at first is better than a worker that does not start. */
const MAX_MS = 2_000;
const NODES = 4;
const ANSWER =
  'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-cache\r\nContent-Length: 15\r\n\r\nsmall, but warm';
const REQUEST =
  'GET /warm-up?page=2 HTTP/1.1\r\nHost: warm-up.invalid\r\nUser-Agent: Mozilla/5.0\r\nAccept: text/html,*/*;q=0.8\r\nAccept-Language: en\r\nAccept-Encoding: gzip, br\r\n';

/** Never rejects, and takes at most 2 s. Returns the number of forwarded requests. */
export async function warmUp(): Promise<number> {
  const node = net.createServer((socket) => {
    socket.on('data', () => socket.write(ANSWER));
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => node.listen(0, '127.0.0.1', resolve));
  const engine = new Engine({ router: routerTo((node.address() as AddressInfo).port) });
  try {
    const { port } = await engine.listen({ host: '127.0.0.1', port: 0 });
    return await visit(port);
  } catch {
    // Without a warm-up the worker starts cold.
    return 0;
  } finally {
    await engine.close(0);
    node.close();
  }
}

/** All clients send one request after the other; every other client keeps its session. */
function visit(port: number): Promise<number> {
  return new Promise((resolve) => {
    let sent = 0;
    let answered = 0;
    const sockets: net.Socket[] = [];
    const end = (): void => {
      clearTimeout(timer);
      for (const socket of sockets) socket.destroy();
      resolve(answered);
    };
    const timer = setTimeout(end, MAX_MS);
    for (let client = 0; client < CLIENTS; client++) {
      const socket = net.connect(port, '127.0.0.1');
      sockets.push(socket);
      let cookie = 'Cookie: theme=dark\r\n';
      const ask = (): void => {
        if (sent < REQUESTS) socket.write(`${REQUEST}${cookie}X-Count: ${sent++}\r\n\r\n`);
      };
      socket.on('connect', ask);
      socket.on('data', (bytes) => {
        const [, route] = /^set-cookie: ([^;]+)/im.exec(bytes.toString('latin1')) ?? [];
        if (route !== undefined && client % 2 === 0) cookie = `Cookie: theme=dark; ${route}\r\n`;
        if (++answered === REQUESTS) end();
        else ask();
      });
      socket.on('error', end);
    }
  });
}

function routerTo(port: number): ClusterRouter {
  const view = new ClusterView({ rng: Math.random });
  const nodes = Array.from({ length: NODES }, (_, index) => nodeAt(port, index));
  const nowMs = performance.now();
  view.applySnapshot(
    { nodes, balancers: [], remembered: [] },
    { epoch: 'warm-up', revision: 1, isSettled: true, learningMs: 0, leaseMs: DEFAULT_LEASE_MS },
    nowMs,
  );
  view.swap(nowMs);
  return new ClusterRouter({
    view,
    ejections: new Ejections(view, () => {}),
    newSessionId: sessionIds(),
    nowUnixMs: () => 0,
    onUnknownRoute: () => {},
    onMoved: () => {},
    onFailover: () => {},
    onSeen: () => {},
    onIdle: () => {},
  });
}

function nodeAt(port: number, index: number): FeedNode {
  const name = `warm-up-${index}`;
  return newFeedNode({
    index,
    id: parseNodeId(name)!,
    balancer: parseBalancerName('warm-up')!,
    url: parseNodeUrl(`http://127.0.0.1:${port}`)!,
    route: parseRoute(name)!,
    hosts: [parseHostPattern('*')!],
    contexts: [{ path: parseContextPath('/')!, status: 'enabled' }],
    incarnation: 1,
    liveness: 'up',
  });
}
