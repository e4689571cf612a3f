import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { type Event, Registry } from '@rollcall/core';
import { parseBalancerName, parseNodeId, parseNodeUrl, parseRoute } from '@rollcall/protocol';
import { Cluster } from '../cluster.ts';
import type { KindAnswer } from '../network/probe-kind.ts';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { Prober } from './prober.ts';

const ADDRESS = { host: '127.0.0.1', port: 1 };

function setUp(kind: 'agent' | 'static', proves = false) {
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
      proves,
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

const NO_KINDS = {
  ask: async (): Promise<KindAnswer> => assert.fail('a node that sends no proof is asked before it is up'),
  learn: (_: string): unknown => undefined,
  forget: () => undefined,
  close: () => undefined,
};

/** A probe whose results the test sets. */
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

test('a joining node is probed at once, reported after three failures, and found later', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const { cluster, events, id, connection } = setUp('agent');
  const { probe, asked, answer } = scripted();
  const prober = new Prober(cluster, { probe });
  prober.watch(id, connection, ADDRESS);
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

test('a static member is probed until its first answer: after that the workers observe it', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const { cluster, events, id, connection } = setUp('static');
  const { probe, asked, answer } = scripted();
  const learned: string[] = [];
  const kinds = { ...NO_KINDS, learn: (node: string) => learned.push(node) };
  const prober = new Prober(cluster, { probe, kinds });
  prober.watch(id, connection, ADDRESS);
  for (const waitMs of [100, 300, 600, 1_000, 2_000, 5_000, 5_000]) {
    assert.deepEqual(learned, []);
    await answer('no answer within 1000 ms');
    mock.timers.tick(waitMs);
  }
  await answer(undefined);
  assert.equal(events.at(-1), 'up');
  assert.deepEqual(learned, ['n1']);
  mock.timers.tick(60_000);
  assert.deepEqual([asked.length, prober.size], [0, 0]);
});

test('a node that proves its instance is up with its proof, or by its connect if no program answers', async () => {
  for (const answer of ['proof', 'options', 'connect'] as const) {
    const { cluster, events, id, connection } = setUp('agent', true);
    const learned: string[] = [];
    const kinds = { ...NO_KINDS, ask: async () => answer, learn: (node: string) => learned.push(node) };
    const prober = new Prober(cluster, { probe: async () => undefined, kinds });
    prober.watch(id, connection, ADDRESS);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(events.at(-1), 'up');
    assert.equal(cluster.registry.node(id)?.probe, answer === 'proof' ? 'proof' : 'options');
    assert.deepEqual(learned, answer === 'connect' ? ['n1'] : []);
  }
});

test('a member without an agent is up after the answer of its ready path, and is forgotten there too', async () => {
  for (const [kind, isAsked] of [
    ['static', true],
    ['agent', false],
  ] as const) {
    const { cluster, events, id, connection } = setUp(kind);
    const calls: string[] = [];
    let answer = (): void => {};
    const readyPaths = {
      watch: (name: string) => {
        calls.push(`watch ${name}`);
        return new Promise<void>((resolve) => {
          answer = resolve;
        });
      },
      forget: (name: string) => void calls.push(`forget ${name}`),
      close: () => undefined,
    };
    const prober = new Prober(cluster, { probe: async () => undefined, readyPaths });
    prober.watch(id, connection, ADDRESS);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(calls, ['forget n1', ...(isAsked ? ['watch n1'] : [])]);
    assert.equal(events.includes('up'), !isAsked);
    answer();
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(events.includes('up'));
    cluster.apply({ type: 'remove', id, by: 'op' });
    assert.equal(calls.at(-1), 'forget n1');
  }
});

test('a node is refused after another program has answered three times in its place', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const { cluster, id, connection } = setUp('agent', true);
  const refused: Event[] = [];
  cluster.onEvent((event) => event.type === 'connection-refused' && refused.push(event));
  const prober = new Prober(cluster, {
    probe: async () => undefined,
    kinds: { ...NO_KINDS, ask: async () => 'other' },
  });
  prober.watch(id, connection, ADDRESS);
  for (const waitMs of [100, 300]) {
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(refused, []);
    mock.timers.tick(waitMs);
  }
  await new Promise((resolve) => setImmediate(resolve));
  const [event] = refused;
  assert.ok(event?.type === 'connection-refused');
  assert.deepEqual([event.code, event.connection], ['wrong-program', connection]);
  assert.match(event.message, /^http:\/\/127\.0\.0\.1:1 is answered by another program than the one that registers/);
  assert.equal(cluster.registry.node(id)?.liveness, 'gone');
  assert.equal(prober.size, 0);
});

test('a gone node is no longer probed, and late results have no effect', async () => {
  const { cluster, events, id, connection } = setUp('agent');
  const { probe, answer } = scripted();
  const prober = new Prober(cluster, { probe });
  prober.watch(id, connection, ADDRESS);
  cluster.apply({ type: 'leave', id, connection });
  assert.equal(prober.size, 0);
  await answer(undefined);
  assert.equal(events.at(-1), 'gone');
});

test('the number of concurrent connects is bounded', async () => {
  const { cluster, id, connection } = setUp('agent');
  const { probe, asked, answer } = scripted();
  const prober = new Prober(cluster, { probe, maxAtOnce: 1 });
  prober.watch(parseNodeId('other')!, connection, ADDRESS);
  prober.watch(id, connection, ADDRESS);
  assert.equal(asked.length, 1);
  await answer(undefined);
  assert.equal(asked.length, 1);
  await answer(undefined);
  assert.equal(cluster.registry.node(id)?.liveness, 'up');
  prober.close();
});
