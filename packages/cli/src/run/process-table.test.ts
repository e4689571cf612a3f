import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { childrenOf, holderOf, listeningPorts, processTree, readProcess, residentBytes } from './process-table.ts';

const isLinux = process.platform === 'linux' ? false : 'needs /proc, which only Linux has';

test('a process is read with its parent, CPU time and start', { skip: isLinux }, () => {
  const own = readProcess(process.pid);
  assert.equal(own?.parent, process.ppid);
  assert.ok(own.ownCpuMs > 0 && own.startTicks > 0 && own.threads > 1);
  assert.ok(residentBytes(process.pid).own > 1_000_000 && residentBytes(process.pid).shared > 1_000_000);
  assert.equal(readProcess(0), undefined);
});

test('the tree of a program includes its grandchildren', { skip: isLinux }, async (t) => {
  const child = spawn('sh', ['-c', 'sleep 60 & echo ready; wait'], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.after(() => process.kill(-child.pid!, 'SIGKILL'));
  await once(child.stdout!, 'data');
  const tree = processTree(child.pid!);
  assert.equal(tree[0]?.pid, child.pid);
  assert.equal(tree.length, 2);
  assert.equal(tree[1]?.parent, child.pid);
  assert.deepEqual(childrenOf(child.pid!), [tree[1]?.pid]);
  assert.deepEqual(childrenOf(0), []);
});

test('listeners are found by pid and by port', { skip: isLinux }, async (t) => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  assert.ok(listeningPorts([process.pid]).some((entry) => entry.port === port && entry.pid === process.pid));
  assert.equal(holderOf(port)?.pid, process.pid);
});
