/** Two copies of the SDK in one process, as a program has them that both imports and requires it: sources and compiled. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import * as sources from '@rollcall/agent';
import { startScriptedCoordinator } from '@rollcall/agent/testing';

test('two copies share servers and signal listeners', async (t) => {
  const compiled = (await import(
    `${new URL('../../packages/agent/dist/index.js', import.meta.url)}`
  )) as typeof sources;
  assert.notEqual(compiled.rollcall, sources.rollcall);
  const coordinator = await startScriptedCoordinator();
  const lines: string[] = [];
  const options = {
    coordinator: coordinator.url,
    signals: ['SIGUSR2' as const],
    log: (line: string) => lines.push(line),
  };
  const first = sources.rollcall({ id: 'n1', ...options });
  const second = compiled.rollcall({ id: 'n2', ...options });
  const third = compiled.rollcall({ id: 'n3', ...options });
  const servers = [createServer(), createServer()] as const;
  t.after(async () => {
    for (const node of [first, third]) await node.close();
    for (const server of servers) server.close();
    await coordinator.close();
  });
  first.attach(servers[0]);
  second.attach(servers[0]);
  third.attach(servers[1]);
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    const peer = await coordinator.peer();
    await peer.accept();
    await peer.next('heartbeat');
  }
  assert.deepEqual([second.id, second.isRegistered, third.id, coordinator.connections], ['n1', true, 'n3', 2]);
  assert.equal(process.listenerCount('SIGUSR2'), 1);
  assert.equal(lines.length, 1);
  for (const server of servers) {
    server.close();
    await once(server, 'close');
  }
  assert.equal(process.listenerCount('SIGUSR2'), 0);
});
