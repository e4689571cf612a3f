/**
 * Latency of `/livez` of a real `rollcall up` while ten clients read the list of nodes in loops. With the admin token reads are
 * unbounded, without a token bounded. Not a test: prints figures.
 *
 *   npx tsc -b && node --conditions=@rollcall/source --import ./.tools/typescript.mjs test/measure/control-load.ts [nodes] [seconds]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROLLCALL } from '../site/commands.ts';

const READERS = 10;
const [nodes = 1_000, seconds = 15] = process.argv.slice(2).map(Number);

const stateDir = mkdtempSync(join(tmpdir(), 'rollcall-measure-'));
const listen = ['--proxy', '127.0.0.1:0', '--control', '127.0.0.1:0'];
const up = spawn(process.execPath, [ROLLCALL, 'up', ...listen, '--state-dir', stateDir, '--json'], {
  stdio: ['ignore', 'pipe', 'ignore'],
});
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    up.kill('SIGTERM');
    process.exit(1);
  });
const [line] = (await once(up.stdout, 'data')) as [Buffer];
const { controlUrl } = JSON.parse(line.toString().split('\n')[0]!) as { controlUrl: string };
const token = `Bearer ${readFileSync(join(stateDir, 'admin-token'), 'utf8').trim()}`;

const member = http.createServer((_, response) => response.end()).listen(0, '127.0.0.1');
await once(member, 'listening');
const url = `http://127.0.0.1:${(member.address() as AddressInfo).port}`;
for (let i = 0; i < nodes; i += 50)
  await Promise.all(
    Array.from({ length: Math.min(50, nodes - i) }, async (_, k) => {
      const headers = { authorization: token, 'content-type': 'application/json' };
      const body = JSON.stringify({ url, balancer: 'shop' });
      await (await fetch(`${controlUrl}/v1/nodes/n${i + k}`, { method: 'PUT', headers, body })).arrayBuffer();
    }),
  );

/** One request on a connection of its own; milliseconds until its answer has come. */
async function livezMs(): Promise<number> {
  const { hostname, port } = new URL(controlUrl);
  const startMs = performance.now();
  const socket = connect(Number(port), hostname);
  socket.end(`GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  socket.on('error', () => undefined).once('data', () => socket.destroy());
  await once(socket, 'close');
  return performance.now() - startMs;
}

for (const [who, headers] of [
  ['no client', undefined],
  ['ten clients with the admin token', { authorization: token }],
  ['ten clients without a token', {}],
] as const) {
  let isOver = false;
  let answers = 0;
  const loops = Array.from({ length: headers === undefined ? 0 : READERS }, async () => {
    while (!isOver) {
      const response = await fetch(`${controlUrl}/v1/nodes`, { headers: headers! });
      await response.arrayBuffer();
      answers += Number(response.ok);
    }
  });
  const times: number[] = [];
  const endMs = performance.now() + seconds * 1_000;
  while (performance.now() < endMs) {
    times.push(await livezMs());
    await sleep(10);
  }
  isOver = true;
  await Promise.all(loops);
  times.sort((one, other) => one - other);
  const at = (part: number): string => times[Math.floor(part * (times.length - 1))]!.toFixed(1);
  console.log(`${nodes} nodes, ${who} reading: /livez p50 ${at(0.5)} ms, p99 ${at(0.99)} ms; ${answers} lists read`);
}

up.kill('SIGTERM');
await once(up, 'exit');
member.close();
rmSync(stateDir, { recursive: true, force: true });
