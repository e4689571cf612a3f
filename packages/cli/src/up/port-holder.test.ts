import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { test } from 'node:test';
import { portHolder } from './port-holder.ts';

const skip = process.platform !== 'linux';

async function listeningOn(host: string): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  return { server, port: (server.address() as { port: number }).port };
}

for (const host of ['127.0.0.1', '0.0.0.0', '::1'])
  test(`the process that listens on ${host} is named with its command and pid`, { skip }, async (t) => {
    const { server, port } = await listeningOn(host);
    t.after(() => server.close());
    const holder = portHolder(port);
    assert.match(holder ?? '', new RegExp(`\\(pid ${process.pid}\\)$`));
    assert.match(holder ?? '', /node/);
    assert.ok(holder!.length <= 80 + ` (pid ${process.pid})`.length);
  });

test('a free port, a closed one, and the port of a client have no holder', { skip }, async () => {
  const { server, port } = await listeningOn('127.0.0.1');
  const client = connect(port, '127.0.0.1');
  await once(client, 'connect');
  assert.equal(portHolder(client.localPort!), undefined);
  client.destroy();
  server.close();
  await once(server, 'close');
  assert.equal(portHolder(port), undefined);
  assert.equal(portHolder(0), undefined);
});
