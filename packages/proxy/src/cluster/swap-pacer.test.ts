import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualDelays } from '../feed/delay.fixture.ts';
import { feedNode, TestCluster } from './cluster.fixture.ts';
import { SwapPacer } from './swap-pacer.ts';

function paced() {
  const cluster = new TestCluster();
  const delays = new ManualDelays();
  let swaps = 0;
  const pacer = new SwapPacer(
    cluster.view,
    () => delays.nowMs(),
    delays.delay,
    () => swaps++,
  );
  const put = (id: string): void => {
    cluster.view.applyChanges(1, [{ type: 'node', node: feedNode(id) }], delays.nowMs());
    pacer.swapSoon();
  };
  return { cluster, delays, pacer, put, swaps: () => swaps };
}

void test('the first change is swapped at once, a burst after it together 50 ms later', () => {
  const { cluster, delays, put, swaps } = paced();
  put('a');
  assert.equal(cluster.view.table.contexts[0]?.members.length, 1);
  for (const id of ['b', 'c', 'd']) put(id);
  assert.deepEqual([swaps(), cluster.view.table.contexts[0]?.members.length], [1, 1]);
  delays.advance(49);
  assert.equal(swaps(), 1);
  delays.advance(1);
  assert.deepEqual([swaps(), cluster.view.table.contexts[0]?.members.length], [2, 4]);
});

void test('a change that needs no new table is applied at once', () => {
  const { pacer, put, swaps, cluster } = paced();
  put('a');
  const { table } = cluster.view;
  pacer.swapSoon();
  assert.deepEqual([swaps(), cluster.view.table === table], [2, true]);
});

void test('after close nothing is swapped', () => {
  const { delays, pacer, put, swaps } = paced();
  put('a');
  put('b');
  pacer.close();
  delays.advance(1_000);
  assert.equal(swaps(), 1);
});
