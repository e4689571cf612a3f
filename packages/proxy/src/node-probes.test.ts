import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { feedNode } from './cluster.fixture.ts';
import { ClusterNode, newCounts } from './cluster-node.ts';
import { ManualDelays } from './delay.fixture.ts';
import { connectProbe, NodeProbes } from './node-probes.ts';
import { nodeTls } from './tls/node-tls.ts';

function node(id: string): ClusterNode {
  return new ClusterNode(feedNode(id), 0, newCounts(1_000, 0));
}

/** Probes whose answers a test gives. */
function probes() {
  const delays = new ManualDelays();
  const started: string[] = [];
  const results: string[] = [];
  const answers: ((isGood: boolean) => void)[] = [];
  const nodeProbes = new NodeProbes({
    probe: (target) => {
      started.push((target as ClusterNode).id);
      return new Promise((resolve) => answers.push(resolve));
    },
    now: () => delays.clock.nowMs(),
    delay: delays.delay,
    onResult: ({ id }, isGood) => results.push(`${id} ${isGood}`),
  });
  return {
    delays,
    started,
    results,
    answers,
    nodeProbes,
    settle: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

void test('a node is probed once however often it is asked for meanwhile', async () => {
  const { nodeProbes, started, results, answers, settle } = probes();
  const a = node('a');
  nodeProbes.check(a);
  nodeProbes.check(a);
  answers[0]!(false);
  await settle();
  assert.deepEqual([started, results], [['a'], ['a false']]);
  nodeProbes.check(a);
  assert.equal(started.length, 2);
});

void test('an appointment is kept, replaced by the next one, and dropped for a node that is gone', () => {
  const { nodeProbes, started, delays } = probes();
  const [a, b] = [node('a'), node('b')];
  nodeProbes.scheduleAt(a, delays.clock.nowMs() + 1_000);
  nodeProbes.scheduleAt(a, delays.clock.nowMs() + 2_000);
  nodeProbes.scheduleAt(b, delays.clock.nowMs() + 1_000);
  nodeProbes.forget(b);
  delays.advance(1_999);
  assert.deepEqual(started, []);
  delays.advance(1);
  assert.deepEqual(started, ['a']);
});

void test('few probes are under way at once, and the others get their turn', async () => {
  const { nodeProbes, started, answers, settle } = probes();
  for (let i = 0; i < 100; i++) nodeProbes.check(node(`n${i}`));
  assert.equal(started.length, 64);
  for (const answer of answers.splice(0)) answer(true);
  await settle();
  assert.equal(started.length, 100);
});

void test('a node that is gone or probes that are closed tell nothing', async () => {
  const { nodeProbes, results, answers, delays, settle } = probes();
  const [a, b] = [node('a'), node('b')];
  nodeProbes.check(a);
  nodeProbes.check(b);
  nodeProbes.scheduleAt(node('c'), 0);
  a.isGone = true;
  answers[0]!(true);
  await settle();
  nodeProbes.close();
  nodeProbes.check(node('d'));
  nodeProbes.scheduleAt(node('e'), 0);
  answers[1]!(true);
  await settle();
  assert.deepEqual([results, delays.size], [[], 0]);
});

void test('the probe tells an open port from a closed one and sends nothing', async () => {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const received = once(server, 'connection').then(async ([socket]: net.Socket[]) => {
    const octets: Buffer[] = [];
    for await (const piece of socket!) octets.push(piece as Buffer);
    return Buffer.concat(octets).length;
  });
  const probe = connectProbe(nodeTls());
  assert.equal(await probe({ host: '127.0.0.1', port, isTls: false }, 5_000), true);
  assert.equal(await received, 0);
  server.close();
  await once(server, 'close');
  assert.equal(await probe({ host: '127.0.0.1', port, isTls: false }, 5_000), false);
});
