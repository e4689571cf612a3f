import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { listening } from '@rollcall/agent/testing';
import { coordinatorUrls } from './coordinator-url.ts';
import { CliFailure } from './exit.ts';
import { answerOf, Unanswered } from './reach.ts';

test('answers of a coordinator are distinguished from those of other servers', async (t) => {
  const port = await listening(
    t,
    createHttpServer((request, response) => {
      if (request.url === '/ok') response.end('ok\n');
      else if (request.url === '/waiting') response.writeHead(503).end('not ready\n');
      else if (request.url === '/moved') response.writeHead(301, { location: 'https://a.test/?t=s3cret' }).end();
      else if (request.url === '/refusing') response.writeHead(421).end('{"code":"misdirected"}');
      else response.writeHead(200, { server: 'x/1' }).write('a page without an end'.repeat(1_000));
    }),
  );
  const ssh = await listening(
    t,
    createServer((socket) => void socket.write('SSH-2.0-x\r\n')),
  );
  const of = (path: string) => answerOf(`http://127.0.0.1:${port}${path}`);
  assert.deepEqual(await of('/ok'), { isOk: true });
  assert.deepEqual(await of('/waiting'), { isOk: false });
  assert.deepEqual(await of('/refusing'), { isOk: false });
  assert.deepEqual(await of('/page'), { cause: 'not a Rollcall port: HTTP 200 from x/1' });
  assert.deepEqual(await of('/moved'), {
    cause: 'not a Rollcall port: HTTP 301, which redirects to https://a.test/?***',
  });
  assert.deepEqual(await answerOf(`https://127.0.0.1:${port}/ok`), {
    cause: 'the port does not speak TLS: use http://',
  });
  assert.match(
    (await answerOf(`http://127.0.0.1:${ssh}/ok`)).cause ?? '',
    /^not a Rollcall port: the answer is not HTTP/,
  );
});

test('addresses that did not answer are named with their causes', async (t) => {
  const gone = createServer();
  const port = await listening(t, gone);
  await new Promise((resolve) => gone.close(resolve));
  const unanswered = new Unanswered();
  for (const base of coordinatorUrls(`ws://127.0.0.1:${port}/x,127.0.0.1:${port}`, {}))
    unanswered.add(base, (await answerOf(`${base}/livez`)).cause ?? '');
  const { message, exitCode } = unanswered.failure();
  const [first, second] = [`http://127.0.0.1:${port}/x`, `http://127.0.0.1:${port}`];
  assert.ok(
    message.startsWith(
      `no coordinator answers at ${first}: connection refused; at ${second}: connection refused; start one with`,
    ),
    message,
  );
  assert.equal(exitCode, 3);
});

test('an address with a password is refused without printing it', () => {
  assert.throws(
    () => coordinatorUrls(undefined, { ROLLCALL_URL: 'wss://u:s3cret@ops.example' }),
    (error) => {
      assert.ok(error instanceof CliFailure);
      assert.equal(error.exitCode, 2);
      assert.doesNotMatch(error.message, /s3cret/);
      assert.match(error.message, /ROLLCALL_ADMIN_TOKEN/);
      return true;
    },
  );
});
