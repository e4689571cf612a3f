import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isReadyStatus, type ReadyAnswer, ReadyPath, unreadyText } from './ready-path.ts';

const OK: ReadyAnswer = { type: 'answered', status: 200 };

/** Sends a request at `atMs` and takes its answer `tookMs` later; returns that time. */
function exchange(path: ReadyPath, answer: ReadyAnswer, atMs: number, tookMs: number): number {
  assert.ok(path.isDue(atMs), `not due at ${atMs}`);
  path.asked(atMs);
  assert.equal(path.isDue(atMs + tookMs), false, 'one open request');
  path.take(answer, atMs + tookMs);
  return atMs + tookMs;
}

test('a status below 500 is ready; the text names status and path', () => {
  for (const [status, isReady, text] of [
    [101, true, 'answers 101 at /up'],
    [200, true, 'answers 200 at /up'],
    [404, true, 'answers 404 at /up'],
    [499, true, 'answers 499 at /up'],
    [500, false, 'answers 500 at /up'],
    [503, false, 'answers 503 at /up'],
    [0, false, 'answers no HTTP at /up'],
  ] as const) {
    const path = new ReadyPath();
    assert.equal(path.isReady, true, 'before the first answer');
    exchange(path, { type: 'answered', status }, 0, 1);
    assert.deepEqual([path.isReady, isReadyStatus(status), unreadyText(status, '/up')], [isReady, isReady, text]);
  }
});

test('each outcome: whether it is late, the last status, and when the next request is due', () => {
  for (const [answer, tookMs, isLate, status, nextMs] of [
    [OK, 10, false, 200, 800],
    [OK, 2_000, false, 200, 2_000],
    [OK, 2_001, true, 200, 3_001],
    [{ type: 'answered', status: 503 }, 10, false, 503, 800],
    [{ type: 'refused' }, 10, false, undefined, 800],
    [{ type: 'silent' }, 30_000, true, undefined, 31_000],
    [{ type: 'unconnected' }, 10, true, undefined, 1_010],
  ] as const) {
    const path = new ReadyPath();
    const endMs = exchange(path, answer, 0, tookMs);
    const about = JSON.stringify([answer, tookMs]);
    assert.deepEqual([path.isLate(endMs), path.status], [isLate, status], about);
    assert.deepEqual([path.isDue(nextMs - 1) && nextMs > endMs, path.isDue(nextMs)], [false, true], about);
  }
});

test('an open request is late after 2 s, and the pause after late answers doubles up to 30 s', () => {
  const path = new ReadyPath();
  path.asked(0);
  assert.deepEqual([path.isLate(2_000), path.isLate(2_001)], [false, true]);
  path.take(OK, 5_000);
  let nowMs = 5_000;
  for (const pauseMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
    assert.equal(path.isDue(nowMs + pauseMs - 1), false, String(pauseMs));
    nowMs = exchange(path, OK, nowMs + pauseMs, 5_000);
    assert.equal(path.isLate(nowMs), true);
  }
  nowMs = exchange(path, OK, nowMs + 30_000, 10);
  assert.equal(path.isLate(nowMs), false);
  assert.equal(path.isDue(nowMs + 990), true, 'no pause after a prompt answer');
});
