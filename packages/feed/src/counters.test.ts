import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeFeedToCoordinator, LATENCY_BOUNDS_MS, latencyBucket, latencyQuantileMs } from './index.ts';

test('a latency is counted in the first bucket whose bound is not smaller', () => {
  assert.deepEqual([0, 0.5, 0.6, 100, 60_000, 60_001].map(latencyBucket), [
    0,
    0,
    1,
    LATENCY_BOUNDS_MS.indexOf(100),
    LATENCY_BOUNDS_MS.length - 1,
    LATENCY_BOUNDS_MS.length,
  ]);
});

test('a quantile is interpolated within its bucket, and at most the last bound', () => {
  assert.equal(latencyQuantileMs([], 0.5), undefined);
  assert.equal(latencyQuantileMs([0, 0], 0.99), undefined);
  assert.equal(latencyQuantileMs([10], 0.5), 0.25);
  const buckets: number[] = [];
  buckets[latencyBucket(15)] = 98;
  buckets[latencyBucket(300)] = 2;
  const dense = Array.from(buckets, (count) => count ?? 0);
  assert.ok(latencyQuantileMs(dense, 0.5)! > 10 && latencyQuantileMs(dense, 0.5)! < 15);
  assert.equal(latencyQuantileMs(dense, 0.99), 250);
  assert.equal(latencyQuantileMs(dense, 1), 300);
  assert.equal(latencyQuantileMs([...new Array<number>(LATENCY_BOUNDS_MS.length).fill(0), 3], 0.5), 60_000);
});

const NODE = { id: 'n1', requests: 3 };
const ANSWERS = { statusClasses: [0, 2, 0, 0, 1], latencyBuckets: [0, 3], latencySumMs: 2.5 };
const BALANCER = { name: 'shop', requests: 4, answers: ANSWERS, retries: [1], stickyResults: [2, 1], bytesToNode: 9 };

function decoded(rest: object): unknown {
  return decodeFeedToCoordinator(JSON.stringify({ type: 'counters', revision: 1, nodes: [], totals: {}, ...rest }));
}

test('counters of balancers and answers of nodes are decoded within bounds; absent ones are 0', () => {
  const message = decoded({ nodes: [NODE, { ...NODE, answers: ANSWERS }], balancers: [BALANCER] }) as {
    nodes: { answers?: unknown }[];
    balancers: unknown[];
  };
  assert.deepEqual(
    message.nodes.map(({ answers }) => answers),
    [undefined, ANSWERS],
  );
  assert.deepEqual(message.balancers, [
    {
      ...BALANCER,
      failures: 0,
      retries: [1, 0, 0, 0, 0, 0, 0],
      failovers: 0,
      moved: 0,
      unavailable: 0,
      stickyResults: [2, 1, 0, 0],
      bytesFromNode: 0,
    },
  ]);
  assert.equal((decoded({}) as { balancers?: unknown }).balancers, undefined);
  for (const bad of [
    { name: 'a b' },
    { answers: undefined },
    { answers: { ...ANSWERS, statusClasses: [0, 0, 0, 0, 0, 0] } },
    { answers: { ...ANSWERS, latencySumMs: -1 } },
    { answers: { ...ANSWERS, latencyBuckets: new Array(101).fill(0) } },
    { retries: [-1] },
    { retries: ['1'] },
    { requests: 1e17 },
  ])
    assert.equal((decoded({ balancers: [{ ...BALANCER, ...bad }] }) as { type: string }).type, 'malformed');
});

test('counts that a newer release adds at the end are left out', () => {
  const more = new Array(60).fill(1);
  const message = decoded({
    balancers: [{ ...BALANCER, retries: more, answers: { ...ANSWERS, latencyBuckets: more } }],
  }) as {
    balancers: { retries: number[]; answers: { latencyBuckets: number[] } }[];
  };
  const [{ retries, answers } = { retries: [], answers: { latencyBuckets: [] } }] = message.balancers;
  assert.deepEqual([retries.length, answers.latencyBuckets.length], [7, LATENCY_BOUNDS_MS.length + 1]);
});
