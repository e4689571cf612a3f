import assert from 'node:assert/strict';
import { test } from 'node:test';
import { upstreamNode } from './scripted-router.fixture.ts';
import type { PooledConnection } from './upstream-pool.ts';
import { UpstreamPools } from './upstream-pools.ts';

class TestConnection implements PooledConnection {
  openedAtMs = 0;
  idleSinceMs = 0;
  deadlineMs = 0;
  keepAliveMs = undefined;
  isDestroyed = false;

  destroy(): void {
    this.isDestroyed = true;
  }
}

test('idle connections of all nodes together are bounded: the oldest of another node closes, and none is counted twice', () => {
  const pools = new UpstreamPools<TestConnection>(256, 3);
  const [a, b] = [upstreamNode('a', 1), upstreamNode('b', 2)];
  const connections = Array.from({ length: 5 }, () => new TestConnection());
  const [first, second, third, fourth, fifth] = connections;
  pools.of(a).give(first!, 0);
  pools.of(a).give(second!, 1);
  pools.of(b).give(third!, 2);
  pools.of(b).give(fourth!, 3);
  assert.deepEqual(
    connections.map(({ isDestroyed }) => isDestroyed),
    [true, false, false, false, false],
  );
  pools.of(a).give(fifth!, 4);
  assert.equal(third!.isDestroyed, true, 'the pools take turns');
  pools.of(b).drop(third!);
  assert.equal(pools.idle, 3);
  assert.equal(pools.of(a).take(true, 5), fifth);
  pools.of(a).drop(second!);
  assert.equal(pools.idle, 1);
  pools.remove(b);
  assert.equal(pools.idle, 0);
  pools.of(a).give(first!, 6);
  pools.empty();
  assert.equal(pools.idle, 0);
});

test('a hundred nodes and a bound of one: one connection stays', () => {
  const pools = new UpstreamPools<TestConnection>(256, 1);
  const connections = Array.from({ length: 100 }, () => new TestConnection());
  for (const [i, connection] of connections.entries()) pools.of(upstreamNode(`n${i}`, i + 1)).give(connection, i);
  assert.equal(pools.idle, 1);
  assert.equal(connections.filter(({ isDestroyed }) => !isDestroyed).length, 1);
});
