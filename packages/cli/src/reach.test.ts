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
      const base = request.url?.replace('/livez', '');
      if (base === '/ok') response.end('ok\n');
      else if (base === '/waiting') response.writeHead(503).end('not ready\n');
      else if (base === '/moved') response.writeHead(301, { location: 'https://a.test/?t=s3cret' }).end();
      else if (base === '/refusing') response.writeHead(421).end('{"code":"misdirected"}');
      else response.writeHead(200, { server: 'x/1' }).write('an endless page'.repeat(1_000));
    }),
  );
  const ssh = await listening(
    t,
    createServer((socket) => void socket.write('SSH-2.0-x\r\n')),
  );
  const url = `http://127.0.0.1:${port}`;
  const of = (path: string) => answerOf(url + path, '/livez');
  assert.deepEqual(await of('/ok'), { isOk: true });
  assert.deepEqual(await of('/waiting'), { isOk: false });
  assert.deepEqual(await of('/refusing'), { isOk: false });
  assert.deepEqual(await of('/page'), {
    none: { stage: 'other', sentence: `no coordinator at ${url}/page: not a Rollcall port: HTTP 200 from x/1` },
  });
  assert.deepEqual(await of('/moved'), {
    none: {
      stage: 'other',
      sentence: `no coordinator at ${url}/moved: not a Rollcall port: HTTP 301, which redirects to https://a.test/?***`,
    },
  });
  const secure = `https://127.0.0.1:${port}`;
  assert.deepEqual(await answerOf(secure, '/livez'), {
    none: { stage: 'tls', sentence: `connected to ${secure}, but the port does not speak TLS: use http://` },
  });
  const { none } = await answerOf(`http://127.0.0.1:${ssh}`, '/livez');
  assert.equal(none?.stage, 'other');
  assert.match(none.sentence, /: not a Rollcall port: the answer is not HTTP/);
});

test('addresses without an answer are reported with their causes', async (t) => {
  const gone = createServer();
  const port = await listening(t, gone);
  await new Promise((resolve) => gone.close(resolve));
  const unanswered = new Unanswered();
  for (const base of coordinatorUrls(`ws://127.0.0.1:${port}/x,127.0.0.1:${port}`, {}))
    unanswered.add((await answerOf(base, '/livez')).none!);
  const { message, exitCode } = unanswered.failure();
  const [first, second] = [`http://127.0.0.1:${port}/x`, `http://127.0.0.1:${port}`];
  assert.ok(
    message.startsWith(
      `cannot connect to ${first}: connection refused; cannot connect to ${second}: connection refused; start one with`,
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
