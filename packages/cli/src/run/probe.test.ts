import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { freePort, isAccepting } from './port.ts';
import { isReady, localAddresses, type ProbeQuestion, probe } from './probe.ts';

async function listen(
  t: TestContext,
  onConnection: (socket: Socket) => void,
): Promise<{ server: Server; port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

const question = (port: number, timeoutMs = 10_000): ProbeQuestion => ({
  port,
  addresses: ['127.0.0.1'],
  method: 'GET',
  path: '/',
  timeoutMs,
});

test('an HTTP answer is reported with its status', async (t) => {
  const { port } = await listen(t, (socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n'));
  });
  const answer = await probe(question(port));
  assert.deepEqual(answer, { type: 'answered', address: '127.0.0.1', status: 404 });
  assert.ok(isReady(answer));
});

test('a program that answers without HTTP has answered, but is not ready', async (t) => {
  const { port } = await listen(t, (socket) => {
    socket.once('data', () => socket.end('SSH-2.0-x\r\n'));
  });
  const answer = await probe(question(port));
  assert.deepEqual(answer, { type: 'answered', address: '127.0.0.1', status: 0 });
  assert.ok(!isReady(answer));
});

test('a program that accepts and sends nothing is silent, and a port without a listener refuses', async (t) => {
  const { port } = await listen(t, () => {});
  assert.equal((await probe(question(port, 50))).type, 'silent');
  assert.equal((await probe(question(await freePort()))).type, 'refused');
});

test('addresses are tried until one accepts', async (t) => {
  const { port } = await listen(t, (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'));
  const answer = await probe({ ...question(port), addresses: ['::1', '127.0.0.1'] });
  assert.deepEqual(answer, { type: 'answered', address: '127.0.0.1', status: 200 });
});

test('a free port is free, and a taken port is detected', async (t) => {
  assert.equal(await isAccepting(await freePort(), ['127.0.0.1', '::1']), false);
  const { port } = await listen(t, () => {});
  assert.equal(await isAccepting(port, ['::1', '127.0.0.1']), true);
});

test('a given address is the only one that is tried', () => {
  assert.deepEqual(localAddresses('10.0.0.5'), ['10.0.0.5']);
  assert.deepEqual(localAddresses(undefined).slice(0, 2), ['127.0.0.1', '::1']);
});

test('a program over AJP is asked by CPING; CPONG is ready, and anything else is not', async (t) => {
  const asked = async (answer: (socket: Socket) => void, timeoutMs = 10_000) => {
    const { port } = await listen(t, (socket) => socket.once('data', () => answer(socket)));
    return await probe({ ...question(port, timeoutMs), isAjp: true });
  };
  const answered = (status: number) => ({ type: 'answered', address: '127.0.0.1', status });
  assert.deepEqual(await asked((socket) => socket.write(Uint8Array.of(0x41, 0x42, 0, 1, 9))), answered(200));
  assert.deepEqual(await asked((socket) => socket.write('HTTP/1.1 400 \r\n')), answered(0));
  assert.deepEqual(await asked((socket) => socket.end()), answered(0));
  assert.deepEqual(await asked((socket) => socket.resetAndDestroy()), answered(0));
  assert.deepEqual(await asked(() => {}, 50), { type: 'silent', address: '127.0.0.1' });
  assert.deepEqual(await probe({ ...question(await freePort()), isAjp: true }), { type: 'refused' });
});
