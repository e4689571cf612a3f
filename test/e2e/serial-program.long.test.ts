/** Programs that serve one connection at a time and keep it open: the classic `http.server` of Python with HTTP/1.1. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { NodeResource } from '@rollcall/protocol';
import { ROLLCALL } from '../site/commands.ts';
import { startUp, until } from './up.ts';

const PROGRAM = `
import os, time
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        if self.path != '/health': time.sleep(0.05)
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_OPTIONS(self):
        self.send_response(204)
        self.send_header('Content-Length', '0')
        self.end_headers()
    def log_message(self, *_): pass
HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
`;
const hasPython = spawnSync('python3', ['--version']).status === 0;
const USERS = 8;
const REQUESTS = 30;

test('two copies of a program that serves one connection at a time answer eight users', {
  skip: hasPython ? false : 'python3 is missing: apt-get install python3',
}, async (t) => {
  const up = await startUp('--workers', '1');
  const directory = mkdtempSync(join(tmpdir(), 'serial-program-'));
  writeFileSync(join(directory, 'serial.py'), PROGRAM);
  const flags = ['--count', '2', '--ready', '/health', '--slot-dir', join(directory, 'slots')];
  const run = spawn(process.execPath, [ROLLCALL, 'run', ...flags, '--', 'python3', join(directory, 'serial.py')], {
    env: { ...process.env, ROLLCALL_URL: up.controlUrl },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  t.after(async () => {
    run.kill('SIGTERM');
    await once(run, 'exit');
    await up.close();
    rmSync(directory, { recursive: true, force: true });
  });
  await until(async () => {
    const { nodes } = await up.api<{ nodes: readonly NodeResource[] }>('GET', '/v1/nodes');
    return nodes.filter(({ liveness }) => liveness === 'up').length === 2 && (await fetch(up.proxyUrl)).ok;
  }, 'both copies');
  const seen = new Set<number>();
  let slowestMs = 0;
  const user = async (): Promise<void> => {
    let cookie = '';
    for (let i = 0; i < REQUESTS; i++) {
      const startMs = performance.now();
      const response = await fetch(up.proxyUrl, cookie === '' ? {} : { headers: { cookie } });
      await response.text();
      seen.add(response.status);
      slowestMs = Math.max(slowestMs, performance.now() - startMs);
      cookie ||= (response.headers.get('set-cookie') ?? '').split(';')[0]!;
    }
  };
  await Promise.all(Array.from({ length: USERS }, user));
  assert.deepEqual([...seen], [200]);
  // Each copy has its own 120 requests of 50 ms; one that starves would wait for the upstream timeout of 30 s.
  assert.ok(slowestMs < 20_000, `the slowest request took ${Math.round(slowestMs)} ms`);
});
