/**
 * Has the path of a request compiled before clients wait for it. A worker that takes over from another would answer its
 * first requests in tens of milliseconds instead of fractions of one: V8 compiles what has run often enough, in the
 * same turns that requests wait for.
 *
 * A small cluster of its own, in this process, on the loopback: the engine and router that real requests go through,
 * other instances.
 */
import net, { type AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import {
  DEFAULT_LEASE_MS,
  type FeedNode,
  parseBalancerName,
  parseContextPath,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  parseRoute,
} from '@rollcall/protocol';
import { ClusterRouter } from './cluster-router.ts';
import { ClusterView } from './cluster-view.ts';
import { Ejections } from './ejections.ts';
import { Engine } from './engine/engine.ts';
import { sessionIds } from './session-ids.ts';

const REQUESTS = 3_000;
const CLIENTS = 8;
/** Being slow at first is better than not being there. */
const MAX_MS = 2_000;
const NODES = 4;
const ANSWER =
  'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-cache\r\nContent-Length: 15\r\n\r\nsmall, but warm';
const REQUEST =
  'GET /warm-up?page=2 HTTP/1.1\r\nHost: warm-up.invalid\r\nUser-Agent: Mozilla/5.0\r\nAccept: text/html,*/*;q=0.8\r\nAccept-Language: en\r\nAccept-Encoding: gzip, br\r\n';

/** Never rejects, and takes 2 s at most. How many requests went through. */
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
    // Cold is how workers were before.
    return 0;
  } finally {
    await engine.close(0);
    node.close();
  }
}

/** All clients one request after the other; every other client keeps its session. */
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
    upstreamTimeoutMs: MAX_MS,
    onUnknownRoute: () => {},
    onMoved: () => {},
    onFailover: () => {},
    onSeen: () => {},
    onIdle: () => {},
  });
}

function nodeAt(port: number, index: number): FeedNode {
  const name = `warm-up-${index}`;
  return {
    index,
    id: parseNodeId(name)!,
    balancer: parseBalancerName('warm-up')!,
    url: parseNodeUrl(`http://127.0.0.1:${port}`)!,
    route: parseRoute(name)!,
    hosts: [parseHostPattern('*')!],
    contexts: [{ path: parseContextPath('/')!, status: 'enabled' }],
    weight: 1,
    incarnation: 1,
    liveness: 'up',
    hasAgent: true,
    isConnected: true,
    isReady: true,
    probe: 'options',
    standby: false,
    loadHeader: false,
  };
}
