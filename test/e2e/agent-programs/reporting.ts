/**
 * A program with the SDK that prints a JSON line for each event. `MODE` is `plain`, `https`, `two-servers`, `cluster`, `forks` or
 * `beside`. `forks`: a child with the SDK serves another port. `beside`: a child with the SDK represents a server without it.
 */
import { fork } from 'node:child_process';
import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type RollcallNode, type RollcallOptions, rollcall } from '@rollcall/agent';

const { MODE = 'plain', PORT = '0', TLS_KEY = '', TLS_CERT = '', WORKERS = '2' } = process.env;
const options = JSON.parse(process.env['SDK_OPTIONS'] ?? '{}') as RollcallOptions;

const say = (event: string, about: object = {}): void => {
  process.stdout.write(`${JSON.stringify({ event, pid: process.pid, ...about })}\n`);
};

function newNode(more: RollcallOptions = {}): RollcallNode {
  const node = rollcall({ ...options, ...more, sessions: () => 7, log: (line) => say('log', { line }) });
  node.metric('queue', { capacity: 10 }, () => 9);
  for (const name of ['registered', 'status', 'drained', 'disconnected', 'warning', 'error'] as const)
    node.on(name, (value) => say(name, { value }));
  return node;
}

function serve(port: number): void {
  const node = newNode();
  const answer: RequestListener = (request, response) => {
    if (request.url === '/not-ready') node.ready(false);
    if (request.url === '/ready') node.ready();
    if (request.url === '/slow') setTimeout(() => response.end('slow'), 1_000);
    else response.end(String(process.pid));
  };
  const server =
    MODE === 'https'
      ? createTlsServer({ key: readFileSync(TLS_KEY), cert: readFileSync(TLS_CERT) }, answer)
      : createServer(answer);
  node.attach(server);
  server.listen(port, () => say('listening', { port: (server.address() as AddressInfo).port }));
}

if (MODE === 'cluster' && cluster.isPrimary) {
  const workers = Array.from({ length: Number(WORKERS) }, () => cluster.fork());
  say('workers', { pids: workers.map((worker) => worker.process.pid) });
  const end = (): void => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM');
  };
  process.on('SIGTERM', end);
  // A rolling restart: a new worker serves before an old one ends.
  process.on('SIGUSR2', () => {
    const old = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
    const roll = (): void => {
      const last = old.shift();
      if (last === undefined) say('rolled');
      else
        cluster.fork().once('listening', () => {
          last.once('exit', roll);
          last.process.kill('SIGTERM');
        });
    };
    roll();
  });
  cluster.on('exit', (worker) => {
    say('exit', { worker: worker.process.pid });
    if (Object.keys(cluster.workers ?? {}).length === 0) process.exit(0);
  });
} else if (MODE === 'two-servers') {
  const node = newNode();
  const admin = createServer((_, response) => void response.end('admin'));
  node.attach(admin);
  admin.listen(0, '127.0.0.1', () => {
    const site = createServer((_, response) => void response.end('site'));
    node.attach(site);
    site.listen(Number(PORT));
  });
} else if (process.env['IS_CHILD'] === '1') {
  if (MODE === 'forks') serve(0);
  else {
    newNode({ port: Number(PORT) }).register();
    setInterval(() => {}, 1_000);
  }
} else {
  if (MODE === 'beside') createServer((_, response) => void response.end('alone')).listen(Number(PORT));
  else serve(Number(PORT));
  if (MODE === 'forks' || MODE === 'beside')
    fork(fileURLToPath(import.meta.url), { execArgv: process.execArgv, env: { ...process.env, IS_CHILD: '1' } });
}
