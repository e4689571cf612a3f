/** The causes of connections to real ports of other servers, and of refused connections. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AgentConnection } from './agent-connection.ts';
import { listening } from './testing/listening.ts';
import { selfSigned } from './testing/self-signed.ts';
import { systemTimers } from './timers.ts';

function detailOf(url: string, address?: string): Promise<string> {
  return new Promise((resolve) => {
    const listener = {
      onOpen: () => resolve('open'),
      onMessage: () => {},
      onMalformed: () => {},
      onEnd: ({ detail }: { detail: string }) => resolve(detail),
    };
    new AgentConnection(url, undefined, systemTimers(), listener, address);
  });
}

test('the cause describes a port of another server in one clause', async (t) => {
  const http = await listening(
    t,
    createHttpServer((_, response) => response.writeHead(404, { server: 'other/1' }).end('x'.repeat(100_000))),
  );
  const unfinished = await listening(
    t,
    createHttpServer((_, response) => void response.writeHead(200, { server: 'endless' }).write('x')),
  );
  const ssh = await listening(
    t,
    createServer((socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n')),
  );
  const alert = await listening(
    t,
    createServer((socket) => socket.once('data', () => socket.end(Buffer.from([0x15, 3, 3, 0, 2, 2, 10])))),
  );
  const closing = await listening(
    t,
    createServer((socket) => socket.once('data', () => socket.destroy())),
  );
  const https = await listening(t, createHttpsServer(selfSigned(t, 'ops.example')));
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-socket-'));
  const socket = join(directory, 'socket');
  const onSocket = createHttpServer((_, response) => response.writeHead(404, { server: 'other/2' }).end());
  onSocket.listen(socket);
  await once(onSocket, 'listening');
  t.after(() => {
    onSocket.close();
    rmSync(directory, { recursive: true });
  });
  const gone = createServer();
  const refused = await listening(t, gone);
  await new Promise((resolve) => gone.close(resolve));
  const noAnswer =
    /^the port closed the connection without an answer: not a Rollcall port, or a TLS port \(use wss:\/\/\)$/;
  for (const [url, words] of [
    [`ws://127.0.0.1:${http}`, /^not a Rollcall port: HTTP 404 from other\/1$/],
    [`ws://127.0.0.1:${unfinished}`, /^not a Rollcall port: HTTP 200 from endless$/],
    [`wss://127.0.0.1:${http}`, /^the port does not speak TLS: use ws:\/\/$/],
    [`ws://127.0.0.1:${ssh}`, /^not a Rollcall port: the answer is not HTTP \("SSH-2\.0-OpenSSH_9\.2"\)$/],
    [`ws://127.0.0.1:${alert}`, /^the port speaks TLS: use wss:\/\/$/],
    [`ws://127.0.0.1:${closing}`, noAnswer],
    [`ws://127.0.0.1:${https}`, noAnswer],
    [`wss://127.0.0.1:${closing}`, /^the port closed the connection during the TLS handshake$/],
    [`wss://127.0.0.1:${https}`, /^certificate not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT\): set ROLLCALL_CA \(--ca\)/],
    [`ws://127.0.0.1:${refused}`, /^connection refused$/],
    [`ws+unix:${socket}:`, /^not a Rollcall port: HTTP 404 from other\/2$/],
    [`ws+unix:/nonexistent/rollcall.sock:`, /^the socket does not exist \(ENOENT\)$/],
  ] as const)
    assert.match(await detailOf(`${url}/v1/agent`), words, url);
});

test('Host and SNI are the name if an address is given', async (t) => {
  const names: string[] = [];
  const secure = createHttpsServer({
    SNICallback: (name, callback) => {
      names.push(name);
      callback(new Error('no certificate'));
    },
  });
  const plain = createHttpServer((request, response) => {
    names.push(request.headers.host ?? '');
    response.writeHead(418).end();
  });
  const [securePort, plainPort] = [await listening(t, secure), await listening(t, plain)];
  await detailOf(`wss://ops.example:${securePort}/v1/agent`, '127.0.0.1');
  await detailOf(`ws://ops.example:${plainPort}/v1/agent`, '127.0.0.1');
  assert.deepEqual(names, ['ops.example', `ops.example:${plainPort}`]);
});
