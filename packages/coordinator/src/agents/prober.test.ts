import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Registry } from '@rollcall/core';
import { parseBalancerName, parseNodeId, parseNodeUrl, parseRoute } from '@rollcall/protocol';
import { Cluster } from '../cluster.ts';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { Prober } from './prober.ts';

const ADDRESS = { host: '127.0.0.1', port: 1 };

function setUp(kind: 'agent' | 'static') {
  const clocks = new ManualClocks();
  const cluster = new Cluster(new Registry({ startedAtMs: clocks.nowMs() }), clocks);
  const events: string[] = [];
  cluster.onEvent((event) => events.push(event.type));
  const id = parseNodeId('n1')!;
  const connection = cluster.nextConnection();
  cluster.apply({
    type: 'register',
    node: {
      id,
      balancer: parseBalancerName('shop')!,
      url: parseNodeUrl('http://127.0.0.1:1')!,
      route: parseRoute('n1')!,
      contexts: [],
      hosts: [],
      weight: 1,
      loadHeader: false,
      meta: {},
      incarnation: 1,
      instance: 'x',
    },
    connection,
    owner: 'join',
    kind,
  });
  return { cluster, events, id, connection };
}

/** A probe whose results the test hands out. */
function scripted() {
  const asked: ((problem: string | undefined) => void)[] = [];
  const probe = () => new Promise<string | undefined>((resolve) => asked.push(resolve));
  return {
    probe,
    asked,
    answer: async (problem: string | undefined) => {
      asked.shift()!(problem);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test('a joining node is tried at once, reported after three failures, and found later', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const { cluster, events, id, connection } = setUp('agent');
  const { probe, asked, answer } = scripted();
  const prober = new Prober(cluster, { probe });
  prober.watch(id, connection, ADDRESS, false);
  for (const waitMs of [100, 300]) {
    await answer('connection refused');
    assert.ok(!events.includes('unreachable'));
    mock.timers.tick(waitMs);
  }
  await answer('connection refused');
  assert.ok(events.includes('unreachable'));
  assert.equal(cluster.registry.node(id)?.livenessDetail, '127.0.0.1:1: connection refused');
  mock.timers.tick(600);
  await answer(undefined);
  assert.equal(events.at(-1), 'up');
  assert.equal(prober.size, 0);
  assert.equal(asked.length, 0);
});

test('a static member is probed for good', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const { cluster, events, id, connection } = setUp('static');
  const { probe, answer } = scripted();
  const prober = new Prober(cluster, { probe });
  prober.watch(id, connection, ADDRESS, true);
  await answer(undefined);
  assert.equal(events.at(-1), 'up');
  for (let i = 0; i < 3; i++) {
    mock.timers.tick(2_000);
    await answer('no answer within 1000 ms');
  }
  assert.equal(events.at(-1), 'suspect');
  mock.timers.tick(2_000);
  await answer(undefined);
  assert.equal(events.at(-1), 'up');
  prober.close();
  assert.equal(prober.size, 0);
});

test('a static member that answers requests is probed now and then, one whose requests fail at once', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const { cluster, id, connection } = setUp('static');
  const { probe, asked, answer } = scripted();
  const prober = new Prober(cluster, { probe });
  t.after(() => prober.close());
  cluster.apply({ type: 'worker-joined', worker: 'w1' });
  const tell = (requests: number, failures: number): void => {
    const others = { inFlight: 0, tunnels: 0, serverErrors: 0, newSessions: 0, activeSessions: 0 };
    const counters = { ...others, bytesToNode: 0, bytesFromNode: 0, latencyMs: -1, isEjected: false };
    const nodes = [{ id, requests, failures, ...counters }];
    cluster.apply({ type: 'observe', worker: 'w1', revision: 0, nodes });
  };
  prober.watch(id, connection, ADDRESS, true);
  await answer(undefined);
  let requests = 0;
  for (let spared = 1; spared <= 4; spared++) {
    tell(++requests, 0);
    mock.timers.tick(2_000);
    assert.equal(asked.length, 0);
  }
  tell(++requests, 0);
  mock.timers.tick(2_000);
  assert.equal(asked.length, 1);
  await answer(undefined);
  requests += 2;
  tell(requests, 1);
  mock.timers.tick(2_000);
  assert.equal(asked.length, 1);
});

test('a node that is gone is no longer probed, and late results say nothing', async () => {
  const { cluster, events, id, connection } = setUp('agent');
  const { probe, answer } = scripted();
  const prober = new Prober(cluster, { probe });
  prober.watch(id, connection, ADDRESS, false);
  cluster.apply({ type: 'leave', id, connection });
  assert.equal(prober.size, 0);
  await answer(undefined);
  assert.equal(events.at(-1), 'gone');
});

test('no more connects are under way at once than may be', async () => {
  const { cluster, id, connection } = setUp('agent');
  const { probe, asked, answer } = scripted();
  const prober = new Prober(cluster, { probe, maxAtOnce: 1 });
  prober.watch(parseNodeId('other')!, connection, ADDRESS, false);
  prober.watch(id, connection, ADDRESS, false);
  assert.equal(asked.length, 1);
  await answer(undefined);
  assert.equal(asked.length, 1);
  await answer(undefined);
  assert.equal(cluster.registry.node(id)?.liveness, 'up');
  prober.close();
});
