/** Agents that know one coordinator of several with one Redis: they find the others, also one that joins later. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePorts } from '@rollcall/core/testing';
import type { CoordinatorsResource, NodeResource, NodesResource } from '@rollcall/protocol';
import { findRedisServer, HOW_TO_INSTALL, startRedisServer } from '@rollcall/store-redis/testing';
import { ROLLCALL, TYPESCRIPT } from '../site/commands.ts';
import { startUp, type Up, until } from './up.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PYTHON_AGENT = fileURLToPath(new URL('../../packages/protocol/examples/agent.py', import.meta.url));
const PROGRAM = `require('node:http').createServer((q,a)=>a.end('run')).listen(process.env.PORT,'127.0.0.1')`;
const WITH_SDK = `import{createServer}from'node:http';import{rollcall}from'@rollcall/agent';const s=createServer((q,a)=>a.end('sdk'));rollcall({balancer:'sdk',id:'sdk',contexts:['/sdk']}).attach(s);s.listen(0,'127.0.0.1')`;
const binary = findRedisServer();
const hasPython = spawnSync('python3', ['--version']).status === 0;

/** Starts a program that knows the coordinator at `url` only. Returns its output, line by line. */
function start(t: TestContext, command: string, args: readonly string[], url: string): readonly string[] {
  const env = { ...process.env, ROLLCALL_URL: url.replace('http', 'ws') };
  const child: ChildProcess = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], env });
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const lines: string[] = [];
  for (const input of [child.stdout!, child.stderr!]) createInterface({ input }).on('line', (line) => lines.push(line));
  return lines;
}

/** The node is up by heartbeats on an own connection. */
async function isConnected(up: Up, id: string): Promise<boolean> {
  const { nodes } = await up.api<NodesResource>('GET', '/v1/nodes');
  const node: NodeResource | undefined = nodes.find((one) => one.id === id);
  return node?.liveness === 'up' && node.heardBy === undefined;
}

test('agents that know one coordinator are connected to all, also to one that joins later', {
  timeout: 240_000,
  ...(binary === undefined && { skip: HOW_TO_INSTALL }),
}, async (t) => {
  const redis = await startRedisServer(binary!);
  t.after(() => redis.close());
  const ports = await freePorts(3);
  const urlOf = (at: number): string => `ws://127.0.0.1:${ports[at]}`;
  const ups = new Map<string, Up>();
  t.after(() => Promise.all([...ups.values()].map((up) => up.close())));
  const startOne = async (name: string, at: number): Promise<Up> => {
    const flags = ['--store', redis.url, '--control', `127.0.0.1:${ports[at]}`, '--advertise', urlOf(at)];
    const up = await startUp(...flags, '--name', name);
    ups.set(name, up);
    return up;
  };
  const [a, b] = await Promise.all([startOne('a', 0), startOne('b', 1)]);

  const slots = mkdtempSync(join(tmpdir(), 'rollcall-run-'));
  t.after(() => rmSync(slots, { recursive: true }));
  const flags = ['--slot-dir', slots, '--id', 'run', '--balancer', 'run', '--context', '/run'];
  const run = start(
    t,
    process.execPath,
    [ROLLCALL, 'run', ...flags, '--', process.execPath, '-e', PROGRAM],
    a.controlUrl,
  );
  const sdk = start(t, process.execPath, [...TYPESCRIPT, '--input-type=module', '-e', WITH_SDK], a.controlUrl);
  const ids = ['run', 'sdk'];
  if (hasPython) {
    const words = ['--id', 'py', '--balancer', 'py', '--serve', '0', '--host', 'py.test'];
    start(t, 'python3', [PYTHON_AGENT, ...words], a.controlUrl);
    ids.push('py');
  } else t.diagnostic('python3 is missing: apt-get install python3');
  for (const up of [a, b])
    for (const id of ids) await until(() => isConnected(up, id), `${id} to be connected to ${up.controlUrl}`);

  const c = await startOne('c', 2);
  for (const id of ids) await until(() => isConnected(c, id), `${id} to be connected to the third coordinator`);
  const { coordinators } = await a.api<CoordinatorsResource>('GET', '/v1/coordinators');
  assert.deepEqual(coordinators.map(({ name, url }) => [name, url]).sort(), [
    ['a', urlOf(0)],
    ['b', urlOf(1)],
    ['c', urlOf(2)],
  ]);
  assert.match(await a.command('coordinators'), new RegExp(`^c +running +${urlOf(2)} `, 'm'));

  // The coordinator that they were configured with ends: they stay with the others, and find it again.
  await a.close();
  ups.delete('a');
  for (const up of [b, c]) for (const id of ids) assert.ok(await isConnected(up, id), id);
  const again = await startOne('a', 0);
  for (const id of ids) await until(() => isConnected(again, id), `${id} to be connected again`);

  // One that ends in order leaves the list: its loss is one warning, and no attempt to reconnect is reported.
  await b.close();
  ups.delete('b');
  await until(async () => run.some((line) => line.includes(`lost the coordinator at ${urlOf(1)}`)), 'run to lose b');
  await until(
    async () => (await c.api<CoordinatorsResource>('GET', '/v1/coordinators')).coordinators.length === 2,
    'b to be gone',
  );
  assert.deepEqual(
    [...run, ...sdk].filter((line) => /is not used/.test(line)),
    [],
  );
});
