import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FailoverCount } from '@rollcall/feed';
import type { FailoverCause } from '@rollcall/protocol';
import { parseBalancerName, parseNodeId } from '@rollcall/protocol';
import { FailoverCounters } from './failover-counters.ts';

const N1 = parseNodeId('n1')!;

function report(count: number, cause: FailoverCause = 'refused', node = N1): FailoverCount {
  return { balancer: parseBalancerName('shop')!, node, cause, count };
}

void test('totals of workers add up, and the counters of an ended worker stay', () => {
  const counts = new FailoverCounters(10);
  counts.join('w1', 1);
  counts.join('w2', 2);
  counts.add('w1', [report(3), report(1, 'stopped')]);
  counts.add('w2', [report(4)]);
  counts.add('w1', [report(5)]);
  counts.add('w1', [report(5)]);
  counts.end('w2');
  assert.deepEqual(counts.of(N1), { refused: 9, stopped: 1 });
  counts.add('w2', [report(4)]);
  assert.deepEqual(counts.of(N1), { refused: 9, stopped: 1 }, 'a worker that has not joined is not counted');
});

void test('the same process continues after a reconnect, another one begins at 0', () => {
  const counts = new FailoverCounters(10);
  counts.join('w1', 1);
  counts.add('w1', [report(3)]);
  counts.join('w1', 1);
  counts.add('w1', [report(4)]);
  assert.deepEqual(counts.of(N1), { refused: 4 });
  counts.join('w1', 2);
  counts.add('w1', [report(5)]);
  assert.deepEqual(counts.of(N1), { refused: 9 });
});

void test('rows are bounded: the row that has not changed for the longest time is dropped', () => {
  const counts = new FailoverCounters(10, 2);
  counts.join('w1', 1);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => parseNodeId(name)!);
  counts.add('w1', [report(1, 'left', a), report(1, 'left', b), report(2, 'left', a), report(1, 'left', c)]);
  assert.deepEqual(
    [...counts.all()].map(({ node, count }) => [node, count]),
    [
      ['a', 2],
      ['c', 1],
    ],
  );
  assert.deepEqual(counts.of(b!), {});
});

void test('workers are bounded as well', () => {
  const counts = new FailoverCounters(1);
  counts.join('w1', 1);
  counts.join('w2', 1);
  counts.add('w1', [report(1)]);
  assert.deepEqual(counts.of(N1), {});
});
