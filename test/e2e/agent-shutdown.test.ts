/** How a program with the SDK ends: as a process of its own, by real signals. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ScriptedCoordinator, startScriptedCoordinator } from '@rollcall/agent/testing';

interface Started {
  readonly child: ChildProcess;
  readonly coordinator: ScriptedCoordinator;
  /** The next line of its standard output. */
  line(): Promise<string>;
  readonly ended: Promise<readonly [number | null, NodeJS.Signals | null]>;
}

async function start(t: TestContext, program: string): Promise<Started> {
  const coordinator = await startScriptedCoordinator();
  const file = fileURLToPath(new URL(`agent-programs/${program}.ts`, import.meta.url));
  const child = spawn(process.execPath, ['--conditions=@rollcall/source', '--import', 'tsx', file], {
    env: { ...process.env, ROLLCALL_URL: coordinator.url },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  t.after(async () => {
    child.kill('SIGKILL');
    await coordinator.close();
  });
  return { child, coordinator, ended, line: async () => String((await lines.next()).value) };
}

/** Sends `signal` again and again until the process has ended, as somebody impatient does. */
async function insist(child: ChildProcess, signal: NodeJS.Signals, ended: Promise<unknown>): Promise<void> {
  const timer = setInterval(() => child.kill(signal), 50);
  await ended;
  clearInterval(timer);
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal}: serves until drained, leaves, and then dies of the signal`, async (t) => {
    const { child, coordinator, line, ended } = await start(t, 'plain');
    const port = await line();
    const peer = await coordinator.peer();
    await peer.accept();
    await peer.next('heartbeat');
    child.kill(signal);
    const status = await peer.next('status');
    assert.deepEqual([status.status, status.reason, status.deadlineMs], ['stopped', signal, 8_000]);
    assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
    peer.send({ type: 'drained' });
    await peer.next('leave');
    assert.deepEqual(await ended, [null, signal]);
  });
}

test('a second signal ends at once', async (t) => {
  const { child, coordinator, ended } = await start(t, 'plain');
  const peer = await coordinator.peer();
  await peer.accept();
  child.kill('SIGTERM');
  await peer.next('status');
  await insist(child, 'SIGTERM', ended);
  assert.deepEqual(await ended, [null, 'SIGTERM']);
  assert.ok(!peer.received.some((message) => message.type === 'leave'));
});

test('without any coordinator a signal ends the program as if we were not there', async (t) => {
  const { child, coordinator, line, ended } = await start(t, 'plain');
  await coordinator.close();
  await line();
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [null, 'SIGTERM']);
});

test('a program that ends by itself is not held, and leaves on its way', async (t) => {
  const { coordinator, line, ended } = await start(t, 'plain');
  const port = await line();
  const peer = await coordinator.peer();
  await peer.accept();
  await (await fetch(`http://127.0.0.1:${port}/exit`, { headers: { connection: 'close' } })).text();
  await peer.next('leave');
  assert.deepEqual(await ended, [3, null]);
});

test('a program with its own handler drains first and ends with its own exit code', async (t) => {
  const { child, coordinator, line, ended } = await start(t, 'own-signals');
  await line();
  const peer = await coordinator.peer();
  await peer.accept();
  await peer.next('heartbeat');
  child.kill('SIGTERM');
  await peer.next('status');
  peer.send({ type: 'drained' });
  await peer.next('leave');
  assert.equal(await line(), 'drained');
  assert.deepEqual(await ended, [0, null]);
});

test('the agent alone keeps no process alive', async (t) => {
  const { line, ended } = await start(t, 'no-server');
  assert.equal(await line(), 'done');
  assert.deepEqual(await ended, [0, null]);
});
