import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import {
  createServer,
  get,
  Agent as HttpAgent,
  type IncomingMessage,
  type OutgoingHttpHeader,
  type RequestListener,
  request,
  type Server,
} from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { attachServer, type Listening, serverOf } from './http.ts';
import { InFlight } from './load/in-flight.ts';
import { Latencies } from './load/latencies.ts';
import { Traffic } from './load/traffic.ts';
import { closeServer } from './server-close.ts';

async function start(t: TestContext, answer: RequestListener) {
  const server = createServer(answer);
  const inFlight = new InFlight(() => performance.now());
  const traffic = new Traffic();
  const seen: (Listening | string)[] = [];
  const setting = { isEnding: false };
  const detach = attachServer(server, inFlight, traffic, {
    onListening: (listening) => void seen.push(listening),
    onUnixSocket: (path) => void seen.push(path),
    onClosed: () => void seen.push('closed'),
    isEnding: () => setting.isEnding,
    proofOf: () => undefined,
    loadLine: () => `rollcall-load: ${inFlight.count};2;0;\r\n`,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => end(server));
  return { server, inFlight, traffic, seen, setting, detach, port: (server.address() as AddressInfo).port };
}

function end(server: Server): void {
  server.close();
  server.closeAllConnections();
}

/** Not in the types or documents of Node.js, but supported by it. */
const PAIRS = [['x-own', 'pair']] as unknown as OutgoingHttpHeader[];

async function ask(port: number): Promise<IncomingMessage> {
  const [response] = (await once(get({ port, host: '127.0.0.1', agent: false }), 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return response;
}

test('reports address, port, TLS and keep-alive time', async (t) => {
  const { server, seen, port } = await start(t, (_, response) => void response.end());
  assert.deepEqual(seen, [{ address: '127.0.0.1', port, isTls: false, keepAliveMs: server.keepAliveTimeout }]);
  await closeServer(server, 1_000);
  assert.equal(seen[1], 'closed');
});

test('a server that already listens is reported at once; keep-alive without a limit is the maximum', (t) => {
  const server: Server = createServer();
  server.keepAliveTimeout = 0;
  server.listen(0);
  t.after(() => server.close());
  const seen: Listening[] = [];
  const listener = {
    onListening: (listening: Listening) => void seen.push(listening),
    onUnixSocket() {},
    onClosed() {},
    isEnding: () => false,
    proofOf: () => undefined,
    loadLine: () => '',
  };
  attachServer(server, new InFlight(() => 0), new Traffic(), listener);
  assert.equal(seen[0]?.keepAliveMs, 3_600_000);
});

test('a request is in flight until its response is complete', async (t) => {
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

test('a request ends when its client disconnects', async (t) => {
  const { inFlight, port, server } = await start(t, () => {});
  const request = get({ port, host: '127.0.0.1', agent: false });
  request.on('error', () => {});
  await once(server, 'request');
  assert.equal(inFlight.count, 1);
  request.destroy();
  while (inFlight.count > 0) await new Promise(setImmediate);
});

test('pipelined requests end with their connection, although their queued responses emit no close', async (t) => {
  const { inFlight, port, server } = await start(t, () => {});
  const sockets = Array.from({ length: 40 }, () => connect(port, '127.0.0.1'));
  let arrived = 0;
  const allArrived = new Promise<void>((resolve) => server.on('request', () => ++arrived === 160 && resolve()));
  for (const socket of sockets) socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(4));
  await allArrived;
  assert.equal(inFlight.count, 160);
  for (const socket of sockets) socket.destroy();
  while (inFlight.count > 0) await new Promise(setImmediate);
  assert.equal(inFlight.finished, 160);
});

test('a request whose socket the program takes over ends with this connection', async (t) => {
  const { inFlight, port } = await start(t, (request, response) => {
    response.detachSocket(request.socket);
    request.socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: own\r\n\r\n');
  });
  const socket = connect(port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(socket, 'data');
  assert.equal(inFlight.count, 1);
  socket.destroy();
  while (inFlight.count > 0) await new Promise(setImmediate);
});

test('a connection has one listener of the SDK, independent of its requests', async (t) => {
  const { port, server } = await start(t, (_, response) => void response.end());
  const counts = new Set<number>();
  server.on('request', ({ socket }) => counts.add(socket.listenerCount('close')));
  const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  for (let round = 0; round < 20; round += 1) {
    const [response] = (await once(get({ port, host: '127.0.0.1', agent }), 'response')) as [IncomingMessage];
    await once(response.resume(), 'end');
  }
  assert.equal(counts.size, 1);
});

test('responses of an ending node close their connections, unless the program sets Connection', async (t) => {
  const { port, setting } = await start(t, ({ url }, response) => {
    if (url === '/own') response.setHeader('connection', 'keep-alive');
    response.end();
  });
  const agent = new HttpAgent({ keepAlive: true });
  t.after(() => agent.destroy());
  const connection = async (path: string) => {
    const [response] = (await once(get({ port, path, host: '127.0.0.1', agent }), 'response')) as [IncomingMessage];
    await once(response.resume(), 'end');
    return [response.headers.connection, response.headers['rollcall-load']];
  };
  assert.deepEqual(await connection('/'), ['keep-alive', '1;2;0;']);
  setting.isEnding = true;
  assert.deepEqual(await connection('/'), ['close', '1;2;0;']);
  assert.deepEqual(await connection('/own'), ['keep-alive', '1;2;0;']);
});

test('a server on a UNIX socket reports its path', async (t) => {
  const { server, seen } = await start(t, (_, response) => void response.end());
  await closeServer(server, 1_000);
  const path = join(tmpdir(), `rollcall-${process.pid}.sock`);
  server.listen(path);
  await once(server, 'listening');
  assert.equal(seen.at(-1), path);
});

test('a server closes after the last response of a kept connection, before its keep-alive time', async (t) => {
  let finish: () => void = () => {};
  const { port, server } = await start(t, (_, response) => {
    response.write('begun');
    finish = () => response.end();
  });
  server.keepAliveTimeout = 60_000;
  const agent = new HttpAgent({ keepAlive: true });
  t.after(() => agent.destroy());
  const [response] = (await once(get({ port, host: '127.0.0.1', agent }), 'response')) as [IncomingMessage];
  let hasEnded = false;
  const closed = closeServer(server, 30_000).then(() => {
    hasEnded = true;
  });
  await new Promise(setImmediate);
  assert.equal(hasEnded, false);
  finish();
  response.resume();
  await closed;
});

test('a closing server waits at most 1 s for a connection without a request', async (t) => {
  const { port, server, inFlight } = await start(t, (_, response) => void response.end());
  const unused = connect(port, '127.0.0.1');
  await once(server, 'connection');
  const startMs = performance.now();
  await closeServer(server, 60_000, () => inFlight.count > 0);
  assert.ok(performance.now() - startMs < 20_000);
  unused.destroy();
});

test('every response has the load field for all ways of writing a head, and no other change', async (t) => {
  const heads: readonly [head: RequestListener, status: number, own: string | undefined][] = [
    [(_, response) => void response.end('implicit'), 200, undefined],
    [(_, response) => void response.setHeader('x-own', 'set').end('implicit'), 200, 'set'],
    [(_, response) => void response.writeHead(201, { 'x-own': 'object' }).end(), 201, 'object'],
    [(_, response) => void response.writeHead(202, 'Fine', ['x-own', 'list']).end(), 202, 'list'],
    [(_, response) => void response.writeHead(200, ['x-own', 'one', 'x-own', 'two']).end(), 200, 'one, two'],
    [(_, response) => void response.writeHead(200, PAIRS).end(), 200, 'pair'],
    [(_, response) => void response.setHeader('x-own', 'set').writeHead(200, { 'x-own': 'wins' }).end(), 200, 'wins'],
    [(_, response) => void response.writeHead(204).end(), 204, undefined],
    [(_, response) => void response.writeHead(304, { 'x-own': 'no body' }).end(), 304, 'no body'],
    [
      (_, response) => {
        response.flushHeaders();
        response.write('a');
        response.end('b');
      },
      200,
      undefined,
    ],
    [
      (_, response) => {
        response.writeContinue();
        response.writeEarlyHints({ link: '</style.css>; rel=preload' });
        response.end();
      },
      200,
      undefined,
    ],
  ];
  let index = 0;
  const { port } = await start(t, (request, response) => heads[index++]![0](request, response));
  for (const [head, status, own] of heads) {
    const { statusCode, headers } = await ask(port);
    assert.deepEqual(
      [statusCode, headers['x-own'], headers['rollcall-load']],
      [status, own, '1;2;0;'],
      head.toString(),
    );
  }
});

test('loadLine gets the own time of the request', async (t) => {
  const shares: number[] = [];
  const server = createServer((_, response) => {
    response.write('begun');
    response.end();
  });
  attachServer(server, new InFlight(() => performance.now(), new Latencies()), new Traffic(), {
    onListening() {},
    onUnixSocket() {},
    onClosed() {},
    isEnding: () => false,
    proofOf: () => undefined,
    loadLine: (shareMs) => {
      shares.push(shareMs);
      return `rollcall-load: 1;${shareMs.toFixed(3)};0;\r\n`;
    },
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => end(server));
  const { headers } = await ask((server.address() as AddressInfo).port);
  assert.equal(shares.length, 1, 'once for an answer in two pieces');
  assert.equal(headers['rollcall-load'], `1;${shares[0]!.toFixed(3)};0;`);
});

test('the application does not see the field, and its own writeHead is called', async (t) => {
  let seen: unknown;
  const { port } = await start(t, (_, response) => {
    // Like middleware that detects when the head is sent.
    const { writeHead } = response;
    response.writeHead = function (this: typeof response, ...head: unknown[]) {
      response.setHeader('x-late', '1');
      return Reflect.apply(writeHead, this, head);
    } as typeof writeHead;
    response.end();
    seen = response.getHeaders();
  });
  const { headers } = await ask(port);
  assert.deepEqual([headers['x-late'], headers['rollcall-load']], ['1', '1;2;0;']);
  assert.deepEqual({ ...(seen as object) }, { 'x-late': '1' });
});

test('streams, kept connections and upgrades work as without the SDK', async (t) => {
  const { port, server } = await start(t, (request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' });
    request.pipe(response);
  });
  server.on('upgrade', (_request, socket) => {
    socket.end('HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\nhello');
  });
  const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  for (let round = 0; round < 3; round += 1) {
    const outgoing = request({ port, host: '127.0.0.1', method: 'POST', agent });
    for (let part = 0; part < 20; part += 1) outgoing.write('x'.repeat(10_000));
    outgoing.end();
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    let length = 0;
    for await (const chunk of response) length += (chunk as Buffer).length;
    assert.equal(length, 200_000);
    assert.equal(response.headers['rollcall-load'], '1;2;0;');
  }
  const upgrade = get({ port, host: '127.0.0.1', headers: { connection: 'upgrade', upgrade: 'echo' } });
  const [answer, , rest] = (await once(upgrade, 'upgrade')) as [IncomingMessage, unknown, Buffer];
  assert.deepEqual([answer.headers['rollcall-load'], String(rest)], [undefined, 'hello']);
});

test('traffic of open and closed connections is counted in both directions', async (t) => {
  const { port, traffic } = await start(t, (request, response) => {
    request.resume().on('end', () => response.end('x'.repeat(50_000)));
  });
  const agent = new HttpAgent({ keepAlive: true });
  t.after(() => agent.destroy());
  const outgoing = request({ port, host: '127.0.0.1', method: 'POST', agent });
  outgoing.end('y'.repeat(20_000));
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  const { received, sent } = traffic;
  assert.ok(received > 20_000 && received < 21_000 && sent > 50_000 && sent < 51_000, `${received} ${sent}`);
  await ask(port);
  while (traffic.sent < 100_000) await new Promise(setImmediate);
});

test('a response without a head of HTTP/1 is not changed', () => {
  const server: Server = createServer();
  const inFlight = new InFlight(() => 0);
  attachServer(server, inFlight, new Traffic(), {
    onListening() {},
    onUnixSocket() {},
    onClosed() {},
    isEnding: () => false,
    loadLine: () => 'never',
    proofOf: () => 'never',
  });
  const response = new EventEmitter();
  server.emit('request', {}, response);
  assert.equal(inFlight.count, 1);
  response.emit('close');
  response.emit('close');
  assert.equal(inFlight.count, 0);
});

test('a detached server has no listeners of the SDK', async (t) => {
  const { port, detach, inFlight } = await start(t, (_, response) => void response.end());
  detach();
  assert.equal((await ask(port)).headers['rollcall-load'], undefined);
  assert.equal(inFlight.finished, 0);
});

test('a server is found in the objects of frameworks, and not in other values', () => {
  const server = createServer();
  assert.equal(serverOf(server), server);
  assert.equal(serverOf({ server }), server);
  for (const odd of [undefined, null, {}, () => {}, { server: {} }, 'server', 5])
    assert.equal(serverOf(odd), undefined);
});
