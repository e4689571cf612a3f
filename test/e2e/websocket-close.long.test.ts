/** Clients of WebSockets see a close with a code when a drain, a stop or a reload ends it. Frames in flight arrive whole. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import WebSocket, { WebSocketServer } from 'ws';
import { Site, until } from '../site/site.ts';

const CLIENTS = 12;
const LARGE_BYTES = 4_000_000;

interface Closed {
  readonly code: number;
  readonly atMs: number;
}

interface Sockets {
  readonly site: Site;
  /** Closes that the clients have seen, and that the node has seen. */
  readonly atClients: readonly Closed[];
  readonly atNode: readonly number[];
  /** Lengths of the messages that clients and node have received. */
  readonly lengths: readonly number[];
  /** Sends large messages in both directions on each connection. */
  sendLarge(): Promise<void>;
}

/** Clients with permessage-deflate on every second connection, behind a real `rollcall up`. */
async function open(t: TestContext, flags: readonly string[]): Promise<Sockets> {
  const site = await Site.start(t, { flags });
  const node = await site.addNode('first', {}, (_, response) => response.end('first'));
  const server = new WebSocketServer({ server: node.server, perMessageDeflate: true });
  const [atClients, atNode, lengths]: [Closed[], number[], number[]] = [[], [], []];
  const nodeSockets: WebSocket[] = [];
  server.on('connection', (socket) => {
    nodeSockets.push(socket);
    socket.on('close', (code) => atNode.push(code));
    socket.on('message', (data: Buffer) => lengths.push(data.length));
    socket.send('welcome');
  });
  t.after(() => server.close());
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, i) => {
      const socket = new WebSocket(`ws://127.0.0.1:${site.proxyPort}/socket`, { perMessageDeflate: i % 2 === 0 });
      socket.on('close', (code) => atClients.push({ code, atMs: performance.now() }));
      await once(socket, 'message');
      socket.on('message', (data: Buffer) => lengths.push(data.length));
      return socket;
    }),
  );
  t.after(() => {
    for (const socket of clients) socket.terminate();
  });
  const large = Buffer.alloc(LARGE_BYTES, 'rollcall');
  return {
    site,
    atClients,
    atNode,
    lengths,
    async sendLarge() {
      for (const socket of [...nodeSockets, ...clients]) socket.send(large);
      await until(() => lengths.length > 0, 'no large message arrives');
    },
  };
}

for (const { name, flags, code, end } of [
  {
    name: 'the deadline of a drain',
    flags: ['--limit', 'close-window=2s'],
    code: 1001,
    end: ({ site }: Sockets) => site.admin('POST', '/v1/nodes/first/drain', { deadlineMs: 6_000, force: true }),
  },
  {
    name: 'a stop of the node',
    flags: ['--limit', 'close-window=2s'],
    code: 1001,
    end: ({ site }: Sockets) => site.admin('POST', '/v1/nodes/first/stop', { force: true }),
  },
  {
    name: 'the end of `up`',
    flags: ['--limit', 'close-window=2s'],
    code: 1001,
    end: async ({ site }: Sockets) => site.signalUp('SIGTERM'),
  },
  {
    name: 'a reload',
    flags: ['--grace', '6s', '--limit', 'close-window=2s'],
    code: 1012,
    end: ({ site }: Sockets) => site.cli('reload'),
  },
])
  test(`${name}: each client sees ${code}, closes are spread, and large messages arrive whole`, async (t) => {
    const sockets = await open(t, flags);
    await sockets.sendLarge();
    await end(sockets);
    const { atClients, atNode, lengths } = sockets;
    await until(() => atClients.length === CLIENTS && atNode.length === CLIENTS, 'some connections stay open');
    assert.deepEqual(
      atClients.map((closed) => closed.code),
      atClients.map(() => code),
    );
    assert.deepEqual(
      atNode,
      atNode.map(() => code),
    );
    assert.equal(lengths.length, 2 * CLIENTS);
    assert.ok(lengths.every((length) => length === LARGE_BYTES));
    const times = atClients.map(({ atMs }) => atMs);
    const spreadMs = Math.max(...times) - Math.min(...times);
    t.diagnostic(`${name}: ${CLIENTS} closes over ${Math.round(spreadMs)} ms`);
    assert.ok(spreadMs > 200, `all closes within ${spreadMs} ms`);
  });
