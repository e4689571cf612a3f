import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { Notice } from './agent.ts';
import { defaultNodeId } from './identity.ts';
import { type RollcallEvents, RollcallNode, type RollcallOptions } from './node.ts';
import { type ScriptedCoordinator, startScriptedCoordinator } from './testing/scripted-coordinator.ts';
import { systemTimers } from './timers.ts';

interface Setting {
  readonly node: RollcallNode;
  readonly server: Server;
  readonly coordinator: ScriptedCoordinator;
  readonly log: string[];
}

async function setUp(
  t: TestContext,
  options: RollcallOptions = {},
  environment: Record<string, string> = {},
): Promise<Setting> {
  const coordinator = await startScriptedCoordinator();
  const server = createServer((_, response) => void response.end('hello'));
  const log: string[] = [];
  const node = new RollcallNode(
    {
      balancer: 'shop',
      coordinator: coordinator.url,
      handleSignals: false,
      log: (line) => void log.push(line),
      ...options,
    },
    environment,
    systemTimers(),
  );
  t.after(async () => {
    await node.close();
    server.closeAllConnections();
    server.close();
    await coordinator.close();
  });
  return { node, server, coordinator, log };
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function next<Name extends keyof RollcallEvents>(node: RollcallNode, name: Name): Promise<RollcallEvents[Name]> {
  return new Promise((resolve) => {
    node.on(name, resolve);
  });
}

test('a server that listens becomes a node', async (t) => {
  const { node, server, coordinator } = await setUp(t);
  node.attach(server).attach(server);
  const registered = next(node, 'registered');
  const port = await listen(server);
  const peer = await coordinator.peer();
  const sent = await peer.accept();
  assert.equal(sent.url, `http://127.0.0.1:${port}`);
  assert.equal(sent.id, defaultNodeId('shop', { slot: port }));
  assert.equal(sent.route, sent.id);
  assert.equal(sent.keepAliveMs, server.keepAliveTimeout);
  assert.equal(sent.loadHeader, true);
  assert.match(sent.instance ?? '', /^[0-9a-f]{32}$/);
  await registered;
  assert.deepEqual([node.status, node.isRegistered, node.id], ['enabled', true, sent.id]);
  const { load, inFlight, metrics } = await peer.next('heartbeat');
  assert.ok(load !== undefined && load >= 0 && load <= 1);
  assert.equal(inFlight, 0);
  for (const name of ['eventLoop', 'cpu', 'memory', 'inFlight']) assert.ok(name in (metrics ?? {}), name);
});

test('the environment names the node, as the wrapper hands it down', async (t) => {
  const environment = { ROLLCALL_NODE_ID: 'w1', ROLLCALL_ROUTE: 'r1', ROLLCALL_NODE: '{"hosts":["shop.test"]}' };
  const { node, server, coordinator } = await setUp(t, { id: 'mine' }, environment);
  node.attach(server);
  await listen(server);
  const sent = await (await coordinator.peer()).accept();
  assert.deepEqual([sent.id, sent.route, sent.hosts], ['w1', 'r1', ['shop.test']]);
});

test('session ids carry the route, bound to nothing and with any argument', async (t) => {
  const { node } = await setUp(t, { id: 'n1', route: 'r1' });
  const { sessionId } = node;
  assert.match(sessionId(), /\.r1$/);
  assert.equal(sessionId('abc'), 'abc.r1');
  assert.match(sessionId({ url: '/' }), /\.r1$/, 'frameworks hand the request over');
});

test('a session id before any server listens has no route, and that is said once', async (t) => {
  const { node, log } = await setUp(t);
  assert.match(node.sessionId(), /^[A-Za-z0-9_-]{32}$/);
  assert.equal(node.sessionId('abc'), 'abc');
  assert.equal(log.length, 1);
});

test('a mistake in the options is told once, and the application serves on', async (t) => {
  const { node, server, log } = await setUp(t, { balancer: 'my shop' });
  const warning = next(node, 'warning');
  node.attach(server);
  const port = await listen(server);
  node.register();
  assert.equal(((await warning) as Notice).code, 'misuse');
  assert.equal(log.length, 1);
  assert.match(log[0]!, /balancer/);
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'hello');
});

test('misuse never throws: wrong servers, names, metrics, coordinators, callbacks and logs', async (t) => {
  const { node, server, coordinator } = await setUp(t, {
    coordinator: ['nonsense://', ''],
    sessions: () => {
      throw new Error('no store');
    },
    log: () => {
      throw new Error('no log');
    },
  });
  node.attach(undefined as unknown as Server);
  node.metric('a b', {}, () => 1);
  for (let count = 0; count < 40; count += 1)
    node.metric(`m${count}`, { capacity: -1, weight: Number.NaN }, () => Number.NaN);
  node.register();
  node.attach(server);
  await listen(server);
  assert.equal(await node.drain(), 'unregistered');
  assert.equal(node.isRegistered, false);
  assert.ok(coordinator.url);
});

test('whatever an untyped configuration holds, the application serves on', async (t) => {
  const odd = [null, 5, 'text', true, {}, [], [5], () => 1, Number.NaN, { __proto__: null, a: 1n }];
  const names = [
    'balancer',
    'id',
    'route',
    'url',
    'port',
    'contexts',
    'hosts',
    'weight',
    'sticky',
    'meta',
    'coordinator',
  ];
  const more = ['token', 'keepAliveMs', 'drainSessionsMs', 'capacity', 'sessions', 'loadHeader', 'publicUrl'];
  const { server, coordinator } = await setUp(t);
  const port = await listen(server);
  for (const name of [...names, ...more]) {
    for (const value of odd) {
      const options = { coordinator: coordinator.url, handleSignals: false, log: () => {}, [name]: value };
      const node = new RollcallNode(options as RollcallOptions, {}, systemTimers());
      node.attach(server).metric('m', undefined, () => 1);
      assert.equal(typeof node.sessionId(), 'string');
      await node.drain();
      await node.close();
    }
  }
  assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
});

test('a closed server leaves, and comes back when it listens again', async (t) => {
  const { node, server, coordinator } = await setUp(t, { id: 'n1' });
  node.attach(server);
  await listen(server);
  const first = await coordinator.peer();
  await first.accept();
  server.close();
  await first.next('leave');
  await first.closed();
  const port = await listen(server);
  assert.equal((await (await coordinator.peer()).accept()).url, `http://127.0.0.1:${port}`);
});

test('a metric of the application that is full is told before the next heartbeat is due', async (t) => {
  const { node, server, coordinator } = await setUp(t);
  let depth = 0;
  node.metric('queue', { capacity: 10 }, () => depth);
  node.attach(server);
  await listen(server);
  const peer = await coordinator.peer();
  await peer.accept({ heartbeatMs: 60_000 });
  await peer.next('heartbeat');
  depth = 10;
  for (;;) {
    const { load, metrics } = await peer.next('heartbeat');
    if (load === 1 && metrics?.['queue'] === 1) break;
  }
});

test('what a metric is and counts for is told after each registration', async (t) => {
  const { node, server, coordinator } = await setUp(t);
  node.metric('queue', { capacity: 100, weight: 2 }, () => 42);
  node.attach(server);
  await listen(server);
  for (let registration = 0; registration < 2; registration += 1) {
    const peer = await coordinator.peer();
    await peer.accept({ heartbeatMs: 20 });
    for (;;) {
      const { scales, values, metrics } = await peer.next('heartbeat');
      if (scales === undefined) continue;
      assert.deepEqual(scales['queue'], { capacity: 100, weight: 2 });
      assert.deepEqual([values?.['queue'], metrics?.['queue']], [42, 0.42]);
      break;
    }
    peer.close(1012);
  }
});

test('a metric cannot have the name of one that the agent brings, and a broken one is told once', async (t) => {
  const { node, server, coordinator, log } = await setUp(t);
  node.metric('cpu', {}, () => 1);
  assert.match(log[0]!, /metric cpu: the agent has one/);
  let calls = 0;
  node.metric('bad', {}, () => {
    throw new Error(`failure ${calls++}`);
  });
  node.attach(server);
  const port = await listen(server);
  const peer = await coordinator.peer();
  await peer.accept({ heartbeatMs: 20 });
  while (calls < 3) await peer.next('heartbeat');
  assert.deepEqual(log.slice(1), ['rollcall: metric bad: failure 0; it is left out']);
  assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
});

test('draining keeps the application serving until the word comes', async (t) => {
  const { node, server, coordinator } = await setUp(t, { drainSessionsMs: 1_000 });
  node.attach(server);
  const port = await listen(server);
  const peer = await coordinator.peer();
  await peer.accept();
  await peer.next('heartbeat');
  const drained = node.drain();
  assert.equal((await peer.next('status')).status, 'draining');
  assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
  peer.send({ type: 'drained' });
  assert.equal((await peer.next('status')).status, 'stopped');
  peer.send({ type: 'drained' });
  assert.equal(await drained, 'drained');
  await node.close();
  await peer.next('leave');
});

test('being superseded is an error, and the application serves on', async (t) => {
  const { node, server, coordinator, log } = await setUp(t);
  node.attach(server);
  const port = await listen(server);
  const peer = await coordinator.peer();
  await peer.accept();
  const error = next(node, 'error');
  peer.send({ type: 'error', code: 'superseded', message: 'a newer process has the id' });
  peer.close(4409);
  assert.equal(((await error) as Notice).code, 'superseded');
  assert.ok(log.some((line) => line.includes('a newer process has the id')));
  assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
});

test('beside an answer the node tells how long that very request took', async (t) => {
  const { node, server, coordinator } = await setUp(t);
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    const endMs = performance.now() + (request.url === '/slow' ? 200 : 0);
    while (performance.now() < endMs);
    response.end();
  });
  node.attach(server);
  const port = await listen(server);
  await (await coordinator.peer()).accept();
  const serviceMs = async (path: string) => {
    const { headers } = await fetch(`http://127.0.0.1:${port}${path}`);
    return Number(headers.get('rollcall-load')?.split(';')[1]);
  };
  const quickMs = await serviceMs('/quick');
  assert.ok(quickMs >= 0 && quickMs < 200, String(quickMs));
  const slowMs = await serviceMs('/slow');
  assert.ok(slowMs >= 200, String(slowMs));
});
