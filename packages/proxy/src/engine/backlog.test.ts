import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { closeWhenEmpty } from './backlog.ts';

const HOSTS = { '127.0.0.1': '127.0.0.1', '0.0.0.0': '127.0.0.1', '::1': '::1', '::': '::1' } as const;
/** Connections that begin in each turn. */
const A_TURN = [0, 1, 40];

/** Enough time for a slow machine to reach a turn without arrivals, milliseconds. */
const PATIENCE_MS = 20_000;

/** The outcome of one connection that sends a line. */
function ask(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    let seen = '';
    const socket = net.connect({ host, port }, () => socket.write('?'));
    socket.on('data', (octets) => {
      seen += octets.toString();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('end', () => {
      socket.end();
      resolve(seen);
    });
  });
}

for (const [host, target] of Object.entries(HOSTS))
  for (const aTurn of A_TURN)
    void test(`a port on ${host} closes without a reset while ${aTurn} clients connect in each turn`, async () => {
      const server = net.createServer((socket) => {
        socket.on('error', () => undefined).on('data', () => socket.end('!'));
      });
      server.listen(0, host);
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const asked: Promise<string>[] = [];
      let isClosed = false;
      const closed = closeWhenEmpty(server, { withinMs: PATIENCE_MS }).then(() => {
        isClosed = true;
      });
      for (let turn = 0; turn < 5; turn++) {
        for (let i = 0; i < aTurn; i++) asked.push(ask(target, port));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await closed;
      assert.ok(isClosed && !server.listening);
      asked.push(ask(target, port));
      const outcomes = new Set(await Promise.all(asked));
      assert.ok(outcomes.delete('ECONNREFUSED'), 'the port is not closed');
      outcomes.delete('!');
      assert.deepEqual([...outcomes], []);
    });

void test('a server that no longer listens is accepted', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.close();
  await closeWhenEmpty(server);
  assert.equal(server.listening, false);
});
