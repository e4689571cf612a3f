/** A log can only lose lines: whatever standard error is, requests, probes, signals and exit codes do not change. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../site/site.ts';
import { BrokenLogSite, closeTerminal, lacksMounts, lacksPython } from './broken-log/broken-log.ts';

test('up, run and join on a full disk serve and end as usual; with free space they report the lost lines', {
  skip: lacksMounts,
  timeout: 180_000,
}, async (t) => {
  const site = await BrokenLogSite.onFullDisk(t);
  await site.makeNoise();
  await until(async () => {
    const metrics = await site.metrics();
    const count = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(metrics)?.[1]);
    return (
      count('rollcall_log_lines_lost_total{process="control"}') > 0 && count('rollcall_access_log_lines_lost_total') > 0
    );
  }, 'no lost lines in /metrics');
  site.makeRoom();
  await until(
    () => /"name":"control".*"msg":"[\d,]+ log lines? w(as|ere) lost \(ENOSPC\)"}\n/.test(site.read('log')),
    'no report',
  );
  await until(
    () => /access log lines? w(as|ere) lost \(ENOSPC\)/.test(site.read('log')),
    'no report of the access log',
  );
  assert.match(site.read('access.log'), /"GET \/app\?x+ HTTP\/1\.1" 200/);
  await site.serveAndEnd();
});

test('up, run and join serve and end as usual when log and access log are not read any more', {
  skip: lacksPython,
  timeout: 180_000,
}, async (t) => {
  const flags = ['--access-log', '-', '--access-log-format', 'json'];
  const site = await BrokenLogSite.start(t, 'stopped-socket', { flags, output: 'stopped' });
  await site.serveAndEnd();
});

test('a terminal that closes ends up in order, with exit code 0', {
  skip: lacksPython,
  timeout: 180_000,
}, async (t) => {
  const ports = ['--proxy', '127.0.0.1:0', '--control', '127.0.0.1:0'];
  const ended = await closeTerminal(t, (directory) => ['up', ...ports, '--state-dir', directory], /add a program/);
  assert.deepEqual(ended, { code: 0, left: [] });
});

test('a terminal that closes ends run with the exit code of its program', {
  skip: lacksPython,
  timeout: 180_000,
}, async (t) => {
  // Not Node, which aborts at its end when its terminal is gone.
  const program = `import http.server, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
server = http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.BaseHTTPRequestHandler)
print('it ' + 'listens', flush=True)
server.serve_forever()`;
  const words = ['run', '--coordinator', 'http://127.0.0.1:9', '--', 'python3', '-c', program, '{port}'];
  assert.deepEqual(await closeTerminal(t, () => words, /it listens/), { code: 7, left: [] });
});
