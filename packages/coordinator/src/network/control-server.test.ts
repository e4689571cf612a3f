import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import net from 'node:net';
import { test } from 'node:test';
import { closeServer, listen } from './control-server.ts';

test('an open answer ends before the server closes, and a connection without a request does not delay it', async () => {
  const server = createServer();
  const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
  const asked = once(server, 'request') as Promise<[IncomingMessage, ServerResponse]>;
  const answer = fetch(`http://127.0.0.1:${port}/`);
  const silent = net.connect(port, '127.0.0.1').on('error', () => undefined);
  await once(silent, 'connect');
  const [, response] = await asked;
  const closed = closeServer(server);
  response.end('late');
  assert.equal(await (await answer).text(), 'late');
  await closed;
  if (!silent.destroyed) await once(silent, 'close');
  await assert.rejects(fetch(`http://127.0.0.1:${port}/`));
});
