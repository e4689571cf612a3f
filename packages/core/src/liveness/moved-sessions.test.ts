import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MOVE_REMEMBERED_MS, MovedSessions } from './moved-sessions.ts';

void test('a move is remembered for a minute', () => {
  const moves = new MovedSessions<string>();
  moves.remember('s1.a', 'b', 1_000);
  assert.equal(moves.find('s1.a', 1_000 + MOVE_REMEMBERED_MS - 1), 'b');
  assert.equal(moves.find('s2.a', 1_000), undefined);
  assert.equal(moves.find('s1.a', 1_000 + MOVE_REMEMBERED_MS), undefined);
  assert.equal(moves.size, 0);
});

void test('a second move replaces the first', () => {
  const moves = new MovedSessions<string>();
  moves.remember('s1.a', 'b', 0);
  moves.remember('s1.a', 'c', 10);
  assert.equal(moves.find('s1.a', 20), 'c');
  assert.equal(moves.size, 1);
});

void test('the number of moves is bounded, and the oldest are dropped first', () => {
  const moves = new MovedSessions<string>();
  for (let i = 0; i < 100_010; i++) moves.remember(`s${i}`, 'b', 0);
  assert.equal(moves.size, 100_000);
  assert.equal(moves.find('s9', 1), undefined);
  assert.equal(moves.find('s10', 1), 'b');
});

void test('a move to a node that is lost as well is forgotten', () => {
  const moves = new MovedSessions<string>();
  moves.remember('s1.a', 'b', 0);
  moves.forget('s1.a');
  assert.equal(moves.find('s1.a', 1), undefined);
});
