import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { makeAuthority } from '../testing/authority.ts';
import { connectPinned } from './pinned-connection.ts';

test('a connection is used only if its certificate is the one in a file, with any name', async (t) => {
  const authority = makeAuthority(t);
  const [ours, other] = [authority.issue('ours', ['ops.example']), authority.issue('other', ['ops.example'])];
  const received: (string | undefined)[] = [];
  const server = https.createServer({ cert: readFileSync(ours.cert), key: readFileSync(ours.key) });
  server.on('upgrade', (request, socket) => {
    received.push(request.headers.authorization);
    socket.end('HTTP/1.1 418 Teapot\r\nConnection: close\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const errorWith = async (files: readonly string[]): Promise<string> => {
    const createConnection = connectPinned(files) as never;
    const client = new WebSocket(`wss://127.0.0.1:${port}/`, {
      createConnection,
      headers: { authorization: 'secret' },
    });
    const [error] = await once(client, 'error');
    return (error as Error).message;
  };
  assert.match(await errorWith([ours.cert]), /Unexpected server response: 418/);
  assert.match(await errorWith(['/none', ours.cert]), /418/);
  assert.deepEqual(received, ['secret', 'secret']);
  assert.match(await errorWith([other.cert]), /shows another certificate than .*other\.crt/);
  assert.match(await errorWith(['/none']), /shows another certificate than \/none/);
  assert.equal(received.length, 2, 'the token was sent to an unknown server');
});

test('a connection without a handshake is closed', async (t) => {
  const accepted = new Set<net.Socket>();
  const server = net.createServer((socket) => void accepted.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of accepted) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const client = new WebSocket(`wss://127.0.0.1:${port}/`, { createConnection: connectPinned([], 50) as never });
  const [error] = await once(client, 'error');
  assert.match((error as Error).message, /no TLS handshake in time/);
});
