/** Targets of `adaptive` for requests, seeds 1 and 2. The benchmark measures T17, the cost of a pick. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holds, median, scenario, TEN_SECONDS } from './targets.fixture.ts';

const HEADLINE = scenario('antagonists');

test('T1 mod_cluster, speeds 1:2:4 with antagonists', () => {
  for (const utilisation of [0.7, 0.9])
    holds(scenario('antagonists', { utilisation }, TEN_SECONDS), 'modcluster', 0.01);
});

test('T2 mod_cluster, equal nodes', () => {
  holds(scenario('homogeneous', {}, TEN_SECONDS), 'modcluster', 0.01);
});

test('T3 least connections, 12 nodes and one proxy', () => {
  holds(scenario('antagonists-12'), 'least-connections', 0.8);
});

test('T4 least connections, 4 and 16 proxies', () => {
  holds(HEADLINE, 'least-connections', 0.4);
  holds(scenario('antagonists', { proxies: 16 }), 'least-connections', 0.16);
});

test('T5 weighted round robin with a report per second', () => {
  holds(HEADLINE, 'wrr', 0.05);
});

test('T6 power of two and peak EWMA', () => {
  holds(HEADLINE, 'power-of-two', 0.05);
  holds(HEADLINE, 'peak-ewma', 0.12);
});

test('T7 Prequal, 4 and 64 proxies', () => {
  holds(HEADLINE, 'prequal', 0.65);
  holds(HEADLINE, 'prequal-0.6', 0.65);
  holds(scenario('antagonists', { proxies: 64 }), 'prequal-0.6', 0.65);
});

test('T8 leasttime, 1 and 4 proxies', () => {
  holds(scenario('antagonists', { proxies: 1 }), 'leasttime', 1.1);
  holds(HEADLINE, 'leasttime', 0.8);
});

test('T9 C3', () => {
  holds(HEADLINE, 'c3', 1.05);
  holds(scenario('heavy-tail'), 'c3', 1.05);
});

test('T10 an oracle with the backlog of every node', () => {
  holds(scenario('antagonists', { utilisation: 0.7 }), 'oracle-backlog', 1.5);
  holds(HEADLINE, 'oracle-backlog', 1.3);
});

test('T15 a node that fails fast gets at most 0.02 of its fair share', () => {
  const share = 12 * median(scenario('fail-fast'), 'rollcall', 'errorShare');
  console.log(`# ${share.toPrecision(2)} of the fair share`);
  assert.ok(share <= 0.02);
});

test('T16 while one node is slow p99 is at most 1.2 of before', () => {
  const of = scenario('slow-node');
  const ratio = median(of, 'rollcall', 'duringP99Ms') / median(of, 'rollcall', 'beforeP99Ms');
  console.log(`# ${ratio.toPrecision(3)}`);
  assert.ok(ratio <= 1.2);
});

test('p99 about doubles from 1 proxy to 64', () => {
  const ratio =
    median(scenario('antagonists', { proxies: 64 }), 'adaptive') /
    median(scenario('antagonists', { proxies: 1 }), 'adaptive');
  console.log(`# ${ratio.toPrecision(3)}`);
  assert.ok(ratio <= 2.05);
});

test('1,002 nodes, each considered in every pick', () => {
  const of = scenario('large');
  holds(of, 'c3', 1.1, 'adaptive', [1]);
});
