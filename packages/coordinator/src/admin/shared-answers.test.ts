import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Registry } from '@rollcall/core';
import type { BalancerName, NodeId, NodeUrl, Route } from '@rollcall/protocol';
import { Cluster } from '../cluster.ts';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { SharedAnswers } from './shared-answers.ts';

function register(cluster: Cluster, number: number, kind: 'static' | 'lease' = 'lease'): void {
  const outcome = cluster.apply({
    type: 'register',
    node: {
      id: `n${number}` as NodeId,
      balancer: 'shop' as BalancerName,
      url: `http://127.0.0.1:${1_000 + number}` as NodeUrl,
      route: `n${number}` as Route,
      instance: `${number}`.padStart(32, '0'),
      contexts: [],
      hosts: [],
      weight: 1,
      loadHeader: false,
      meta: {},
    },
    nowUnixMs: cluster.clocks.nowUnixMs(),
    connection: cluster.nextConnection(),
    owner: 'join',
    kind,
    leaseMs: 60_000,
  });
  assert.ok(Array.isArray(outcome), JSON.stringify(outcome));
}

/** A cluster with this number of nodes, and answers that each take `costMs` to make. */
function readers(nodes: number, costMs: number) {
  const clocks = new ManualClocks();
  const cluster = new Cluster(new Registry(), clocks);
  for (let i = 0; i < nodes; i++) register(cluster, i);
  const answers = new SharedAnswers(cluster);
  let made = 0;
  const read = (key = 'status'): number =>
    Number(
      JSON.parse(
        answers
          .json(key, () => {
            clocks.advance(costMs);
            return { made: ++made };
          })
          .toString(),
      ).made,
    );
  return { clocks, cluster, read };
}

describe('shared answers', () => {
  test('an answer is used for fifty times what it took to make', () => {
    const { clocks, read } = readers(200, 10);
    assert.equal(read(), 1);
    clocks.advance(499);
    assert.equal(read(), 1);
    clocks.advance(1);
    assert.equal(read(), 2);
  });

  test('an answer that takes long to make is used for one second', () => {
    const { clocks, read } = readers(200, 100);
    read();
    clocks.advance(999);
    assert.equal(read(), 1);
    clocks.advance(1);
    assert.equal(read(), 2);
  });

  test('a write by an operator ends an answer, a registration by an agent or with a lease does not', () => {
    const { cluster, read } = readers(200, 10);
    read();
    register(cluster, 500);
    assert.equal(read(), 1);
    const target = { type: 'node', id: 'n1' as NodeId } as const;
    cluster.apply({ type: 'operator-status', target, status: 'draining', by: 'admin' });
    assert.equal(read(), 2);
    cluster.apply({ type: 'remove', id: 'n1' as NodeId, by: 'admin' });
    assert.equal(read(), 3);
    register(cluster, 501, 'static');
    assert.equal(read(), 4);
  });

  test('different keys have different answers, and only some are kept', () => {
    const { read } = readers(200, 10);
    assert.deepEqual([read('a'), read('b'), read('a')], [1, 2, 1]);
    for (let i = 0; i < 16; i++) read(`other ${i}`);
    assert.ok(read('a') > 2);
  });

  test('below 200 nodes each reader gets a new answer', () => {
    const { read } = readers(199, 10);
    assert.deepEqual([read(), read()], [1, 2]);
  });
});
