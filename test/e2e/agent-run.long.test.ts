/** `rollcall run` as the command itself, by real signals; and a program with the SDK inside. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ONE_SIGNAL_MS } from '@rollcall/agent';
import { type ScriptedCoordinator, type ScriptedPeer, startScriptedCoordinator } from '@rollcall/agent/testing';
import { ROLLCALL, TYPESCRIPT } from '../site/commands.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const COMMAND = [process.execPath, ROLLCALL];
const SERVE = `process.on('SIGTERM',()=>process.exit(0));require('node:http').createServer((q,a)=>{if(q.url==='/crash')process.exit(9);a.end(String(process.pid))}).listen(process.argv[1],'127.0.0.1')`;

interface Cluster {
  readonly coordinator: ScriptedCoordinator;
  start(...words: string[]): Running;
}

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<readonly [number | null, NodeJS.Signals | null]>;
  stderr(): string;
}

async function setUp(t: TestContext): Promise<Cluster> {
  const coordinator = await startScriptedCoordinator();
  const slots = mkdtempSync(join(tmpdir(), 'rollcall-run-'));
  t.after(async () => {
    await coordinator.close();
    rmSync(slots, { recursive: true });
  });
  return {
    coordinator,
    start(...words) {
      const flags = words[0] === 'run' ? ['--slot-dir', slots, '--coordinator', coordinator.url] : [];
      const child = spawn(COMMAND[0]!, [...COMMAND.slice(1), words[0]!, ...flags, ...words.slice(1)], {
        cwd: ROOT,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let text = '';
      child.stderr.on('data', (data) => {
        text += String(data);
      });
      const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
      // A second signal makes the wrapper kill the program's group before it ends itself.
      t.after(() => end(child, ended));
      return { child, ended, stderr: () => text };
    },
  };
}

/** Sends SIGTERM until the process has ended. */
async function end(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  const timer = setInterval(() => child.kill('SIGTERM'), 50);
  await ended;
  clearInterval(timer);
}

async function drainAndLeave(peer: ScriptedPeer): Promise<void> {
  await peer.next('status');
  peer.send({ type: 'drained' });
  await peer.next('leave');
}

test('a restarted program has the same id and route, and a second copy has others', async (t) => {
  const { coordinator, start } = await setUp(t);
  const ids: string[] = [];
  for (let round = 0; round < 2; round += 1) {
    const { child, ended } = start('run', '--balancer', 'shop', '--', process.execPath, '-e', SERVE, '{port}');
    const peer = await coordinator.peer();
    const node = await peer.accept();
    await peer.next('heartbeat');
    ids.push(node.id);
    assert.equal(node.route, node.id);
    if (round === 1) {
      const beside = start('run', '--balancer', 'shop', '--', process.execPath, '-e', SERVE, '{port}');
      const other = await coordinator.peer();
      assert.notEqual((await other.accept()).id, node.id);
      beside.child.kill('SIGTERM');
      await drainAndLeave(other);
      assert.deepEqual(await beside.ended, [0, null]);
    }
    child.kill('SIGTERM');
    await drainAndLeave(peer);
    assert.deepEqual(await ended, [0, null]);
  }
  assert.equal(ids[0], ids[1]);
});

test('several copies are kept, and one that crashes comes back under its own name', async (t) => {
  const { coordinator, start } = await setUp(t);
  const { child, ended } = start('run', '--id', 'shop', '--count', '2', '--', process.execPath, '-e', SERVE, '{port}');
  const peers = [await coordinator.peer(), await coordinator.peer()];
  const nodes = [await peers[0]!.accept(), await peers[1]!.accept()];
  assert.deepEqual(nodes.map((node) => node.id).sort(), ['shop-1', 'shop-2']);
  await assert.rejects(fetch(`${nodes[0]!.url}/crash`));
  await peers[0]!.next('leave');
  const again = await coordinator.peer();
  const node = await again.accept();
  assert.equal(node.id, nodes[0]!.id);
  assert.ok(node.incarnation! > nodes[0]!.incarnation!);
  await again.next('heartbeat');
  child.kill('SIGINT');
  await Promise.all([drainAndLeave(again), drainAndLeave(peers[1]!)]);
  assert.deepEqual(await ended, [0, null]);
});

test('a second signal ends wrapper and program at once', async (t) => {
  const { coordinator, start } = await setUp(t);
  const { child, ended } = start('run', '--', process.execPath, '-e', SERVE, '{port}');
  const peer = await coordinator.peer();
  const { url } = await peer.accept();
  child.kill('SIGINT');
  await peer.next('status');
  // Only one more: a further signal, while the wrapper exits without listeners, would end it by its default action.
  await setTimeout(ONE_SIGNAL_MS + 20);
  child.kill('SIGINT');
  assert.deepEqual(await ended, [137, null]);
  await assert.rejects(fetch(url));
});

test('a wrapper that is killed takes its program with it', { timeout: 180_000 }, async (t) => {
  const { coordinator, start } = await setUp(t);
  const { child, ended } = start('run', '--', process.execPath, '-e', SERVE, '{port}');
  const peer = await coordinator.peer();
  const { url } = await peer.accept();
  assert.equal((await fetch(url)).status, 200);
  child.kill('SIGKILL');
  // The program has the standard error of the wrapper: it is closed when both have ended.
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  await assert.rejects(fetch(url));
});

test('the wrapper registers a program with the description of its SDK, and flags override it', async (t) => {
  const { coordinator, start } = await setUp(t);
  const program = fileURLToPath(new URL('agent-programs/plain.ts', import.meta.url));
  const flags = ['--id', 'n1', '--balancer', 'wiki', '--host', 'wiki.test', '--ready', '/ready'];
  const { child, ended } = start('run', ...flags, '--', process.execPath, ...TYPESCRIPT, program);
  const peer = await coordinator.peer();
  const node = await peer.accept();
  assert.deepEqual([node.id, node.balancer, node.hosts, node.loadHeader], ['n1', 'wiki', ['wiki.test'], true]);
  child.kill('SIGTERM');
  await drainAndLeave(peer);
  assert.deepEqual(await ended, [143, null]);
});

for (const [name, words] of Object.entries({
  'a name with a space': ['run', '--balancer', 'my shop', '--', 'true'],
  'no command': ['run'],
  'an unknown option': ['run', '--nonsense', '--', 'true'],
  'an address that is none': ['join', 'localhost'],
})) {
  test(`${name} is one line and exit code 2`, async (t) => {
    const { start } = await setUp(t);
    const { ended, stderr } = start(...words);
    assert.deepEqual(await ended, [2, null]);
    assert.match(stderr(), /^rollcall: [^\n]+\n$/);
  });
}
