import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type TestContext, test } from 'node:test';
import { type ScriptedCoordinator, startScriptedCoordinator } from '@rollcall/agent/testing';
import { JoinedNode } from './joined-node.ts';
import { freePort } from './port.ts';

async function setUp(t: TestContext, options: { pid?: number } = {}) {
  const coordinator: ScriptedCoordinator = await startScriptedCoordinator();
  const port = await freePort();
  const logged: string[] = [];
  const node = new JoinedNode({
    description: { balancer: 'shop', url: `http://127.0.0.1:${port}` },
    id: 'shop-1',
    isIdDerived: false,
    route: 'shop-1',
    port,
    addresses: ['127.0.0.1'],
    drainSessionsMs: 0,
    coordinators: [coordinator.url],
    token: () => ({}),
    say: (line) => void logged.push(line),
    ...options,
  });
  t.after(async () => {
    node.kill();
    await coordinator.close();
  });
  return { coordinator, port, node, logged };
}

async function serve(t: TestContext, port: number): Promise<Server> {
  const server = createServer((_, response) => void response.end('hello'));
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

test('a program that answers is a node; after its drain the program keeps running', async (t) => {
  const { coordinator, port, node } = await setUp(t);
  const run = node.run();
  await serve(t, port);
  const peer = await coordinator.peer();
  assert.equal((await peer.accept()).url, `http://127.0.0.1:${port}`);
  assert.deepEqual(await peer.next('heartbeat'), { type: 'heartbeat', seq: 1 });
  const stopped = node.stop('SIGTERM');
  await peer.next('status');
  peer.send({ type: 'drained' });
  await stopped;
  await peer.next('leave');
  assert.equal(await run, 0);
  assert.equal((await fetch(`http://127.0.0.1:${port}`)).status, 200);
});

test('a program that refuses connections leaves at once, and returns as a newer process of the same node', async (t) => {
  const { coordinator, port, node } = await setUp(t);
  const run = node.run();
  const server = await serve(t, port);
  const first = await coordinator.peer();
  const before = await first.accept({ heartbeatMs: 50 });
  await first.next('heartbeat');
  server.closeAllConnections();
  server.close();
  await first.next('leave');
  await serve(t, port);
  const after = await (await coordinator.peer()).accept();
  assert.equal(after.id, before.id);
  assert.notEqual(after.instance, before.instance);
  assert.ok(after.incarnation! >= before.incarnation!);
  node.kill();
  assert.equal(await run, 0);
});

test('the node leaves when the process of --pid has ended', { skip: process.platform !== 'linux' }, async (t) => {
  const child: ChildProcess = spawn('sleep', ['600']);
  await once(child, 'spawn');
  const { coordinator, port, node, logged } = await setUp(t, { pid: child.pid! });
  const run = node.run();
  await serve(t, port);
  const peer = await coordinator.peer();
  await peer.accept();
  await peer.next('heartbeat');
  child.kill('SIGKILL');
  await peer.next('leave');
  assert.equal(await run, 1);
  assert.match(logged.at(-1)!, /has ended; shop-1 has left/);
});

test('a missing process is reported at once', { skip: process.platform !== 'linux' }, async (t) => {
  const child = spawn('true');
  await once(child, 'exit');
  const { node, logged } = await setUp(t, { pid: child.pid! });
  assert.equal(await node.run(), 1);
  assert.deepEqual(logged, [`there is no process ${child.pid}`]);
});

test('a node that was removed permanently ends the command', async (t) => {
  const { coordinator, port, node } = await setUp(t);
  const run = node.run();
  await serve(t, port);
  const peer = await coordinator.peer();
  await peer.accept();
  peer.close(4403);
  assert.equal(await run, 1);
});

test('the agent of a node that its token no longer allows keeps running, and logs the next attempt', async (t) => {
  const { coordinator, port, node, logged } = await setUp(t);
  const run = node.run();
  await serve(t, port);
  const peer = await coordinator.peer();
  await peer.accept();
  await peer.next('heartbeat');
  peer.send({ type: 'error', code: 'forbidden', message: 'the token web is bound to context /a' });
  peer.close(4403);
  await peer.closed();
  while (!logged.some((line) => line.includes('retrying'))) await new Promise(setImmediate);
  assert.equal(logged.at(-1), 'the token web is bound to context /a; retrying about every 60 s');
  await node.stop('SIGTERM');
  assert.equal(await run, 0);
});
