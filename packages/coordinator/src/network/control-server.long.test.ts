import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { closeServer, createUpgradeServer, listen, SERVER_BOUNDS } from './control-server.ts';

test('C36: the agents port closes silent connections and unfinished heads soon after their time', async (t) => {
  const server = createUpgradeServer(undefined);
  t.after(() => closeServer(server));
  const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
  const times = ['', 'GET /v1/agent HTTP/1.1\r\n'].map(async (head) => {
    const socket = connect(port, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.on('error', () => undefined).resume();
    await once(socket, 'connect');
    const startMs = performance.now();
    socket.write(head);
    await once(socket, 'close');
    return performance.now() - startMs;
  });
  // By default Node.js checks for late requests every 30 s.
  for (const ms of await Promise.all(times)) assert.ok(ms < SERVER_BOUNDS.headersTimeout + 10_000, `${ms} ms`);
});
