import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { attachServer, closeServer, type Listening, serverOf } from './http.ts';
import { InFlight } from './load/in-flight.ts';

async function start(t: TestContext, answer: RequestListener) {
  const server = createServer(answer);
  const inFlight = new InFlight();
  const seen: (Listening | 'closed')[] = [];
  const detach = attachServer(server, inFlight, {
    onListening: (listening) => void seen.push(listening),
    onClosed: () => void seen.push('closed'),
    loadField: () => `${inFlight.count};;0;`,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => closeServer(server, 0));
  return { server, inFlight, seen, detach, port: (server.address() as AddressInfo).port };
}

async function ask(port: number): Promise<IncomingMessage> {
  const [response] = (await once(get({ port, host: '127.0.0.1', agent: false }), 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return response;
}

test('tells the port, whether it is TLS, and how long idle connections are kept', async (t) => {
  const { server, seen, port } = await start(t, (_, response) => void response.end());
  assert.deepEqual(seen, [{ port, isTls: false, keepAliveMs: server.keepAliveTimeout }]);
  await closeServer(server, 1_000);
  assert.equal(seen[1], 'closed');
});

test('a server that listens already is told at once; keep-alive without an end is the longest', (t) => {
  const server: Server = createServer();
  server.keepAliveTimeout = 0;
  server.listen(0);
  t.after(() => server.close());
  const seen: Listening[] = [];
  const listener = {
    onListening: (listening: Listening) => void seen.push(listening),
    onClosed() {},
    loadField: () => undefined,
  };
  attachServer(server, new InFlight(), listener);
  assert.equal(seen[0]?.keepAliveMs, 3_600_000);
});

test('a request is in flight until its answer is complete', async (t) => {
  let finish: () => void = () => {};
  const { inFlight, port } = await start(t, (_, response) => {
    response.write('begun');
    finish = () => response.end();
  });
  const [response] = (await once(get({ port, host: '127.0.0.1', agent: false }), 'response')) as [IncomingMessage];
  assert.equal(inFlight.count, 1);
  response.resume();
  finish();
  await once(response, 'end');
  while (inFlight.count > 0) await new Promise(setImmediate);
  assert.equal(inFlight.finished, 1);
});

test('a client that goes away ends its request', async (t) => {
  const { inFlight, port, server } = await start(t, () => {});
  const request = get({ port, host: '127.0.0.1', agent: false });
  request.on('error', () => {});
  await once(server, 'request');
  assert.equal(inFlight.count, 1);
  request.destroy();
  while (inFlight.count > 0) await new Promise(setImmediate);
});

test('every answer carries the load field, however its head is written', async (t) => {
  const heads: RequestListener[] = [
    (_, response) => void response.end('implicit'),
    (_, response) => void response.writeHead(201, { 'x-own': '1' }).end(),
    (_, response) => void response.writeHead(202, 'Fine', ['x-own', '2']).end(),
    (_, response) => {
      response.flushHeaders();
      response.end();
    },
  ];
  let index = 0;
  const { port } = await start(t, (request, response) => heads[index++]!(request, response));
  for (const status of [200, 201, 202, 200]) {
    const { statusCode, headers } = await ask(port);
    assert.equal(statusCode, status);
    assert.equal(headers['rollcall-load'], '1;;0;');
  }
});

test('after detaching the server is as it was', async (t) => {
  const { port, detach, inFlight } = await start(t, (_, response) => void response.end());
  detach();
  assert.equal((await ask(port)).headers['rollcall-load'], undefined);
  assert.equal(inFlight.finished, 0);
});

test('a server is found in what frameworks hand out, and in nothing else', () => {
  const server = createServer();
  assert.equal(serverOf(server), server);
  assert.equal(serverOf({ server }), server);
  for (const odd of [undefined, null, {}, () => {}, { server: {} }, 'server', 5])
    assert.equal(serverOf(odd), undefined);
});
