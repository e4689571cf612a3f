import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import http, { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { answerFile } from './static-site.ts';

test('only files below the directory are sent', async (t) => {
  const outside = mkdtempSync(join(tmpdir(), 'rollcall-static-'));
  t.after(() => rmSync(outside, { recursive: true }));
  const directory = join(outside, 'www');
  mkdirSync(join(directory, 'sub', 'empty'), { recursive: true });
  writeFileSync(join(outside, 'secret.txt'), 'secret');
  writeFileSync(join(directory, 'a.txt'), 'content of a');
  writeFileSync(join(directory, '.hidden'), 'hidden');
  writeFileSync(join(directory, 'sub', 'index.html'), '<p>index');
  symlinkSync('../secret.txt', join(directory, 'out.txt'));
  symlinkSync('a.txt', join(directory, 'in.txt'));
  const server = createServer(
    (request, response) => void answerFile({ context: '/files', directory }, request, response),
  );
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const ask = (
    path: string,
    method = 'GET',
    headers = {},
  ): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: string }> =>
    new Promise((resolve, reject) => {
      const request = http.request({ port, path, method, headers, agent: false }, (response) => {
        let body = '';
        response.on('data', (chunk) => (body += chunk));
        response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }));
      });
      request.on('error', reject).end();
    });

  const whole = await ask('/files/a.txt?x=1');
  assert.deepEqual(
    [whole.status, whole.body, whole.headers['content-type']],
    [200, 'content of a', 'text/plain; charset=utf-8'],
  );
  assert.equal((await ask('/files/in.txt')).body, 'content of a');
  assert.equal((await ask('/files/sub/')).body, '<p>index');
  const part = await ask('/files/a.txt', 'GET', { range: 'bytes=0-6' });
  assert.deepEqual([part.status, part.body, part.headers['content-range']], [206, 'content', 'bytes 0-6/12']);
  assert.equal((await ask('/files/a.txt', 'GET', { 'if-none-match': whole.headers.etag })).status, 304);
  assert.equal((await ask('/files/a.txt', 'GET', { 'if-modified-since': whole.headers['last-modified'] })).status, 304);
  assert.deepEqual([(await ask('/files/a.txt', 'HEAD')).status, (await ask('/files/a.txt', 'HEAD')).body], [200, '']);
  const bare = await ask('/files?x=1');
  assert.deepEqual([bare.status, bare.headers.location], [301, '/files/?x=1']);
  assert.equal((await ask('/files/a.txt', 'POST')).status, 405);
  for (const path of [
    '/files/',
    '/files/sub/empty/',
    '/files/sub',
    '/files/none',
    '/files/.hidden',
    '/files/out.txt',
    '/files/../secret.txt',
    '/files/%2e%2e/secret.txt',
    '/files/..%2fsecret.txt',
    '/files/sub/../../secret.txt',
    '/files/%00',
    '/files/%zz',
    '/files/a.txt/',
  ]) {
    const { status, body } = await ask(path);
    assert.deepEqual([status, body], [404, 'no such file\n'], path);
  }
});
