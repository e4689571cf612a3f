import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FeedSnapshot } from '@rollcall/feed';
import { feedBalancer, feedNode, rememberedRoute } from '../cluster/cluster.fixture.ts';
import { SnapshotAssembly } from './snapshot-assembly.ts';

function part(number: number, parts: number, id: string): FeedSnapshot {
  return {
    type: 'snapshot',
    part: number,
    parts,
    nodes: [feedNode(id)],
    balancers: number === 0 ? [feedBalancer()] : [],
    remembered: number === 0 ? [rememberedRoute('old', false)] : [],
  };
}

void test('a snapshot is complete when all parts have arrived in order', () => {
  const assembly = new SnapshotAssembly();
  assert.equal(assembly.add(part(0, 2, 'a')), true);
  assert.equal(assembly.whole(), undefined);
  assert.equal(assembly.add(part(1, 2, 'b')), true);
  const whole = assembly.whole();
  assert.deepEqual(
    whole?.nodes.map(({ id }) => id),
    ['a', 'b'],
  );
  assert.deepEqual([whole?.balancers.length, whole?.remembered.length], [1, 1]);
});

void test('parts out of order, of another count or too many are refused', () => {
  for (const parts of [
    [part(1, 2, 'a')],
    [part(0, 0, 'a')],
    [part(0, 1_001, 'a')],
    [part(0, 3, 'a'), part(2, 3, 'b')],
    [part(0, 2, 'a'), part(0, 2, 'a')],
    [part(0, 2, 'a'), part(1, 3, 'b')],
  ]) {
    const assembly = new SnapshotAssembly();
    assert.equal(
      parts.every((one) => assembly.add(one)),
      false,
    );
  }
});
