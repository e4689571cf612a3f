import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { slicesOf, UNREAD_BOUNDS, UnreadAnswers, type UnreadBounds } from './unread-answers.ts';

/** More than the system buffers for a connection that is not read. */
const LARGE = Buffer.alloc(16 * 1024 * 1024, 'x');
const PATIENCE_MS = 20_000;

interface Rig {
  readonly clocks: ManualClocks;
  readonly unread: UnreadAnswers;
  readonly server: Server;
  readonly closed: string[];
  readonly responses: ServerResponse[];
  /** Requests `path` on a new connection and reads nothing. */
  ask(path: string, times?: number): Promise<Socket>;
  /** Resolves when `isSo` returns true; the event loop serves sockets in between. */
  until(isSo: () => boolean): Promise<void>;
}

/**
 * A server that treats `/token` as a request with a token, and answers `/stream` with an open stream. All other paths are
 * requests without a token.
 */
async function rig(t: TestContext, bounds: Partial<UnreadBounds> = {}): Promise<Rig> {
  const clocks = new ManualClocks();
  const closed: string[] = [];
  const responses: ServerResponse[] = [];
  const unread = new UnreadAnswers(clocks, (_, why) => closed.push(why), { ...UNREAD_BOUNDS, ...bounds });
  const server = createServer((request, response) => {
    responses.push(response);
    if (request.url === '/stream') {
      response.writeHead(200).write(': open\n');
      return;
    }
    unread.hold(request.socket, response, LARGE.length, request.url === '/token');
    slicesOf(LARGE).pipe(response);
  });
  unread.watch(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    unread.close();
    server.close();
    server.closeAllConnections();
  });
  return {
    clocks,
    unread,
    server,
    closed,
    responses,
    ask: async (path, times = 1) => {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
      sockets.push(socket);
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      const before = responses.length;
      socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(times));
      while (responses.length < before + times) await turn();
      return socket;
    },
    until: async (isSo) => {
      const endMs = performance.now() + PATIENCE_MS;
      while (!isSo() && performance.now() < endMs) await turn();
      assert.ok(isSo());
    },
  };
}

/** Advances the clock by the time limit for a client that reads nothing, in steps of a second. */
function passStall({ clocks, unread }: Rig): void {
  for (let i = 0; i <= UNREAD_BOUNDS.stallMs / 1_000; i++) {
    clocks.advance(1_000);
    unread.pass();
  }
}

test('answers to 40 clients that never read have a common bound, are then closed, and a client with a token is served', async (t) => {
  const server = await rig(t);
  let most = 0;
  for (let i = 0; i < 40; i++) {
    await server.ask('/list');
    most = Math.max(most, server.unread.totalBytes);
  }
  assert.ok(most <= UNREAD_BOUNDS.maxTotalBytes, `${most} bytes`);
  assert.equal(server.closed.length, 40 - UNREAD_BOUNDS.maxTotalBytes / LARGE.length);
  const operator = await server.ask('/token');
  let read = 0;
  operator.on('data', (octets: Buffer) => {
    read += octets.length;
  });
  await server.until(() => read > LARGE.length);
  passStall(server);
  await server.until(() => server.unread.totalBytes === 0);
  assert.equal(server.closed.length, 40);
  assert.equal(server.unread.ended, 40);
  assert.match(server.closed.at(-1)!, /nothing of an answer was read for 10000 ms/);
});

test('a connection with a token is closed only when no connection without a token is left', async (t) => {
  const server = await rig(t, { maxTotalBytes: 2 * LARGE.length });
  const operator = await server.ask('/token');
  const first = await server.ask('/list');
  const second = await server.ask('/list');
  first.resume();
  operator.resume();
  await server.until(() => server.closed.length === 1);
  await once(first, 'close');
  await server.until(() => server.unread.totalBytes === LARGE.length);
  assert.equal(second.destroyed, false);
  await server.ask('/token');
  await server.ask('/token');
  assert.equal(server.closed.length, 2);
  second.resume();
  await once(second, 'close');
});

test('an answer larger than the bound is served when it is the only one', async (t) => {
  const server = await rig(t, { maxTotalBytes: 1 });
  const socket = await server.ask('/list');
  let read = 0;
  socket.on('data', (octets: Buffer) => {
    read += octets.length;
  });
  await server.until(() => read > LARGE.length);
  assert.deepEqual(server.closed, []);
});

test('requests that wait behind an unread answer of their connection are counted and forgotten with it', async (t) => {
  const server = await rig(t, { maxTotalBytes: 1024 * LARGE.length });
  await server.ask('/list', 5);
  assert.equal(server.unread.totalBytes, 5 * LARGE.length);
  passStall(server);
  await server.until(() => server.unread.totalBytes === 0);
});

test('a client that reads slowly is served', async (t) => {
  const server = await rig(t);
  const socket = await server.ask('/list');
  let read = 0;
  socket.on('data', (octets: Buffer) => {
    read += octets.length;
    socket.pause();
  });
  while (read < LARGE.length) {
    const before = read;
    const target = Math.min(LARGE.length, read + 1024 * 1024);
    while (read < target) {
      socket.resume();
      await turn();
    }
    assert.ok(read > before);
    server.clocks.advance(UNREAD_BOUNDS.stallMs - 1_000);
    server.unread.pass();
  }
  assert.deepEqual(server.closed, []);
});

test('a stream that is not read is closed beyond its bound, a silent stream is not', async (t) => {
  const server = await rig(t);
  const silent = await server.ask('/stream');
  silent.resume();
  await server.ask('/stream');
  const [, response] = server.responses;
  for (let i = 0; i < 1_000 && server.closed.length === 0; i++) {
    server.unread.write(response!, 'x'.repeat(65_536));
    await turn();
  }
  assert.match(server.closed[0]!, /more than 1048576 bytes of a stream/);
  passStall(server);
  assert.equal(server.closed.length, 1);
  assert.equal(silent.destroyed, false);
});

test('an upgraded connection is no longer watched', async (t) => {
  const server = await rig(t);
  let upgraded: Socket | undefined;
  server.server.on('upgrade', (_, socket) => {
    upgraded = socket as Socket;
    upgraded.on('error', () => undefined);
    upgraded.write(LARGE);
  });
  const client = connect((server.server.address() as AddressInfo).port, '127.0.0.1');
  t.after(() => client.destroy());
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
  await server.until(() => upgraded !== undefined);
  t.after(() => upgraded!.destroy());
  passStall(server);
  assert.deepEqual(server.closed, []);
});
