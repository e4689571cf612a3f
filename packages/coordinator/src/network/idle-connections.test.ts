import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { IDLE_BOUNDS, type IdleBounds, IdleConnections } from './idle-connections.ts';

interface Rig {
  readonly clocks: ManualClocks;
  readonly idle: IdleConnections;
  readonly server: Server;
  readonly why: string[];
  /** Resolves when the server knows the connection. */
  open(): Promise<Socket>;
}

async function rig(t: TestContext, bounds: Partial<IdleBounds>): Promise<Rig> {
  const clocks = new ManualClocks();
  const why: string[] = [];
  const idle = new IdleConnections(clocks, (_, bound) => why.push(bound), { ...IDLE_BOUNDS, ...bounds });
  const server = createServer((request, response) => {
    if (request.url !== '/slow') response.end('ok');
  });
  server.on('upgrade', (_, socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
  idle.watch(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
    server.closeAllConnections();
  });
  const open = async (): Promise<Socket> => {
    const { port } = server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    sockets.push(socket);
    await Promise.all([once(socket, 'connect'), once(server, 'connection')]);
    await turn();
    await turn();
    return socket;
  };
  return { clocks, idle, server, why, open };
}

async function ask(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [octets] = (await once(socket, 'data')) as [Buffer];
  await turn();
  return octets.toString();
}

test('beyond the bound of an address the connection that has been idle longest is closed', async (t) => {
  const { clocks, idle, why, open } = await rig(t, { maxOfAddress: 3 });
  const first = await open();
  clocks.advance(1_000);
  for (let i = 0; i < 2; i++) await open();
  const closed = once(first, 'close');
  await open();
  await closed;
  assert.deepEqual([idle.size, idle.closed], [3, 1]);
  assert.deepEqual(why, ['more than 3 connections of its address carry no request']);
});

test('all addresses together have a bound, too', async (t) => {
  const { clocks, idle, why, open } = await rig(t, { maxTotal: 2 });
  await open();
  clocks.advance(1_000);
  await open();
  await open();
  assert.deepEqual([idle.size, why], [2, ['more than 2 connections carry no request']]);
});

test('a burst closes no new connection; connections that stay idle are closed at the next connect', async (t) => {
  const { clocks, idle, open } = await rig(t, { maxOfAddress: 2 });
  for (let i = 0; i < 5; i++) await open();
  assert.deepEqual([idle.size, idle.closed], [5, 0]);
  clocks.advance(1_000);
  await open();
  assert.deepEqual([idle.size, idle.closed], [2, 4]);
});

test('a connection is idle again once its answer has ended, and not while it has a request or was upgraded', async (t) => {
  const { idle, server, open } = await rig(t, {});
  const socket = await open();
  const other = await open();
  const upgraded = await open();
  assert.equal(idle.size, 3);
  assert.match(await ask(socket, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'), /^HTTP\/1.1 200 /);
  assert.equal(idle.size, 3);
  const asked = once(server, 'request');
  other.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  await asked;
  assert.equal(idle.size, 2);
  await ask(upgraded, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  assert.equal(idle.size, 1);
  socket.destroy();
  while (idle.size > 0) await turn();
});
