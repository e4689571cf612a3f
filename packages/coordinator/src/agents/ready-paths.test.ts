import assert from 'node:assert/strict';
import { mock, type TestContext, test } from 'node:test';
import { Registry } from '@rollcall/core';
import { type Fault, parseBalancerName, parseNodeId, parseNodeUrl, parseRoute } from '@rollcall/protocol';
import { Cluster } from '../cluster.ts';
import type { NodeAnswer, NodeRequest } from '../network/node-request.ts';
import { ManualClocks } from '../testing/manual-clocks.ts';
import type { PinnedAddress } from './node-address-policy.ts';
import { ReadyPaths } from './ready-paths.ts';

const ADDRESS = { host: '127.0.0.1', port: 1 };
const HTTP = (status: number): NodeAnswer => ({ type: 'answered', status, headers: {} });

interface Open {
  readonly question: NodeRequest;
  readonly signal: AbortSignal;
  readonly resolve: (answer: NodeAnswer) => void;
}

function setUp(t: TestContext, { maxAtOnce = 256, check = (): PinnedAddress | Fault => assert.fail('checked') } = {}) {
  mock.timers.enable({ apis: ['setTimeout'] });
  const clocks = new ManualClocks();
  const cluster = new Cluster(new Registry({ startedAtMs: clocks.nowMs() }), clocks);
  const open: Open[] = [];
  const ask = (question: NodeRequest, signal: AbortSignal): Promise<NodeAnswer> =>
    new Promise((resolve) => {
      open.push({ question, signal, resolve });
      signal.addEventListener('abort', () => resolve({ type: 'silent' }));
    });
  const options = { cluster, policy: { check: async () => check() }, userAgent: 'rollcall-probe/1', random: () => 0 };
  const paths = new ReadyPaths({ ...options, ask, maxAtOnce });
  t.after(() => {
    paths.close();
    mock.timers.reset();
  });
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const loads: unknown[] = [];
  cluster.onEvent((event) => event.type === 'load' && loads.push(cluster.registry.node(event.id)?.load));
  return {
    cluster,
    paths,
    open,
    loads,
    register: (name: string, readyPath?: string, kind: 'static' | 'agent' | 'lease' = 'static') => {
      const id = parseNodeId(name)!;
      const connection = cluster.nextConnection();
      const node = {
        id,
        balancer: parseBalancerName('shop')!,
        url: parseNodeUrl(`http://${name}.test:1`)!,
        route: parseRoute(name)!,
        contexts: [],
        hosts: [],
        weight: 1,
        loadHeader: false,
        meta: {},
        incarnation: 1,
        instance: 'x',
        ...(readyPath !== undefined && { readyPath }),
      };
      cluster.apply({ type: 'register', node, connection, owner: 'op', kind });
      cluster.apply({ type: 'reachable', id, connection, isReachable: true });
      return id;
    },
    answer: async (answer: NodeAnswer) => {
      open.shift()!.resolve(answer);
      await settle();
    },
    pass: async (ms: number) => {
      for (let left = ms; left > 0; left -= 100) {
        clocks.advance(100);
        mock.timers.tick(100);
        await settle();
      }
    },
    shown: (id: ReturnType<typeof parseNodeId>) => {
      const node = cluster.registry.node(id!);
      return node?.readyReason ?? node?.isReady;
    },
  };
}

test('a member is asked at its checked address, each second, and each answer counts', async (t) => {
  const { paths, register, open, answer, pass, shown } = setUp(t);
  const id = register('s1', '/health?deep=1');
  let isKnown = false;
  void paths.watch(id, ADDRESS).then(() => {
    isKnown = true;
  });
  const { signal: _, question } = open[0]! as Open;
  assert.deepEqual(question, {
    ...ADDRESS,
    url: 'http://s1.test:1',
    method: 'GET',
    path: '/health?deep=1',
    headers: { 'user-agent': 'rollcall-probe/1' },
    timeoutMs: 30_000,
  });
  await answer(HTTP(503));
  assert.deepEqual([isKnown, shown(id)], [true, 'answers 503 at /health?deep=1']);
  for (const [status, is] of [
    [200, true],
    [500, 'answers 500 at /health?deep=1'],
    [0, 'answers no HTTP at /health?deep=1'],
    [404, true],
  ] as const) {
    await pass(1_000);
    assert.equal(open.length, 1);
    await answer(HTTP(status));
    assert.equal(shown(id), is);
  }
});

test('without a first answer within 1 s a member is not ready; the open request stays and decides', async (t) => {
  const { paths, register, open, answer, pass, shown } = setUp(t);
  const id = register('s1', '/health');
  let isKnown = false;
  void paths.watch(id, ADDRESS).then(() => {
    isKnown = true;
  });
  await pass(900);
  assert.deepEqual([isKnown, shown(id)], [false, true]);
  await pass(100);
  assert.deepEqual([isKnown, shown(id)], [true, 'has not answered /health within 1 s']);
  await pass(600);
  assert.equal(open.length, 1);
  await answer(HTTP(200));
  assert.equal(shown(id), true);
});

test('a late answer is load 1 at each check, a growing pause, and never not ready; then the load is unknown', async (t) => {
  const { paths, register, open, answer, pass, shown, loads } = setUp(t);
  const id = register('s1', '/health');
  void paths.watch(id, ADDRESS);
  await answer(HTTP(200));
  await pass(5_000);
  assert.equal(open.length, 1, 'one open request');
  assert.deepEqual([...new Set(loads)], [1]);
  assert.ok(loads.length >= 2, String(loads.length));
  await answer(HTTP(200));
  await pass(900);
  assert.equal(open.length, 0, 'a pause of one second');
  await pass(1_100);
  await answer(HTTP(200));
  assert.deepEqual([loads.at(-1), shown(id)], [0.5, true]);
  const { length } = loads;
  await pass(1_000);
  await answer(HTTP(200));
  assert.equal(loads.length, length);
});

test('the address is checked again after a request without a connection, and a refused address is not asked', async (t) => {
  const checked: (PinnedAddress | Fault)[] = [
    { host: '10.0.0.9', port: 1 },
    { code: 'bad-address', message: '169.254.169.254 may not be a node' },
  ];
  const { cluster, paths, register, open, answer, pass, shown } = setUp(t, { check: () => checked.shift()! });
  const id = register('s1', '/health');
  void paths.watch(id, ADDRESS);
  await answer({ type: 'refused' });
  await pass(1_000);
  assert.equal(open[0]?.question.host, '10.0.0.9');
  await answer({ type: 'unconnected' });
  await pass(1_500);
  assert.deepEqual([open.length, checked.length], [0, 0]);
  assert.match(cluster.registry.node(id)?.addressFault?.message ?? '', /169\.254/);
  assert.equal(shown(id), 'has not answered /health within 1 s');
});

test('nodes with an agent and members without a path are not asked', async (t) => {
  const { paths, register, open } = setUp(t);
  await paths.watch(register('n1', '/health', 'agent'), ADDRESS);
  await paths.watch(register('s1'), ADDRESS);
  assert.deepEqual([open.length, paths.size], [0, 0]);
});

test('a repeated registration continues with the new address; another path starts anew; without a path it ends', async (t) => {
  const { paths, register, open, answer, pass, shown } = setUp(t);
  const id = register('l1', '/health', 'lease');
  void paths.watch(id, ADDRESS);
  await answer(HTTP(503));
  register('l1', '/health', 'lease');
  await paths.watch(id, { host: '10.0.0.9', port: 1 });
  assert.deepEqual([open.length, shown(id)], [0, 'answers 503 at /health']);
  await pass(1_000);
  assert.equal(open[0]?.question.host, '10.0.0.9');
  register('l1', '/ok', 'lease');
  void paths.watch(id, ADDRESS);
  assert.equal(open.shift()?.signal.aborted, true);
  assert.equal(shown(id), 'answers 503 at /health', 'as before until the new path has answered');
  await answer(HTTP(200));
  assert.equal(shown(id), true);
  register('l1', undefined, 'lease');
  await paths.watch(id, ADDRESS);
  assert.equal(paths.size, 0);
});

test('requests end with the node, and when an agent or another address takes its id', async (t) => {
  const { cluster, paths, register, open, answer, pass } = setUp(t);
  const id = register('s1', '/health');
  void paths.watch(id, ADDRESS);
  cluster.apply({ type: 'remove', id, by: 'op' });
  assert.deepEqual([open.shift()?.signal.aborted, paths.size], [true, 0]);
  const other = register('s2', '/health');
  void paths.watch(other, ADDRESS);
  await answer(HTTP(503));
  const node = cluster.registry.node(other)!;
  cluster.apply({
    type: 'register',
    node: { ...node.registration, url: parseNodeUrl('http://127.0.0.1:9')! },
    connection: cluster.nextConnection(),
    owner: 'op',
    kind: 'static',
    isReplacing: true,
  });
  await pass(1_000);
  assert.deepEqual([open.length, paths.size], [0, 0]);
});

test('the number of concurrent requests is bounded, and each waiting member is asked once', async (t) => {
  const { paths, register, open, answer, pass, shown } = setUp(t, { maxAtOnce: 1 });
  const ids = ['s1', 's2', 's3'].map((name) => register(name, '/health'));
  for (const id of ids) void paths.watch(id, ADDRESS);
  await pass(3_000);
  assert.deepEqual(
    open.map(({ question }) => question.url),
    ['http://s1.test:1'],
  );
  const asked: string[] = [];
  for (let i = 0; i < 3; i += 1) {
    asked.push(open[0]!.question.url);
    await answer(HTTP(503));
  }
  assert.deepEqual(asked, ['http://s1.test:1', 'http://s2.test:1', 'http://s3.test:1']);
  assert.deepEqual(
    ids.map(shown),
    ids.map(() => 'answers 503 at /health'),
  );
  paths.forget(ids[0]!);
  assert.equal(open.length, 0, 'nothing left in the queue');
});

test('many members are asked at most 250 times per second in all', async (t) => {
  const { paths, register, open, answer, pass } = setUp(t, { maxAtOnce: 1_000 });
  for (let i = 0; i < 500; i += 1) void paths.watch(register(`s${i}`, '/health'), ADDRESS);
  const answerAll = async (): Promise<number> => {
    const { length } = open;
    while (open.length > 0) await answer(HTTP(200));
    return length;
  };
  await answerAll();
  let requests = 0;
  for (let i = 0; i < 60; i += 1) {
    await pass(100);
    requests += await answerAll();
  }
  assert.ok(requests >= 1_000 && requests <= 1_500, `${requests} requests in 6 s`);
});
