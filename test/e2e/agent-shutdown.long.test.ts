/** The end of a program with the SDK: as a separate process, by real signals. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type ScriptedCoordinator, startScriptedCoordinator } from '@rollcall/agent/testing';
import { TYPESCRIPT } from '../site/commands.ts';

interface Started {
  readonly child: ChildProcess;
  readonly coordinator: ScriptedCoordinator;
  /** The next line of its standard output. */
  line(): Promise<string>;
  readonly ended: Promise<readonly [number | null, NodeJS.Signals | null]>;
}

async function start(t: TestContext, program: string, options: object = {}): Promise<Started> {
  const coordinator = await startScriptedCoordinator();
  const file = fileURLToPath(new URL(`agent-programs/${program}.ts`, import.meta.url));
  const child = spawn(process.execPath, [...TYPESCRIPT, file, JSON.stringify(options)], {
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

/** Sends `signal` repeatedly until the process has ended, like an impatient user. */
async function insist(child: ChildProcess, signal: NodeJS.Signals, ended: Promise<unknown>): Promise<void> {
  const timer = setInterval(() => child.kill(signal), 50);
  await ended;
  clearInterval(timer);
}

/** Waits until answers close their connections: the signal has arrived. */
async function untilRefusesToKeep(port: string): Promise<void> {
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}/`);
    await response.text();
    if (response.headers.get('connection') === 'close') return;
  }
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
    assert.deepEqual([status.status, status.reason], ['stopped', signal]);
    // What remains when it is sent: on a busy machine some milliseconds have passed.
    assert.ok(status.deadlineMs! > 7_000 && status.deadlineMs! <= 8_000, `${status.deadlineMs}`);
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

test('without any coordinator a signal ends the program as without the SDK', async (t) => {
  const { child, coordinator, line, ended } = await start(t, 'plain');
  await coordinator.close();
  await line();
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [null, 'SIGTERM']);
});

test('without its coordinator it serves until no request came for a second, and its answers close', async (t) => {
  const { child, coordinator, line, ended } = await start(t, 'plain');
  const port = await line();
  await (await coordinator.peer()).accept();
  await coordinator.close();
  child.kill('SIGTERM');
  await untilRefusesToKeep(port);
  const endMs = performance.now() + 2_000;
  while (performance.now() < endMs) {
    const response = await fetch(`http://127.0.0.1:${port}/`);
    assert.deepEqual([await response.text(), response.headers.get('connection')], ['hello', 'close']);
    await setTimeout(200);
  }
  const quietSinceMs = performance.now();
  assert.deepEqual(await ended, [null, 'SIGTERM']);
  const tookMs = performance.now() - quietSinceMs;
  assert.ok(tookMs > 600 && tookMs < 5_000, `${tookMs} ms`);
});

test('requests in flight at the signal get the time of drainRequestsMs, then they are cut', async (t) => {
  for (const { options, slowMs, isAnswered } of [
    { options: {}, slowMs: 2_500, isAnswered: true },
    { options: { drainRequestsMs: 200 }, slowMs: 20_000, isAnswered: false },
  ]) {
    const { child, coordinator, line, ended } = await start(t, 'plain', options);
    const port = await line();
    const peer = await coordinator.peer();
    await peer.accept({ heartbeatMs: 20 });
    const answer = fetch(`http://127.0.0.1:${port}/slow?${slowMs}`).then(
      (response) => response.headers.get('connection'),
      () => 'cut',
    );
    while ((await peer.next('heartbeat')).inFlight !== 1);
    child.kill('SIGTERM');
    const { deadlineMs } = await peer.next('status');
    assert.equal(deadlineMs, options.drainRequestsMs ?? 8_000);
    peer.send({ type: 'drained' });
    await peer.next('leave');
    assert.equal(await answer, isAnswered ? 'close' : 'cut');
    assert.deepEqual(await ended, [null, 'SIGTERM']);
  }
});

test('the option signals: SIGHUP drains when it is named, and SIGTERM then ends the program at once', async (t) => {
  for (const signal of ['SIGHUP', 'SIGTERM'] as const) {
    const { child, coordinator, line, ended } = await start(t, 'plain', { signals: ['SIGHUP', 'SIGUSR2'] });
    await line();
    const peer = await coordinator.peer();
    await peer.accept();
    await peer.next('heartbeat');
    child.kill(signal);
    if (signal === 'SIGHUP') {
      assert.equal((await peer.next('status')).reason, 'SIGHUP');
      peer.send({ type: 'drained' });
      await peer.next('leave');
    }
    assert.deepEqual(await ended, [null, signal]);
  }
});

test('in a worker thread signals do not arrive, which is logged once; drain() on a message ends in order', async (t) => {
  const { child, coordinator, line, ended } = await start(t, 'worker-thread');
  const said = [await line(), await line()].sort();
  assert.match(said[0]!, /^\d+$/);
  assert.match(said[1]!, /^signals do not arrive in a worker thread: .*node\.drain\(\).*node\.close\(\)/);
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

for (const when of ['never registered', 'its coordinator is down'] as const)
  test(`a program whose server closes is not kept running: ${when}`, async (t) => {
    const { coordinator, line, ended } = await start(t, 'plain');
    const port = await line();
    if (when !== 'never registered') await (await coordinator.peer()).accept();
    await coordinator.close();
    await (await fetch(`http://127.0.0.1:${port}/exit`, { headers: { connection: 'close' } })).text();
    const atMs = performance.now();
    assert.deepEqual(await ended, [3, null]);
    assert.ok(performance.now() - atMs < 4_000);
  });

test('a program that ends by itself is not kept running, and its node leaves', async (t) => {
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
