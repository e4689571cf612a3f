/** `rollcall run` around programs in the languages people have. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Site, until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

const TIMEOUT_MS = 120_000;
const noPhp = existsSync('/usr/bin/php') ? false : 'apt-get install php-cli';
const noCompiler = existsSync('/usr/bin/gcc') ? false : 'apt-get install gcc libc6-dev';

const WSGI = `
import os, sys
from wsgiref.simple_server import make_server
def app(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [('%s for %s' % (os.environ['ROLLCALL_NODE_ID'], environ['HTTP_HOST'])).encode()]
make_server('127.0.0.1', int(sys.argv[1]), app).serve_forever()
`;

/** HTTP in forty lines, no library but libc: one connection after the other, in a child of its own. */
const C_SERVER = `
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int argc, char **argv) {
  signal(SIGCHLD, SIG_IGN);
  int one = 1, server = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(server, (struct sockaddr *)&at, sizeof at) || listen(server, 64)) return 3;
  for (;;) {
    int client = accept(server, 0, 0);
    if (client < 0) continue;
    if (fork() == 0) {
      char head[8192];
      size_t used = 0;
      while (used < sizeof head - 1) {
        ssize_t more = read(client, head + used, sizeof head - 1 - used);
        if (more <= 0) break;
        used += more;
        head[used] = 0;
        if (strstr(head, "\\r\\n\\r\\n")) break;
      }
      const char *answer = "HTTP/1.1 200 OK\\r\\nContent-Length: 13\\r\\nConnection: close\\r\\n\\r\\nfrom a binary";
      write(client, answer, strlen(answer));
      close(client);
      _exit(0);
    }
    close(client);
  }
}`;

async function served(site: Site, id: string): Promise<string> {
  await until(async () => (await site.node(id))?.liveness === 'up', `${id} is not up`);
  await site.isCurrent();
  const answer = await new Visitor(site.proxyPort, { host: 'www.example' }).get('/');
  assert.equal(answer.status, 200);
  return answer.body;
}

test('Python with WSGI', { timeout: TIMEOUT_MS }, async (t) => {
  const site = await Site.start(t);
  writeFileSync(join(site.directory, 'app.py'), WSGI);
  site.start(['run', '--id', 'wsgi-1', '--', 'python3', 'app.py', '{port}']);
  assert.equal(await served(site, 'wsgi-1'), 'wsgi-1 for www.example');
});

test('PHP with its own server', { timeout: TIMEOUT_MS, skip: noPhp }, async (t) => {
  const site = await Site.start(t);
  writeFileSync(
    join(site.directory, 'index.php'),
    '<?php echo getenv("ROLLCALL_ROUTE"), " ", $_SERVER["HTTP_X_FORWARDED_HOST"];',
  );
  site.start(['run', '--id', 'php-1', '--route', 'r1', '--', 'php', '-S', '127.0.0.1:{port}', '-t', '.']);
  assert.equal(await served(site, 'php-1'), 'r1 www.example');
});

test('a static binary that forks for each connection', { timeout: TIMEOUT_MS, skip: noCompiler }, async (t) => {
  const site = await Site.start(t);
  writeFileSync(join(site.directory, 'server.c'), C_SERVER);
  execFileSync('gcc', ['-O1', '-w', '-static', '-o', 'server', 'server.c'], { cwd: site.directory });
  const run = site.start(['run', '--id', 'binary-1', '--', './server', '{port}']);
  assert.equal(await served(site, 'binary-1'), 'from a binary');
  const exited = new Promise((resolve) => run.once('exit', resolve));
  run.kill('SIGTERM');
  await exited;
  const left = execFileSync('sh', ['-c', `ps -eo args= | grep -c "^./server [0-9]" || true`]).toString().trim();
  assert.equal(left, '0', 'nothing of it is left');
});

test('a program that writes a hundred megabytes to its standard output is not held up', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const site = await Site.start(t);
  writeFileSync(
    join(site.directory, 'loud.js'),
    `const { writeSync } = require('node:fs');
     const line = Buffer.from('x'.repeat(1023) + '\\n');
     require('node:http').createServer((request, response) => {
       if (request.url === '/loud') for (let i = 0; i < 102400; i++) for (let at = 0; at < 1024; ) { try { at += writeSync(1, line, at); } catch (error) { if (error.code !== 'EAGAIN') throw error; } }
       response.end('done');
     }).listen(process.env.PORT, '127.0.0.1');`,
  );
  const run = site.start(['run', '--id', 'loud-1', '--', process.execPath, 'loud.js']);
  let heard = 0;
  run.stdout!.on('data', (octets: Buffer) => (heard += octets.length));
  await served(site, 'loud-1');
  assert.equal((await new Visitor(site.proxyPort).get('/loud', { timeoutMs: 60_000 })).body, 'done');
  await until(() => heard === 102_400 * 1_024, 'not all of it came through');
});

test('five copies: all up, each with its own port and id, all gone at the end', { timeout: TIMEOUT_MS }, async (t) => {
  const site = await Site.start(t);
  const pids = join(site.directory, 'pids');
  writeFileSync(
    join(site.directory, 'copy.js'),
    `require('node:fs').appendFileSync(${JSON.stringify(pids)}, process.pid + '\\n');
     require('node:http').createServer((_, response) => response.end(process.env.ROLLCALL_NODE_ID)).listen(process.env.PORT, '127.0.0.1');`,
  );
  const run = site.start(['run', '--id', 'copy', '--count', '5', '--', process.execPath, 'copy.js']);
  const ids = Array.from({ length: 5 }, (_, i) => `copy-${i + 1}`);
  for (const id of ids) await served(site, id);
  const seen = new Set<string>();
  for (let i = 0; i < 25; i++) seen.add((await new Visitor(site.proxyPort).get('/')).body);
  assert.deepEqual([...seen].sort(), ids);
  const exited = new Promise((resolve) => run.once('exit', (code) => resolve(code)));
  run.kill('SIGTERM');
  assert.equal(await exited, 0);
  for (const id of ids) assert.equal((await site.node(id))?.liveness, 'gone');
  for (const pid of readFileSync(pids, 'utf8').trim().split('\n'))
    assert.throws(() => process.kill(Number(pid), 0), pid);
});

test('join: a program that another process keeps is a node while it answers, and keeps running when join ends', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const site = await Site.start(t);
  const daemon = spawn(
    process.execPath,
    [
      '-e',
      `const s = require('node:http').createServer((_, r) => r.end('daemon')).listen(0, '127.0.0.1', () => console.log(s.address().port))`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  t.after(() => daemon.kill('SIGKILL'));
  const port = Number(String(await new Promise((resolve) => daemon.stdout.once('data', resolve))));
  const join = site.start([
    'join',
    `http://127.0.0.1:${port}`,
    '--id',
    'daemon-1',
    '--pid',
    String(daemon.pid),
    '--ready',
    '/',
  ]);
  assert.equal(await served(site, 'daemon-1'), 'daemon');
  const ended = new Promise((resolve) => join.once('exit', resolve));
  join.kill('SIGTERM');
  assert.equal(await ended, 0);
  assert.equal((await site.node('daemon-1'))?.liveness, 'gone');
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'daemon', 'the program itself keeps running');

  const again = site.start(['join', `http://127.0.0.1:${port}`, '--id', 'daemon-1', '--pid', String(daemon.pid)]);
  await served(site, 'daemon-1');
  const over = new Promise((resolve) => again.once('exit', resolve));
  daemon.kill('SIGKILL');
  assert.equal(await over, 1, 'with its program the node ends');
  await until(async () => (await site.node('daemon-1'))?.liveness === 'gone', 'the node stays');
});

test('curl: a lease that repeating the PUT renews, and a member for good', { timeout: TIMEOUT_MS }, async (t) => {
  const site = await Site.start(t);
  const { port } = await site.addNode('static-1', { balancer: 'curl' }, (_, response) => response.end('by curl'));
  const url = `http://127.0.0.1:${port}`;
  await site.put('lease-1', { url, balancer: 'curl', ttlMs: 1_000 });
  for (let i = 0; i < 6; i++) {
    await new Promise((resolve) => setTimeout(resolve, 400));
    const node = await site.put('lease-1', { url, balancer: 'curl', ttlMs: 1_000 });
    assert.equal(node.liveness, 'up', 'a lease that is renewed holds');
  }
  await until(async () => (await site.node('lease-1'))?.liveness === 'gone', 'the lease does not end');
  assert.equal((await site.node('static-1'))?.liveness, 'up');
});
