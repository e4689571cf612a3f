import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Registry } from '@rollcall/core';
import type { ProbeKind } from '@rollcall/feed';
import { parseBalancerName, parseNodeId, parseNodeUrl, parseRoute } from '@rollcall/protocol';
import { Cluster } from '../cluster.ts';
import type { KindQuestion } from '../network/probe-kind.ts';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { ProbeKinds } from './probe-kinds.ts';

const ADDRESS = { host: '127.0.0.1', port: 1 };
const ID = parseNodeId('n1')!;

function setUp() {
  const clocks = new ManualClocks();
  const cluster = new Cluster(new Registry({ startedAtMs: clocks.nowMs() }), clocks);
  const register = (instance = 'a'.repeat(32), incarnation = 1): void => {
    const connection = cluster.nextConnection();
    cluster.apply({
      type: 'register',
      node: {
        id: ID,
        balancer: parseBalancerName('shop')!,
        url: parseNodeUrl('http://127.0.0.1:1')!,
        route: parseRoute('n1')!,
        contexts: [],
        hosts: [],
        weight: 1,
        loadHeader: false,
        readyPath: '/ready',
        meta: {},
        incarnation,
        instance,
      },
      connection,
      owner: 'join',
      kind: 'agent',
    });
    cluster.apply({ type: 'reachable', id: ID, connection, isReachable: true });
  };
  register();
  const questions: KindQuestion[] = [];
  const asked: ((kind: ProbeKind) => void)[] = [];
  const kinds = new ProbeKinds(cluster, {
    userAgent: 'rollcall-probe/1',
    probe: (question) => {
      questions.push(question);
      return new Promise((resolve) => asked.push(resolve));
    },
  });
  const answer = async (kind: ProbeKind): Promise<void> => {
    asked.shift()!(kind);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const inFeed = () => {
    const [node] = cluster.registry.snapshot(clocks.nowMs()).nodes;
    return [node?.probe, node?.probePath];
  };
  return { cluster, register, questions, asked, kinds, answer, inFeed };
}

test('the answer of a node is in the feed, and ends the questions', async () => {
  const { cluster, questions, asked, kinds, answer, inFeed } = setUp();
  kinds.learn(ID, ADDRESS);
  assert.deepEqual(inFeed(), ['options', undefined]);
  const [{ instance, userAgent, hasReadyPath, port } = {} as KindQuestion] = questions;
  assert.deepEqual([instance, userAgent, hasReadyPath, port], ['a'.repeat(32), 'rollcall-probe/1', true, 1]);
  const { revision } = cluster;
  await answer('proof');
  assert.deepEqual(inFeed(), ['proof', undefined]);
  assert.equal(cluster.revision, revision + 1);
  assert.equal(asked.length, 0);
});

test('an answer equal to the assumption changes nothing in the feed', async () => {
  const { cluster, kinds, answer } = setUp();
  kinds.learn(ID, ADDRESS);
  const { revision } = cluster;
  await answer('options');
  assert.equal(cluster.revision, revision);
});

test('a node without an answer is asked twice more, because it may be busy starting', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const { asked, kinds, answer, inFeed } = setUp();
  kinds.learn(ID, ADDRESS);
  await answer('head');
  assert.deepEqual(inFeed(), ['head', '/ready']);
  mock.timers.tick(2_000);
  await answer('head');
  mock.timers.tick(10_000);
  await answer('options');
  assert.deepEqual(inFeed(), ['options', undefined]);
  mock.timers.tick(60_000);
  assert.equal(asked.length, 0);
});

test('the answer applies to the same process after a reconnect, not to another process', async () => {
  const { register, kinds, answer, inFeed } = setUp();
  kinds.learn(ID, ADDRESS);
  register();
  await answer('proof');
  assert.equal(inFeed()[0], 'proof');
  kinds.learn(ID, ADDRESS);
  register('b'.repeat(32), 2);
  await answer('proof');
  assert.equal(inFeed()[0], 'options');
});

test('a forgotten node gets no further question, and its late answer has no effect', async () => {
  const { kinds, answer, inFeed } = setUp();
  kinds.learn(ID, ADDRESS);
  kinds.forget(ID);
  await answer('connect');
  assert.equal(inFeed()[0], 'options');
  kinds.close();
});
