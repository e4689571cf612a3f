import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  DEFAULT_HEARTBEAT_MS,
  DEFAULT_LEASE_MS,
  DEFAULT_SUSPECT_MS,
  PROBE_FIELD,
  PROOF_FIELD,
} from '@rollcall/protocol';
import fc from 'fast-check';
import type { Notice } from './agent-codes.ts';
import { defaultNodeId, thisProcess } from './identity.ts';
import { RollcallNode } from './node.ts';
import type { RollcallEvents } from './node-core.ts';
import type { RollcallOptions } from './options.ts';
import { type ScriptedCoordinator, startScriptedCoordinator } from './testing/scripted-coordinator.ts';
import { systemTimers } from './timers.ts';

const REGISTERED = {
  type: 'registered',
  heartbeatMs: DEFAULT_HEARTBEAT_MS,
  suspectMs: DEFAULT_SUSPECT_MS,
  leaseMs: DEFAULT_LEASE_MS,
  epoch: 'test',
  coordinators: [],
  warnings: [],
} as const;

/** All methods: the type requires each. */
const OPTION_NAMES = Object.keys({
  balancer: 0,
  id: 0,
  route: 0,
  url: 0,
  contexts: 0,
  hosts: 0,
  stripPrefix: 0,
  weight: 0,
  group: 0,
  version: 0,
  keepAliveMs: 0,
  publicUrl: 0,
  sticky: 0,
  meta: 0,
  enabled: 0,
  port: 0,
  coordinator: 0,
  token: 0,
  drainSessionsMs: 0,
  drainRequestsMs: 0,
  signals: 0,
  ready: 0,
  ca: 0,
  cert: 0,
  key: 0,
  capacity: 0,
  sessions: 0,
  metrics: 0,
  loadBy: 0,
  loadHeader: 0,
  log: 0,
} satisfies Record<keyof RollcallOptions, 0>);

function refuse(): never {
  throw new Error('not here');
}

/** Unusual values that a program may pass as options. */
const ODD_VALUES: readonly unknown[] = [
  1n,
  Symbol('s'),
  refuse,
  () => 1,
  async () => 1,
  { toString: refuse, toJSON: refuse },
  new Proxy({}, { get: refuse, ownKeys: refuse, getPrototypeOf: refuse, has: refuse }),
];

function withValues(given: Readonly<Record<string, () => unknown>>, coordinator: string): object {
  const values = Object.entries(given).map(([name, value]) => [name, value()]);
  return { coordinator, signals: [], log: () => {}, ...Object.fromEntries(values) };
}

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
      signals: [],
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

test('the announced address is the address to which the server is bound', async (t) => {
  const { node, server, coordinator } = await setUp(t);
  node.attach(server);
  server.listen(0, '127.0.0.2');
  const sent = await (await coordinator.peer()).accept();
  assert.equal(sent.url, `http://127.0.0.2:${(server.address() as AddressInfo).port}`);
});

test('a server on a UNIX socket does not register and warns once; with a url it registers', async (t) => {
  const path = join(tmpdir(), `rollcall-node-${process.pid}.sock`);
  const { node, server, log } = await setUp(t);
  node.attach(server);
  server.listen(path);
  await once(server, 'listening');
  const remedy = 'listen on a port, or set url';
  assert.deepEqual(log, [`rollcall: the server listens on the UNIX socket ${path} and has no port: ${remedy}`]);
  const other = await setUp(t, { url: 'http://127.0.0.1:8088' });
  other.node.attach(other.server);
  other.server.listen(`${path}2`);
  const sent = await (await other.coordinator.peer()).accept();
  assert.deepEqual([sent.url, sent.id], ['http://127.0.0.1:8088', defaultNodeId('shop', { slot: 8_088 })]);
});

test('a second rollcall() for a server is a handle of the first node', async (t) => {
  const { node, server, coordinator, log } = await setUp(t, { id: 'n1' });
  node.attach(server);
  await listen(server);
  const lines: string[] = [];
  const options: RollcallOptions = { id: 'n2', coordinator: coordinator.url, log: (line) => void lines.push(line) };
  const second = new RollcallNode(options, {}, systemTimers());
  const registered = next(second, 'registered');
  second.metric('queue', { capacity: 10 }, () => 5);
  assert.equal(second.attach(server), second);
  assert.deepEqual(lines, [
    'rollcall: attach(): the server belongs to the node n1 already; this rollcall() is a handle of that node now',
  ]);
  assert.match(second.sessionId('s'), /^s\.n1$/);
  const peer = await coordinator.peer();
  await peer.accept({ heartbeatMs: 20 });
  assert.equal((await registered).node.id, 'n1', 'listeners of the second get events of the first');
  for (;;) if ((await peer.next('heartbeat')).metrics?.['queue'] === 0.5) break;
  second.ready(false);
  for (;;) if ((await peer.next('heartbeat')).ready === false) break;
  await second.close();
  assert.deepEqual([node.isRegistered, log.length], [false, 0]);
});

test('a server belongs to its first node until this node is closed', async (t) => {
  const [one, two] = [await setUp(t, { id: 'n1' }), await setUp(t, { id: 'n2' })];
  one.node.attach(one.server);
  two.node.attach(two.server).attach(one.server);
  assert.match(two.log.join(), /attach\(\): the server belongs to the node n1 already.*ignored/);
  assert.equal(two.node.id, 'n2');
  await one.node.close();
  await listen(one.server);
  await listen(two.server);
  await (await two.coordinator.peer()).accept();
  two.node.attach(one.server);
  assert.equal(two.log.length, 1);
});

test('switched off, all methods can be called and have no effect', async (t) => {
  for (const [options, environment] of [
    [{ enabled: false }, {}],
    [{}, { ROLLCALL_URL: 'off' }],
    [{}, { VITEST: 'true' }],
  ] as const) {
    const { node, server, coordinator, log } = await setUp(t, { signals: ['SIGTERM'], ...options }, environment);
    const names = ['request', 'connection', 'listening', 'close'] as const;
    const before = names.map((name) => server.listenerCount(name));
    const signals = process.listenerCount('SIGTERM');
    node
      .attach(server)
      .register()
      .metric('a b', {}, () => 1)
      .ready(false)
      .on('warning', () => {});
    const port = await listen(server);
    assert.deepEqual(
      names.map((name) => server.listenerCount(name)),
      before,
    );
    assert.deepEqual(
      [node.isEnabled, node.status, node.isRegistered, node.id, process.listenerCount('SIGTERM'), log.length],
      [false, 'enabled', false, undefined, signals, 0],
    );
    assert.match(node.sessionId(), /^[A-Za-z0-9_-]{32}$/);
    assert.equal(node.sessionId('s'), 's');
    assert.equal((await fetch(`http://127.0.0.1:${port}/`)).headers.get('rollcall-load'), null);
    assert.equal(await node.drain(), 'unregistered');
    await node.close();
    assert.equal(coordinator.connections, 0);
  }
});

test('a test runner with ROLLCALL_URL has nodes', async (t) => {
  const coordinator = await startScriptedCoordinator();
  t.after(() => coordinator.close());
  const { node, server } = await setUp(t, { coordinator: '' }, { VITEST: 'true', ROLLCALL_URL: coordinator.url });
  node.attach(server);
  await listen(server);
  await (await coordinator.peer()).accept();
});

test('a signal has one listener of the SDK for any number of nodes, and none after the last', async (t) => {
  const coordinator = await startScriptedCoordinator();
  t.after(() => coordinator.close());
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  process.on('warning', onWarning);
  t.after(() => void process.off('warning', onWarning));
  const before = process.listenerCount('SIGUSR2');
  const servers: Server[] = [];
  for (let count = 0; count < 100; count += 1) {
    const server = createServer();
    const options: RollcallOptions = { coordinator: coordinator.url, signals: ['SIGUSR2'], log: () => {} };
    new RollcallNode(options, {}, systemTimers()).attach(server);
    assert.equal(process.listenerCount('SIGUSR2') - before, count === 0 ? 0 : 1, 'none before a server listens');
    await listen(server);
    servers.push(server);
  }
  assert.equal(process.listenerCount('SIGUSR2') - before, 1);
  for (const server of servers) {
    server.close();
    await once(server, 'close');
  }
  assert.equal(process.listenerCount('SIGUSR2'), before);
  await new Promise(setImmediate);
  assert.deepEqual(warnings, []);
});

test('the default id is kept when the program changes its directory', async (t) => {
  const { node, server, coordinator } = await setUp(t);
  node.attach(server);
  await listen(server);
  const { id } = await (await coordinator.peer()).accept();
  const directory = process.cwd();
  process.chdir(tmpdir());
  t.after(() => process.chdir(directory));
  assert.equal(node.id, id);
});

test('rejections of callbacks that are async by mistake do not end the program', async (t) => {
  const reject = async () => {
    throw new Error('async');
  };
  const { node, server, coordinator } = await setUp(t, {
    sessions: reject as unknown as () => number,
    log: reject as unknown as () => void,
  });
  node.metric('m', {}, reject as unknown as () => number).attach(server);
  node.on('warning', undefined as unknown as () => void);
  await listen(server);
  const peer = await coordinator.peer();
  await peer.accept({ heartbeatMs: 20 });
  assert.equal((await peer.next('heartbeat')).sessions, undefined);
});

test('a node registers when its server listens', async (t) => {
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
  assert.equal(sent.proves, true);
  assert.deepEqual(sent.process, thisProcess());
  await registered;
  assert.deepEqual([node.status, node.isRegistered, node.id], ['enabled', true, sent.id]);
  const { load, inFlight, metrics } = await peer.next('heartbeat');
  assert.ok(load !== undefined && load >= 0 && load <= 1);
  assert.equal(inFlight, 0);
  for (const name of ['eventLoop', 'cpu', 'memory', 'inFlight']) assert.ok(name in (metrics ?? {}), name);
});

test('a proof is promised at the address of the server only: a url may be that of a reverse proxy', async (t) => {
  for (const given of [{ url: 'http://127.0.0.1:3000' }, { port: 3000 }]) {
    const { node, server, coordinator } = await setUp(t, { ...given, id: 'n1' });
    node.attach(server);
    await listen(server);
    assert.equal((await (await coordinator.peer()).accept()).proves, false);
  }
});

test('the environment of the wrapper sets id and route', async (t) => {
  const environment = { ROLLCALL_NODE_ID: 'w1', ROLLCALL_ROUTE: 'r1' };
  const { node, server, coordinator } = await setUp(t, { id: 'mine' }, environment);
  node.attach(server);
  await listen(server);
  const sent = await (await coordinator.peer()).accept();
  assert.deepEqual([sent.id, sent.route], ['w1', 'r1']);
});

test('session ids have the route, for an unbound call and any argument', async (t) => {
  const { node } = await setUp(t, { id: 'n1', route: 'r1' });
  const { sessionId } = node;
  assert.match(sessionId(), /\.r1$/);
  assert.equal(sessionId('abc'), 'abc.r1');
  assert.match(sessionId({ url: '/' }), /\.r1$/, 'frameworks hand the request over');
});

test('a session id before any server listens has no route, and one warning is logged', async (t) => {
  const { node, log } = await setUp(t);
  assert.match(node.sessionId(), /^[A-Za-z0-9_-]{32}$/);
  assert.equal(node.sessionId('abc'), 'abc');
  assert.equal(log.length, 1);
});

test('an invalid option is reported once, and the application continues', async (t) => {
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

test('misuse never throws: invalid servers, names, metrics, coordinators, callbacks and logs', async (t) => {
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

test('each mistake in the list of coordinators is one warning, and the rest of the list is used', async (t) => {
  const lines: string[] = [];
  const { node, server, coordinator } = await setUp(t);
  const own = coordinator.url;
  const dead = [1, 2, 3, 4, 5].map((host) => `ws://127.0.0.${host}:1`);
  const other = new RollcallNode(
    { coordinator: [own, '', own, ...dead], signals: [], log: (line) => void lines.push(line) },
    {},
    systemTimers(),
  );
  t.after(() => other.close());
  await node.close();
  other.attach(server);
  await listen(server);
  await (await coordinator.peer()).accept();
  const place = own.replace('/v1/agent', '');
  assert.deepEqual(lines.slice(0, 3), [
    'rollcall: the list of coordinators has an empty entry; the rest of the list is used',
    `rollcall: the coordinator ${place} is listed twice; the rest of the list is used`,
    'rollcall: the list of coordinators has more than 5 entries, and those after the first 5 are left out; the rest of the list is used',
  ]);
});

test('no value of an untyped configuration throws or stops the application', async (t) => {
  const { server, coordinator } = await setUp(t);
  const port = await listen(server);
  const name = fc.constantFrom(...OPTION_NAMES, 'handleSignals', '__proto__', '');
  t.mock.method(console, 'warn', () => {});
  // As functions, because the generator itself reads the generated values.
  const value = fc.oneof(
    fc.anything({ withBigInt: true, withDate: true, withMap: true }).map((any) => () => any),
    fc.nat(ODD_VALUES.length - 1).map((index) => () => ODD_VALUES[index]),
  );
  const options = fc.oneof(
    { weight: 8, arbitrary: fc.dictionary(name, value).map((given) => () => withValues(given, coordinator.url)) },
    { weight: 1, arbitrary: value },
  );
  await fc.assert(
    fc.asyncProperty(options, value, value, async (given, one, two) => {
      const [first, second] = [one(), two()] as never[];
      const node = new RollcallNode(given() as RollcallOptions, {}, systemTimers());
      node.attach(first!).attach(server).on(first!, second!).off(first!, second!);
      node.metric(first!, second!, first!).metric('m', first!, second!).register().ready(first!);
      assert.equal(typeof node.sessionId(first), 'string');
      assert.ok([node.id, node.route, node.status, node.isRegistered, node.isEnabled].length === 5);
      await node.close();
      assert.equal(typeof (await node.drain()), 'string');
    }),
    { numRuns: 150 },
  );
  assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
});

test('a node leaves when its server closes, and registers when it listens again', async (t) => {
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

test('a full metric of the application is reported before the next heartbeat is due', async (t) => {
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

test('scales of metrics are sent after each registration', async (t) => {
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

test('the name of a built-in metric is refused, and a failing metric is reported once', async (t) => {
  const { node, server, coordinator, log } = await setUp(t);
  node.metric('cpu', {}, () => 1);
  assert.match(log[0]!, /metric cpu: the agent has a built-in metric/);
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

test('the application serves during a drain until it is confirmed', async (t) => {
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

test('superseded is an error, and the application continues', async (t) => {
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

test('a response has the service time of its own request', async (t) => {
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

test('a node that is not ready reports it at once, in each heartbeat, and after a reconnect', async (t) => {
  const { node, server, coordinator } = await setUp(t);
  node.attach(server);
  await listen(server);
  const peer = await coordinator.peer();
  await peer.accept({ heartbeatMs: 60_000 });
  assert.equal((await peer.next('heartbeat')).ready, undefined);
  assert.equal(node.ready(false), node);
  node.ready(false);
  assert.equal((await peer.next('heartbeat')).ready, false);
  peer.close(1012);
  const again = await coordinator.peer();
  await again.accept({ heartbeatMs: 60_000 });
  assert.equal((await again.next('heartbeat')).ready, false);
  node.ready();
  for (;;) if ((await again.next('heartbeat')).ready === undefined) break;
});

test('a node may start as not ready', async (t) => {
  const { node, server, coordinator } = await setUp(t, { ready: false });
  node.attach(server);
  await listen(server);
  const peer = await coordinator.peer();
  await peer.accept({ heartbeatMs: 20 });
  for (let beats = 0; beats < 3; beats += 1) assert.equal((await peer.next('heartbeat')).ready, false);
});

test('probes get the proof of the registered instance, before it is accepted and after the coordinator is lost', async (t) => {
  const { node, server, coordinator } = await setUp(t, { id: 'n1' });
  const nonce = '00112233445566778899aabbccddeeff';
  const port = await listen(server);
  const proof = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { [PROBE_FIELD]: nonce } });
    assert.equal(await response.text(), 'hello');
    return response.headers.get(PROOF_FIELD);
  };
  node.attach(server);
  assert.equal(await proof(), null, 'nothing is registered yet');
  const peer = await coordinator.peer();
  const { node: sent } = await peer.next('register');
  const expected = createHmac('sha256', sent.instance!).update(nonce).digest('hex');
  assert.equal(await proof(), expected);
  const disconnected = next(node, 'disconnected');
  peer.send({ ...REGISTERED, node: sent });
  const { inFlight, values } = await peer.next('heartbeat');
  assert.deepEqual([inFlight, values?.['inFlight']], [0, 0]);
  peer.cut();
  await disconnected;
  assert.equal(await proof(), expected);
  await node.close();
  assert.equal(await proof(), null);
});

test('two nodes in one process each prove their own instance', async (t) => {
  const [one, two] = [await setUp(t, { id: 'n1' }), await setUp(t, { id: 'n2' })];
  const nonce = 'f'.repeat(32);
  const proofs = new Set<string>();
  for (const { node, server, coordinator } of [one, two]) {
    node.attach(server);
    const port = await listen(server);
    const { instance } = await (await coordinator.peer()).accept();
    const { headers } = await fetch(`http://127.0.0.1:${port}/`, { headers: { [PROBE_FIELD]: nonce } });
    assert.equal(headers.get(PROOF_FIELD), createHmac('sha256', instance!).update(nonce).digest('hex'));
    proofs.add(headers.get(PROOF_FIELD)!);
  }
  assert.equal(proofs.size, 2);
});

test('a superseded node sends no proof', async (t) => {
  const { node, server, coordinator } = await setUp(t);
  node.attach(server);
  const port = await listen(server);
  const peer = await coordinator.peer();
  await peer.accept();
  const error = next(node, 'error');
  peer.send({ type: 'error', code: 'superseded', message: 'a newer process has the id' });
  peer.close(4409);
  await error;
  const { headers } = await fetch(`http://127.0.0.1:${port}/`, { headers: { [PROBE_FIELD]: '0'.repeat(32) } });
  assert.equal(headers.get(PROOF_FIELD), null);
});
