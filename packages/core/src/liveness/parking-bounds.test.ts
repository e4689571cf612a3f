import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParkingBounds } from './parking-bounds.ts';

function fill(bounds: ParkingBounds<string>, key: string, times: number, bytes = 0): number {
  let entered = 0;
  for (let i = 0; i < times; i++) if (bounds.enter(key, bytes)) entered++;
  return entered;
}

void test('one node may use all places while no other needs any', () => {
  const bounds = new ParkingBounds<string>({ maxRequests: 100, maxBytes: 1_000 });
  assert.equal(fill(bounds, 'a', 150), 100);
  assert.equal(bounds.requests, 100);
});

void test('above three quarters full a node gets at most half of the places', () => {
  const bounds = new ParkingBounds<string>({ maxRequests: 100, maxBytes: 1_000 });
  assert.equal(fill(bounds, 'b', 1), 1);
  assert.equal(fill(bounds, 'a', 150), 74, 'places up to three quarters are free to all');
  assert.equal(fill(bounds, 'b', 150), 25);
  assert.equal(bounds.requests, 100);
});

void test('bytes are bounded like requests', () => {
  const bounds = new ParkingBounds<string>({ maxRequests: 1_000, maxBytes: 1_000 });
  assert.equal(fill(bounds, 'a', 1, 1_001), 0);
  assert.equal(fill(bounds, 'a', 1, 700), 1);
  assert.equal(fill(bounds, 'b', 1, 200), 1);
  assert.equal(fill(bounds, 'a', 1, 100), 0, 'it has more than half, and others wait as well');
  assert.equal(fill(bounds, 'b', 1, 100), 1);
});

void test('a place that is left is free again, and a second leave changes nothing', () => {
  const bounds = new ParkingBounds<string>({ maxRequests: 1, maxBytes: 10 });
  assert.equal(bounds.enter('a', 10), true);
  assert.equal(bounds.enter('a', 0), false);
  bounds.leave('a', 10);
  bounds.leave('a', 10);
  assert.deepEqual([bounds.requests, bounds.of('a')], [0, 0]);
  assert.equal(bounds.enter('b', 10), true);
});

void test('a request that waits may grow within the bound', () => {
  const bounds = new ParkingBounds<string>({ maxRequests: 10, maxBytes: 10 });
  assert.equal(bounds.grow('a', 1), false, 'it has no place');
  bounds.enter('a', 4);
  assert.equal(bounds.grow('a', 6), true);
  assert.equal(bounds.grow('a', 1), false);
  bounds.leave('a', 10);
  assert.equal(bounds.enter('b', 10), true);
});
