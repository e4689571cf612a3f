import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ActiveSessions } from './active-sessions.ts';

const IDLE_MS = 1_800_000;

void test('distinct sessions are counted exactly up to ten thousand', () => {
  const sessions = new ActiveSessions(IDLE_MS, 1);
  for (let round = 0; round < 3; round++) for (let i = 0; i < 10_000; i++) sessions.see(`session-${i}`, round);
  assert.equal(sessions.count(3), 10_000);
});

void test('beyond that the count is right to about two percent', () => {
  for (const total of [20_000, 100_000, 300_000]) {
    const sessions = new ActiveSessions(IDLE_MS, 1);
    for (let i = 0; i < total; i++) sessions.see(`session-${i}`, 0);
    const count = sessions.count(0);
    assert.ok(Math.abs(count - total) < 0.04 * total, `${count} for ${total}`);
  }
});

void test('a session counts while it was seen within the idle time and no longer than an eighth more', () => {
  const sessions = new ActiveSessions(IDLE_MS, 1);
  sessions.see('a', 0);
  sessions.see('b', 1_000_000);
  assert.equal(sessions.count(IDLE_MS), 2);
  assert.equal(sessions.count(IDLE_MS * 1.125), 1);
  sessions.see('b', 2_500_000);
  assert.equal(sessions.count(4_000_000), 1);
  assert.equal(sessions.count(5_000_000), 0);
});

void test('after a crowd has gone counting is exact again', () => {
  const sessions = new ActiveSessions(IDLE_MS, 1);
  for (let i = 0; i < 50_000; i++) sessions.see(`session-${i}`, 0);
  assert.equal(sessions.count(10 * IDLE_MS), 0);
  for (let i = 0; i < 100; i++) sessions.see(`late-${i}`, 10 * IDLE_MS);
  assert.equal(sessions.count(10 * IDLE_MS), 100);
});

void test('a crowd that comes slowly pushes the expired out first', () => {
  const sessions = new ActiveSessions(IDLE_MS, 1);
  for (let i = 0; i < 10_000; i++) sessions.see(`old-${i}`, 0);
  for (let i = 0; i < 5_000; i++) sessions.see(`new-${i}`, 3 * IDLE_MS);
  assert.equal(sessions.count(3 * IDLE_MS), 5_000);
});

void test('another idle time judges the sessions already seen', () => {
  const sessions = new ActiveSessions(IDLE_MS, 1);
  sessions.see('a', 0);
  sessions.see('b', 1_000_000);
  sessions.setIdleMs(IDLE_MS);
  sessions.setIdleMs(60_000);
  assert.equal(sessions.count(1_030_000), 1);
});
