import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBalancerName, parseNodeId } from '@rollcall/protocol';
import { FADE_MS, Traffic } from './traffic.ts';

const shop = parseBalancerName('shop')!;
const wiki = parseBalancerName('wiki')!;
const n1 = parseNodeId('n1')!;

/** Adds `perSecond` requests a second for ten times the fading time; returns when. */
function run(traffic: Traffic, perSecond: Readonly<Record<string, number>>, fromMs = 0): number {
  const endMs = fromMs + 10 * FADE_MS;
  for (let nowMs = fromMs; nowMs < endMs; nowMs += 250)
    for (const [worker, rate] of Object.entries(perSecond)) traffic.add(worker, shop, n1, rate / 4, nowMs);
  return endMs;
}

void test('without requests every worker has an equal part, and a single one all of it', () => {
  const traffic = new Traffic();
  assert.deepEqual(traffic.sharesOf(['a', 'b', 'c', 'd'], shop, 0), [0.25, 0.25, 0.25, 0.25]);
  assert.deepEqual(traffic.sharesOf(['a'], shop, 0), [1]);
  assert.deepEqual(traffic.sharesOf([], shop, 0), []);
});

void test('shares follow the requests when there are enough, and become equal again when they stop', () => {
  const traffic = new Traffic();
  const endMs = run(traffic, { a: 3_000, b: 1_000 });
  const [a, b] = traffic.sharesOf(['a', 'b'], shop, endMs) as [number, number];
  assert.ok(Math.abs(a - 0.75) < 0.01 && Math.abs(b - 0.25) < 0.01, `${a} ${b}`);
  assert.deepEqual(traffic.sharesOf(['a', 'b'], wiki, endMs), [0.5, 0.5], 'each balancer has its own');
  const [later] = traffic.sharesOf(['a', 'b'], shop, endMs + 20 * FADE_MS) as [number];
  assert.ok(Math.abs(later - 0.5) < 0.01);
});

void test('a few requests change shares little', () => {
  const traffic = new Traffic();
  traffic.add('a', shop, n1, 4, 0);
  const [a] = traffic.sharesOf(['a', 'b'], shop, 0) as [number];
  assert.ok(a > 0.5 && a < 0.55, String(a));
});

void test('a share is never less than a sixty-fourth', () => {
  const traffic = new Traffic();
  const endMs = run(traffic, { a: 100_000 });
  assert.equal(traffic.sharesOf(['a', 'b'], shop, endMs)[1], 1 / 64);
});

void test('a disconnected worker counts until its requests have decayed, one that has ended does not', () => {
  const traffic = new Traffic();
  const endMs = run(traffic, { a: 1_000, b: 1_000 });
  assert.ok(traffic.sharesOf(['a'], shop, endMs)[0]! < 0.52);
  assert.ok(traffic.sharesOf(['a'], shop, endMs + FADE_MS)[0]! < 0.52, 'both fade alike');
  run(traffic, { a: 1_000 }, endMs);
  assert.ok(traffic.sharesOf(['a'], shop, endMs + 10 * FADE_MS)[0]! > 0.99);
  traffic.add('b', shop, n1, 1e6, 2 * endMs);
  traffic.forgetWorker('b');
  assert.ok(traffic.sharesOf(['a', 'b'], shop, 2 * endMs)[0]! > 0.98);
});

void test('a node has the requests per second of all workers', () => {
  const traffic = new Traffic();
  const endMs = run(traffic, { a: 30, b: 10 });
  assert.ok(Math.abs(traffic.perSecond(n1, endMs) - 40) < 2);
  traffic.forgetNode(n1);
  assert.equal(traffic.perSecond(n1, endMs), 0);
});
