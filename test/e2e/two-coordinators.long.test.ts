/** A node by the SDK and one by `rollcall run`, each connected to two coordinators that share nothing. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { NodesResource } from '@rollcall/protocol';
import { ROLLCALL, TYPESCRIPT } from '../site/commands.ts';
import { startUp, type Up } from './up.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAM = `require('node:http').createServer((q,a)=>setTimeout(()=>a.end('run'),q.url==='/run/slow'?1500:0)).listen(process.env.PORT,'127.0.0.1')`;
const WITH_SDK = `import{createServer}from'node:http';import{rollcall}from'@rollcall/agent';const s=createServer((q,a)=>a.end('sdk'));rollcall({balancer:'sdk',id:'sdk',contexts:['/sdk']}).attach(s);s.listen(0,'127.0.0.1')`;
const DEADLINE_MS = 30_000;

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS;
  while (!(await isSo())) {
    assert.ok(performance.now() < endMs, `${what} within ${DEADLINE_MS} ms`);
    await pause(50);
  }
}

async function livenessAt(up: Up, id: string): Promise<string | undefined> {
  const { nodes } = await up.api<NodesResource>('GET', '/v1/nodes');
  return nodes.find((node) => node.id === id)?.liveness;
}

const textAt = async (up: Up, path: string): Promise<string> => {
  const response = await fetch(up.proxyUrl + path);
  return response.ok ? response.text() : `${response.status}`;
};

function start(t: TestContext, args: readonly string[], coordinators: string): ChildProcess {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ROLLCALL_URL: coordinators },
  });
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return child;
}

test('nodes are up at both coordinators, outlive one of them, and leave both in order', {
  timeout: 180_000,
}, async (t) => {
  const slots = mkdtempSync(join(tmpdir(), 'rollcall-run-'));
  t.after(() => rmSync(slots, { recursive: true }));
  const ups = await Promise.all([startUp(), startUp()]);
  const closed = new Set<Up>();
  const close = async (up: Up): Promise<void> => {
    if (closed.has(up)) return;
    closed.add(up);
    await up.close();
  };
  t.after(() => Promise.all(ups.map(close)));
  const urls = ups.map(({ controlUrl }) => controlUrl).join(',');
  const flags = ['--slot-dir', slots, '--id', 'run', '--balancer', 'run', '--context', '/run'];
  const run = start(t, [ROLLCALL, 'run', ...flags, '--', process.execPath, '-e', PROGRAM], urls);
  const sdk = start(t, [...TYPESCRIPT, '--input-type=module', '-e', WITH_SDK], urls);
  for (const up of ups)
    for (const id of ['run', 'sdk']) {
      await until(`${id} is up`, async () => (await livenessAt(up, id)) === 'up');
      await until(`${id} answers`, async () => (await textAt(up, `/${id}`)) === id);
    }

  // A drain at one coordinator: the agent of the node shows it, and the other coordinator continues to send requests.
  await ups[0]!.api('POST', '/v1/nodes/run/drain', { force: true });
  assert.equal(await textAt(ups[1]!, '/run'), 'run');
  await ups[0]!.api('POST', '/v1/nodes/run/enable', {});

  await close(ups[0]!);
  for (const id of ['run', 'sdk']) {
    assert.equal(await textAt(ups[1]!, `/${id}`), id);
    assert.equal(await livenessAt(ups[1]!, id), 'up');
  }

  const third = await startUp('--control', new URL(ups[0]!.controlUrl).host);
  t.after(() => close(third));
  for (const id of ['run', 'sdk']) await until(`${id} is back`, async () => (await textAt(third, `/${id}`)) === id);

  const slow = textAt(third, '/run/slow');
  await pause(200);
  run.kill('SIGTERM');
  sdk.kill('SIGTERM');
  assert.equal(await slow, 'run', 'a request in flight is answered');
  for (const up of [ups[1]!, third])
    for (const id of ['run', 'sdk'])
      await until(`${id} has left, and is ${await livenessAt(up, id)} of ${up.controlUrl}`, async () =>
        [undefined, 'gone'].includes(await livenessAt(up, id)),
      );
});
