import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PooledConnection, UpstreamPool, usableIdleMs } from './upstream-pool.ts';

class TestConnection implements PooledConnection {
  openedAtMs = 0;
  idleSinceMs = 0;
  deadlineMs = 0;
  keepAliveMs: number | undefined;
  isDestroyed = false;

  constructor(keepAliveMs?: number) {
    this.keepAliveMs = keepAliveMs;
  }

  destroy(): void {
    this.isDestroyed = true;
  }
}

test('idle connections are used until the announced time less a second or a quarter', () => {
  assert.equal(usableIdleMs(5_000, true), 4_000);
  assert.equal(usableIdleMs(5_000, false), 4_000);
  assert.equal(usableIdleMs(1_000, false), 750);
  assert.equal(usableIdleMs(0, true), 0);
});

test('connections of unknown keep-alive are used for a second, and for 200 ms by requests that cannot be repeated', () => {
  assert.equal(usableIdleMs(undefined, true), 1_000);
  assert.equal(usableIdleMs(undefined, false), 200);
});

test('connections with an announced idle time of zero are not kept', () => {
  const pool = new UpstreamPool<TestConnection>(10);
  pool.give(new TestConnection(0), 0);
  assert.equal(pool.take(true, 0), undefined);
});

test('the connection that was used last is taken first', () => {
  const pool = new UpstreamPool<TestConnection>(10);
  const [a, b] = [new TestConnection(), new TestConnection()];
  pool.give(a, 0);
  pool.give(b, 10);
  assert.equal(pool.take(true, 20), b);
  assert.equal(pool.take(true, 20), a);
  assert.equal(pool.take(true, 20), undefined);
});

test('a connection that is too old stays until its deadline', () => {
  const pool = new UpstreamPool<TestConnection>(10);
  const connection = new TestConnection(5_000);
  pool.give(connection, 0);
  assert.equal(connection.deadlineMs, 4_000);
  assert.equal(pool.take(true, 4_000), undefined);
  assert.equal(pool.take(true, 3_999), connection);
});

test('a connection of unknown keep-alive is kept for a minute, used for a second, and for 200 ms by requests that cannot be repeated', () => {
  const pool = new UpstreamPool<TestConnection>(10);
  const connection = new TestConnection();
  pool.give(connection, 0);
  assert.equal(connection.deadlineMs, 60_000);
  assert.equal(pool.take(true, 1_000), undefined);
  assert.equal(pool.take(true, 999), connection);
  pool.give(connection, 0);
  assert.equal(pool.take(false, 199), connection);
});

test('a request that cannot be repeated closes a connection that is too old for it, and its own replaces it', () => {
  const pool = new UpstreamPool<TestConnection>(10);
  const [cold, warm] = [new TestConnection(), new TestConnection()];
  pool.give(cold, 0);
  pool.give(warm, 500);
  assert.equal(pool.take(false, 700), undefined);
  assert.deepEqual([cold.isDestroyed, warm.isDestroyed], [false, true]);
  assert.equal(pool.take(true, 700), cold);
});

test('the oldest open connection shows how long the others may be idle, less a second or a quarter', () => {
  const pool = new UpstreamPool<TestConnection>(10);
  const [coldest, early, late] = [new TestConnection(), new TestConnection(), new TestConnection()];
  pool.give(coldest, 0);
  pool.give(early, 1_000);
  assert.equal(pool.take(true, 5_000), undefined);
  pool.drop(early);
  pool.give(late, 1_001);
  assert.equal(pool.take(true, 5_000), late);
  assert.equal(pool.take(true, 5_000), undefined, 'the oldest one shows nothing about itself');
  pool.give(late, 1_001);
  assert.equal(pool.take(false, 5_000), undefined, 'requests that cannot be repeated do not use the inferred time');
});

test('a connection still open at its deadline extends the time for later ones, until the node closes one earlier', () => {
  const pool = new UpstreamPool<TestConnection>(10);
  const [first, second, third] = [new TestConnection(), new TestConnection(), new TestConnection()];
  pool.give(first, 0);
  pool.outlasted(first, 60_000);
  pool.drop(first);
  pool.give(second, 60_000);
  assert.equal(pool.take(true, 119_000), undefined);
  assert.equal(pool.take(true, 118_999), second);
  pool.give(second, 120_000);
  pool.closedByNode(second, 124_000);
  pool.drop(second);
  pool.give(third, 130_000);
  assert.equal(pool.take(true, 133_000), undefined);
  assert.equal(pool.take(true, 132_999), third);
});

test('an announced keep-alive is used, whatever the node does', () => {
  const pool = new UpstreamPool<TestConnection>(10);
  const [first, second] = [new TestConnection(5_000), new TestConnection(5_000)];
  pool.give(first, 0);
  pool.outlasted(first, 60_000);
  pool.closedByNode(first, 60_000);
  pool.drop(first);
  pool.give(second, 60_000);
  assert.equal(pool.take(true, 64_000), undefined);
});

test('a pool keeps at most its limit, and nothing after its close', () => {
  const pool = new UpstreamPool<TestConnection>(1);
  const [kept, excess, late] = [new TestConnection(), new TestConnection(), new TestConnection()];
  pool.give(kept, 0);
  pool.give(excess, 0);
  assert.ok(excess.isDestroyed);
  pool.close();
  assert.ok(kept.isDestroyed);
  pool.give(late, 0);
  assert.ok(late.isDestroyed);
});

test('a closed connection is not taken', () => {
  const pool = new UpstreamPool<TestConnection>(10);
  const connection = new TestConnection();
  pool.give(connection, 0);
  pool.drop(connection);
  assert.equal(pool.take(true, 0), undefined);
});

test('idle connections are closed while a fresh one waits for its first octet', () => {
  const pool = new UpstreamPool<TestConnection>(10);
  const [kept, fresh] = [new TestConnection(5_000), new TestConnection()];
  fresh.openedAtMs = 1_000;
  pool.opened(fresh);
  pool.give(kept, 1_100);
  assert.equal(kept.deadlineMs, 1_250, 'checked again when the fresh one has waited for 250 ms');
  assert.equal(pool.isDue(kept, 1_250), true);
  const late = new TestConnection();
  pool.give(late, 1_300);
  assert.equal(late.isDestroyed, true);
  pool.answered(fresh);
  assert.equal(pool.isDue(kept, 1_350), false);
  assert.equal(kept.deadlineMs, 5_100, 'its own deadline again');
});

test('an answer on a fresh connection shows that earlier ones are accepted', () => {
  const pool = new UpstreamPool<TestConnection>(10);
  const [longPoll, quick, later] = [new TestConnection(), new TestConnection(), new TestConnection()];
  for (const connection of [longPoll, quick, later]) pool.opened(connection);
  later.openedAtMs = 900;
  pool.answered(quick);
  pool.give(quick, 1_000);
  assert.equal(quick.isDestroyed, false);
  assert.equal(quick.deadlineMs, 1_150, 'of the one opened later');
  pool.drop(later);
  assert.equal(pool.isDue(quick, 1_150), false);
});
