import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAILURE } from '../engine/failure.ts';
import type { ProbeQuestion } from '../engine/node-probe.ts';
import { ManualDelays } from '../feed/delay.fixture.ts';
import { feedNode, type NodeSpec, TestCluster } from './cluster.fixture.ts';
import { NodeProbes, proofOf, ROUND_MS } from './node-probes.ts';

/** Probes of a cluster. The test determines the answers. */
function probes(nodes: Readonly<Record<string, NodeSpec>>, maxOpen = 1_000) {
  const cluster = new TestCluster();
  cluster.fill(Object.entries(nodes).map(([id, spec]) => feedNode(id, spec)));
  const delays = new ManualDelays();
  /** `pooled a`, `fresh a`, in order, with the questions. */
  const asked: { readonly line: string; readonly question: ProbeQuestion }[] = [];
  let hasPool = false;
  const results: string[] = [];
  const set = new NodeProbes({
    view: cluster.view,
    ejections: cluster.ejections,
    prober: {
      probePooled: ({ id }, question) => {
        if (hasPool) asked.push({ line: `pooled ${id}`, question });
        return hasPool;
      },
      probeFresh: ({ id }, question) => void asked.push({ line: `fresh ${id}`, question }),
    },
    version: '0.1.0',
    now: () => cluster.clock.nowMs(),
    delay: delays.delay,
    isFeedLost: () => false,
    openMs: () => 30_000,
    maxOpen,
    onResult: ({ id }) => results.push(id),
  });
  return {
    cluster,
    delays,
    asked,
    results,
    set,
    lines: () => asked.map(({ line }) => line),
    usePool: () => {
      hasPool = true;
    },
    pass: (ms: number) => {
      for (let left = ms; left > 0; left -= ROUND_MS) {
        cluster.clock.advance(Math.min(ROUND_MS, left));
        set.round();
      }
    },
  };
}

void test('a node with heartbeats is not probed; a suspect node is at once, and each second while it answers', () => {
  const { cluster, set, asked, lines, pass } = probes({ a: {}, b: { liveness: 'suspect', silentMs: 3_000 } });
  set.round();
  assert.deepEqual(lines(), ['fresh b']);
  assert.equal(cluster.ask('rc_route=x.b').choice, 'wait');
  asked[0]!.question.onAnswer(cluster.clock.nowMs(), '');
  assert.equal(cluster.ask('rc_route=x.b').node, 'b');
  pass(3_000);
  assert.deepEqual(lines(), ['fresh b', 'fresh b'], 'the second one is open');
  asked[1]!.question.onAnswer(cluster.clock.nowMs(), '');
  pass(1_000);
  assert.equal(asked.length, 3);
});

void test('a pooled connection is probed first; while that probe is open a fresh one is probed as well, once', () => {
  const { usePool, set, lines, pass } = probes({ a: { liveness: 'suspect' } });
  usePool();
  set.round();
  pass(10_000);
  assert.deepEqual(lines(), ['pooled a', 'fresh a']);
});

void test('a pooled connection that is closed during the probe is replaced by a fresh one at once', () => {
  const { usePool, set, asked, lines } = probes({ a: { liveness: 'suspect' } });
  usePool();
  set.round();
  asked[0]!.question.onFailure(FAILURE.closed, true);
  assert.deepEqual(lines(), ['pooled a', 'fresh a']);
});

void test('a probe that is not answered within a second parks the requests of its node, and an answer releases them', () => {
  const { cluster, set, asked, results, pass } = probes({ a: { liveness: 'suspect' }, b: {} });
  set.round();
  pass(1_200);
  assert.equal(cluster.node('a').verdict, 'park');
  asked[0]!.question.onAnswer(Number.NEGATIVE_INFINITY, '');
  assert.equal(cluster.node('a').verdict, 'forward');
  assert.deepEqual(results, ['a']);
});

void test('a refusal is confirmed by a second probe a quarter of a second later', () => {
  const { cluster, set, asked, delays, lines } = probes({ a: {}, b: {} });
  cluster.router.onConnectFailure(cluster.node('a'), FAILURE.refused, 0, cluster.clock.nowMs());
  set.askIfDue(cluster.node('a'), cluster.clock.nowMs());
  set.askIfDue(cluster.node('a'), cluster.clock.nowMs());
  assert.deepEqual([lines(), delays.size], [[], 1]);
  cluster.clock.advance(250);
  delays.advance(250);
  assert.deepEqual(lines(), ['fresh a']);
  asked[0]!.question.onFailure(FAILURE.refused, false);
  assert.equal(cluster.node('a').watch.port(cluster.clock.nowMs()), 'refused');
});

void test('the proof of the registered instance counts on a new connection, any other text does not', () => {
  const instance = 'ab'.repeat(16);
  const { cluster, set, asked, pass } = probes({ a: { liveness: 'suspect', instance, probe: 'proof' }, b: {} });
  set.round();
  asked[0]!.question.onAnswer(cluster.clock.nowMs(), proofOf('cd'.repeat(16), asked[0]!.question.nonce));
  assert.equal(cluster.node('a').watch.port(cluster.clock.nowMs()), 'unknown');
  pass(1_000);
  asked[1]!.question.onAnswer(cluster.clock.nowMs(), proofOf(instance, asked[1]!.question.nonce));
  assert.equal(cluster.node('a').watch.port(cluster.clock.nowMs()), 'answers');
  assert.notEqual(asked[0]!.question.nonce, asked[1]!.question.nonce);
});

void test('the proof is the HMAC that PROTOCOL.md describes', () => {
  // printf %s 00112233445566778899aabbccddeeff | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
  const proof = proofOf('0123456789abcdef0123456789abcdef', '00112233445566778899aabbccddeeff');
  assert.match(proof, /^[0-9a-f]{64}$/);
});

void test('a round sends a bounded number of probes, few in one turn of the loop, and probes all nodes in the end', () => {
  const names = Array.from({ length: 600 }, (_, i) => [`n${i}`, { liveness: 'suspect', port: 3_000 + i }] as const);
  const { set, asked, cluster, delays } = probes(Object.fromEntries(names));
  for (const expected of [250, 500, 600]) {
    const before = asked.length;
    set.round();
    // No request waits for more than this number of probes.
    assert.equal(asked.length, before + 25);
    cluster.clock.advance(200);
    delays.advance(200);
    assert.equal(asked.length, expected);
  }
  assert.equal(new Set(asked.map(({ line }) => line)).size, 600);
});

void test('an ejected node is put on trial when its ejection time is over', () => {
  const { cluster, pass } = probes({ a: {}, b: {} });
  cluster.eject('a');
  assert.equal(cluster.node('a').tier, 'reserve');
  pass(1_000);
  assert.deepEqual([cluster.node('a').ejection.phase, cluster.node('a').tier], ['trial', 'ready']);
});

void test('the result of a probe of a gone node is ignored', () => {
  const { cluster, set, asked, results } = probes({ a: { liveness: 'suspect' } });
  set.round();
  cluster.node('a').isGone = true;
  asked[0]!.question.onAnswer(0, '');
  assert.deepEqual(results, []);
});

void test('at the bound of open probes the others wait, and no node counts as unresponsive for that', () => {
  const silent = { liveness: 'suspect', silentMs: 3_000 } as const;
  const { cluster, set, asked, lines, pass } = probes({ a: silent, b: silent, c: silent }, 2);
  set.round();
  assert.deepEqual(lines(), ['fresh a', 'fresh b']);
  pass(3_000);
  assert.deepEqual(lines(), ['fresh a', 'fresh b']);
  assert.equal(cluster.node('c').watch.port(cluster.clock.nowMs()), 'unknown');
  asked[0]!.question.onAnswer(cluster.clock.nowMs(), '');
  pass(ROUND_MS);
  assert.deepEqual(lines().slice(2), ['fresh c']);
  asked[1]!.question.onFailure(FAILURE.headTimeout, false);
  pass(1_000);
  assert.equal(asked.length, 4);
});
