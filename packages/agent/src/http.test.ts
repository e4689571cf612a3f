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
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { attachServer, closeServer, type Listening, serverOf } from './http.ts';
import { InFlight } from './load/in-flight.ts';
import { Latencies } from './load/latencies.ts';
import { Traffic } from './load/traffic.ts';

async function start(t: TestContext, answer: RequestListener) {
  const server = createServer(answer);
  const inFlight = new InFlight(() => performance.now());
  const traffic = new Traffic();
  const seen: (Listening | 'closed')[] = [];
  const detach = attachServer(server, inFlight, traffic, {
    onListening: (listening) => void seen.push(listening),
    onClosed: () => void seen.push('closed'),
    loadLine: () => `rollcall-load: ${inFlight.count};2;0;\r\n`,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => closeServer(server, 0));
  return { server, inFlight, traffic, seen, detach, port: (server.address() as AddressInfo).port };
}

/** Not in Node's types or documents, and understood by it all the same. */
const PAIRS = [['x-own', 'pair']] as unknown as OutgoingHttpHeader[];

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
    loadLine: () => '',
  };
  attachServer(server, new InFlight(() => 0), new Traffic(), listener);
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

test('every answer carries the load field, however its head is written, and nothing else changes', async (t) => {
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

test('the head of each answer is told the own time of its request', async (t) => {
  const shares: number[] = [];
  const server = createServer((_, response) => {
    response.write('begun');
    response.end();
  });
  attachServer(server, new InFlight(() => performance.now(), new Latencies()), new Traffic(), {
    onListening() {},
    onClosed() {},
    loadLine: (shareMs) => {
      shares.push(shareMs);
      return `rollcall-load: 1;${shareMs.toFixed(3)};0;\r\n`;
    },
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => closeServer(server, 0));
  const { headers } = await ask((server.address() as AddressInfo).port);
  assert.equal(shares.length, 1, 'once for an answer in two pieces');
  assert.equal(headers['rollcall-load'], `1;${shares[0]!.toFixed(3)};0;`);
});

test('the application does not see the field, and its own writeHead is called as ever', async (t) => {
  let seen: unknown;
  const { port } = await start(t, (_, response) => {
    // As middleware does that wants to know when the head goes out.
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

test('streams, kept connections and upgrades go on as without it', async (t) => {
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

test('traffic is counted both ways, of connections that stand and of those that are over', async (t) => {
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

test('a response that has no head of HTTP/1 is left alone', () => {
  const server: Server = createServer();
  const inFlight = new InFlight(() => 0);
  attachServer(server, inFlight, new Traffic(), { onListening() {}, onClosed() {}, loadLine: () => 'never' });
  const response = new EventEmitter();
  server.emit('request', {}, response);
  assert.equal(inFlight.count, 1);
  response.emit('close');
  response.emit('close');
  assert.equal(inFlight.count, 0);
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
