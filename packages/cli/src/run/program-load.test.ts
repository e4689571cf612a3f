import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import type { HeartbeatReport } from '@rollcall/agent';
import { freePort } from './port.ts';
import { ProgramLoad } from './program-load.ts';

const isLinux = process.platform === 'linux' ? false : 'needs /proc, which only Linux has';
const noPython = existsSync('/usr/bin/python3') || isLinux ? isLinux : 'apt-get install python3';
const noPhp = existsSync('/usr/bin/php') || isLinux ? isLinux : 'apt-get install php-cli';

/** Ends with the test, including its process group. */
function start(t: TestContext, command: string, ...words: string[]): ChildProcess {
  const child = spawn(command, words, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => {
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {
      // The group has ended by itself.
    }
  });
  return child;
}

/** Manual clock: a second between two samples, independent of the speed of the machine. */
function loadOf(pid: number) {
  let nowMs = 0;
  const load = new ProgramLoad(
    pid,
    (name, reason) => assert.fail(`${name}: ${reason}`),
    () => nowMs,
    { cores: 1, memoryBytes: 8e9 },
  );
  return (isAnew = false) => {
    nowMs += 1_000;
    load.sample();
    if (isAnew) load.renewScales();
    return load.report();
  };
}

/** Sends requests until a sample shows CPU use: CPU time is counted in steps of 10 ms. */
async function untilBusy(sample: () => HeartbeatReport, port: number): Promise<HeartbeatReport> {
  for (;;) {
    for (let i = 0; i < 20; i += 1) await (await fetch(`http://127.0.0.1:${port}/`)).arrayBuffer();
    const report = sample();
    if (report.values!['cpu']! > 0) return report;
  }
}

test('CPU of children that end between two samples is counted', { skip: isLinux }, async (t) => {
  const busy = 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done';
  const child = start(
    t,
    'sh',
    '-c',
    `echo ready; for n in 1 2 3 4; do sh -c '${busy}'; done; sleep 60 & echo done; wait`,
  );
  await once(child.stdout!, 'data');
  const sample = loadOf(child.pid!);
  await once(child.stdout!, 'data');
  const { load, values } = sample();
  assert.ok(load! > 0.05, `four loops of 60,000 turns, and load ${load}`);
  assert.equal(values?.['processes'], 2, 'the shell and its sleep');
  assert.equal(sample().values?.['cpu'], 0, 'no CPU since');
});

test('short-lived child processes do not end the wrapper', { skip: isLinux }, async (t) => {
  const child = start(t, 'sh', '-c', 'echo ready; while :; do (sleep 0.001 & sleep 0.002 &) ; done');
  await once(child.stdout!, 'data');
  const sample = loadOf(child.pid!);
  for (let round = 0; round < 50; round += 1) {
    const { load } = sample();
    assert.ok(load !== undefined && load >= 0 && load <= 1, String(load));
    await new Promise(setImmediate);
  }
  process.kill(-child.pid!, 'SIGKILL');
  await once(child, 'exit');
  // Killed processes that are not collected yet are listed for a moment.
  while (Object.keys(sample()).length > 0) await new Promise(setImmediate);
});

test('a Python server is measured, and metric definitions are sent again on request', { skip: noPython }, async (t) => {
  const port = await freePort();
  const child = start(t, '/usr/bin/python3', '-u', '-m', 'http.server', String(port), '--bind', '127.0.0.1');
  await once(child.stdout!, 'data');
  const sample = loadOf(child.pid!);
  const first = sample();
  assert.ok(first.values!['memory']! > 0 && first.values!['openFiles']! > 2 && first.values!['threads']! >= 1);
  assert.equal(first.metrics!['memory'], 0, 'a few megabytes are no load');
  assert.deepEqual(first.scales?.['cpu'], { capacity: 1, weight: 1, isLimit: true });
  const second = await untilBusy(sample, port);
  assert.equal(second.scales, undefined);
  assert.ok(sample(true).scales);
  assert.equal(second.inFlight, undefined, 'in-flight requests are counted by the proxy');
});

test('a PHP server is measured with its forked workers', { skip: noPhp }, async (t) => {
  const port = await freePort();
  process.env['PHP_CLI_SERVER_WORKERS'] = '3';
  const child = start(t, '/usr/bin/php', '-S', `127.0.0.1:${port}`, '-t', '/usr/share');
  delete process.env['PHP_CLI_SERVER_WORKERS'];
  await once(child.stderr!, 'data');
  const sample = loadOf(child.pid!);
  const { values } = await untilBusy(sample, port);
  assert.ok(values!['processes']! >= 3, `${values!['processes']} processes`);
});
