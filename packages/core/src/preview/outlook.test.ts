import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outlook } from './outlook.ts';
import { tailOf, utilisationOf } from './queue.ts';

test('the tail of one server is that of M/M/1, and of many servers at little load that of the service', () => {
  const one = { perSecond: 50, serviceMs: 10, servers: 1 };
  assert.equal(utilisationOf(one), 0.5);
  for (const afterMs of [0, 10, 40, 92]) assert.ok(Math.abs(tailOf(one, afterMs) - Math.exp(-0.05 * afterMs)) < 1e-9);
  const many = { perSecond: 10, serviceMs: 10, servers: 64 };
  assert.ok(Math.abs(tailOf(many, 20) - Math.exp(-2)) < 1e-9);
  // Two servers with an offered load of 1: Erlang's C is 1/3, and both rates are equal.
  const two = { perSecond: 100, serviceMs: 10, servers: 2 };
  assert.ok(Math.abs(tailOf(two, 10) - Math.exp(-1) * (1 + 1 / 3)) < 1e-9);
  assert.equal(tailOf({ ...two, perSecond: 200 }, 1e6), 1);
  const large = tailOf({ perSecond: 700_000, serviceMs: 10, servers: 8_000 }, 10);
  assert.ok(large > 0.3 && large < 0.4, String(large));
});

test('lost work is divided by capacity, so that a node of twice the speed gets twice as much', () => {
  const slow = { perSecond: 10, serviceMs: 20, servers: 1 };
  const fast = { perSecond: 20, serviceMs: 10, servers: 1 };
  const change = { staying: [slow, fast], lostPerSecond: 30, isBound: true, measuredP99Ms: undefined };
  const { before, after } = outlook(change);
  assert.ok(Math.abs(before.utilisation - 0.2) < 1e-9 && Math.abs(after.utilisation - 0.4) < 1e-9);
  assert.ok(after.p99Ms! > before.p99Ms!);
});

test('only the difference between the estimates is added to a measured p99', () => {
  const node = { perSecond: 50, serviceMs: 10, servers: 1 };
  const change = { staying: [node], lostPerSecond: 10, isBound: true };
  const pure = outlook({ ...change, measuredP99Ms: undefined });
  const measured = outlook({ ...change, measuredP99Ms: 900 });
  assert.equal(measured.before.p99Ms, 900);
  assert.ok(Math.abs(measured.after.p99Ms! - 900 - (pure.after.p99Ms! - pure.before.p99Ms!)) < 1e-6);
});
