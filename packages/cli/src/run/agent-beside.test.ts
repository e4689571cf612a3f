import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { systemTimers, type Timers } from '@rollcall/agent';
import { startScriptedCoordinator } from '@rollcall/agent/testing';
import { AgentBeside } from './agent-beside.ts';
import { ProgramLoad } from './program-load.ts';

const isLinux = process.platform === 'linux' ? false : 'needs /proc, which only Linux has';

const PERIOD_MS = 60_000;

/** Longer than the test, so that no heartbeat is due: each heartbeat is an early one. */
function timersWithoutPeriod(): Timers {
  const timers = systemTimers();
  return {
    nowMs: timers.nowMs,
    after: (delayMs, run, options) => (delayMs >= PERIOD_MS ? () => {} : timers.after(delayMs, run, options)),
  };
}

test('a change of load is reported before the heartbeat is due, when work begins and when it ends', {
  skip: isLinux,
  timeout: 120_000,
}, async (t) => {
  const program = spawn('sh', ['-c', 'while read turns; do while [ $turns != 0 ]; do :; done; done'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  t.after(() => program.kill('SIGKILL'));
  await once(program, 'spawn');
  const server = createServer((_, response) => void response.end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const coordinator = await startScriptedCoordinator();
  const agent = new AgentBeside(
    {
      description: { balancer: 'shop' },
      id: 'shop-1',
      isIdDerived: false,
      route: 'shop-1',
      port,
      addresses: ['127.0.0.1'],
      coordinators: [coordinator.url],
      token: () => ({}),
      load: new ProgramLoad(program.pid!, undefined, undefined, { cores: 1, memoryBytes: 8e9 }),
      say: () => {},
      timers: timersWithoutPeriod(),
    },
    '127.0.0.1',
  );
  t.after(async () => {
    await agent.leave();
    await coordinator.close();
    server.closeAllConnections();
    server.close();
  });
  const peer = await coordinator.peer();
  await peer.accept({ heartbeatMs: PERIOD_MS, leaseMs: 10 * PERIOD_MS });
  const first = await peer.next('heartbeat');
  assert.ok(first.load! < 0.1, `an idle shell has load ${first.load}`);
  program.stdin.write('1\n');
  const early = await peer.next('heartbeat');
  assert.ok(early.load! >= 0.1, `a busy shell has load ${early.load}`);
  assert.equal(early.seq, 2);
  program.kill('SIGSTOP');
  let last = early;
  while (last.load! >= 0.1) last = await peer.next('heartbeat');
});
