/** A program with the SDK is announced with the address of its server; with a real `rollcall up`. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { rollcall } from '@rollcall/agent';
import { startUp, until } from './up.ts';

/** A server that answers with `name`; ends with the test. */
async function serve(t: TestContext, name: string, host: string, port = 0): Promise<Server> {
  const server = createServer((_, response) => void response.end(name));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  server.listen(port, host);
  await once(server, 'listening');
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

for (const { what, flags, host, other, url } of [
  {
    what: 'a server on 127.0.0.2 beside another program on the same port of 127.0.0.1',
    flags: [],
    host: '127.0.0.2',
    other: '127.0.0.1',
    url: 'http://127.0.0.2',
  },
  {
    what: 'a server on 0.0.0.0 and a coordinator on [::1], where another program has the port',
    flags: ['--control', '[::1]:0'],
    host: '0.0.0.0',
    other: '::1',
    url: 'http://127.0.0.1',
  },
])
  test(what, async (t) => {
    const up = await startUp(...flags);
    t.after(() => up.close());
    const server = await serve(t, 'the node', host);
    await serve(t, 'another program', other, portOf(server));
    const lines: string[] = [];
    const node = rollcall({ coordinator: up.controlUrl, signals: [], log: (line) => lines.push(line) });
    t.after(() => node.close());
    const registered = new Promise<string>((resolve) => node.on('registered', (message) => resolve(message.node.url)));
    node.attach(server);
    assert.equal(await registered, `${url}:${portOf(server)}`, lines.join('\n'));
    await until(async () => (await fetch(up.proxyUrl)).status === 200, 'the node to be up');
    for (let round = 0; round < 5; round += 1) assert.equal(await (await fetch(up.proxyUrl)).text(), 'the node');
  });
