import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ActiveSessions } from './active-sessions.ts';
import type { HeldSession } from './held-sessions.ts';

const IDLE_MS = 1_600;
/** A session expires in the part after its idle time; a merged one another part later. */
const PART_MS = IDLE_MS / 16;

type Step = readonly [atMs: number, what: 'see' | 'hold' | 'release' | 'idle', value: string | number];

/** Applies the steps of a case. Returns the worker and the coordinator, which gets its reports each part, at `endMs`. */
function after(steps: readonly Step[], endMs: number): { worker: number; together: number } {
  const worker = new ActiveSessions(IDLE_MS, 1);
  const together = new ActiveSessions(IDLE_MS, 2);
  const held = new Map<string, HeldSession[]>();
  let next = 0;
  for (let nowMs = 0; nowMs <= endMs; nowMs += PART_MS / 2) {
    for (; next < steps.length && steps[next]![0] <= nowMs; next++) {
      const [atMs, what, value] = steps[next]!;
      const id = String(value);
      if (what === 'see') worker.see(id, atMs);
      else if (what === 'hold') held.set(id, [...(held.get(id) ?? []), worker.hold(id, atMs)]);
      else if (what === 'release') held.get(id)!.pop()!.release(atMs);
      else for (const one of [worker, together]) one.setIdleMs(Number(value), atMs);
    }
    const sample = worker.take(1_000, nowMs);
    if (sample !== undefined) together.merge(sample, sample.level, nowMs);
  }
  return { worker: worker.count(endMs), together: together.count(endMs) };
}

void test('a session counts while an open tunnel holds it, and for its idle time after the last one', () => {
  const table: readonly (readonly [name: string, steps: readonly Step[], endMs: number, count: number])[] = [
    ['without a tunnel', [[0, 'see', 'a']], 2 * IDLE_MS, 0],
    ['with an open tunnel', [[0, 'hold', 'a']], 10 * IDLE_MS, 1],
    [
      'with an open tunnel, beside an idle session',
      [
        [0, 'hold', 'a'],
        [0, 'see', 'b'],
      ],
      10 * IDLE_MS,
      1,
    ],
    [
      'requests during the tunnel',
      [
        [0, 'see', 'a'],
        [10, 'hold', 'a'],
        [500, 'see', 'a'],
      ],
      5 * IDLE_MS,
      1,
    ],
    [
      'within the idle time of the end',
      [
        [0, 'hold', 'a'],
        [5_000, 'release', 'a'],
      ],
      5_000 + IDLE_MS,
      1,
    ],
    [
      'after the idle time of the end',
      [
        [0, 'hold', 'a'],
        [5_000, 'release', 'a'],
      ],
      5_000 + IDLE_MS + 3 * PART_MS,
      0,
    ],
    [
      'one of two tunnels has ended',
      [
        [0, 'hold', 'a'],
        [100, 'hold', 'a'],
        [200, 'release', 'a'],
      ],
      5 * IDLE_MS,
      1,
    ],
    [
      'both of two tunnels have ended',
      [
        [0, 'hold', 'a'],
        [100, 'hold', 'a'],
        [200, 'release', 'a'],
        [300, 'release', 'a'],
      ],
      5 * IDLE_MS,
      0,
    ],
    [
      'a shorter idle time',
      [
        [0, 'hold', 'a'],
        [0, 'see', 'b'],
        [400, 'idle', 320],
      ],
      5 * IDLE_MS,
      1,
    ],
    [
      'a tunnel that is opened again',
      [
        [0, 'hold', 'a'],
        [100, 'release', 'a'],
        [6_000, 'hold', 'a'],
      ],
      5 * IDLE_MS,
      1,
    ],
  ];
  for (const [name, steps, endMs, count] of table)
    assert.deepEqual(after(steps, endMs), { worker: count, together: count }, name);
});

void test('held sessions of many sampled visitors are counted as others are', () => {
  const sessions = new ActiveSessions(IDLE_MS, 1);
  const held = Array.from({ length: 40_000 }, (_, i) => sessions.hold(`session-${i}`, 0));
  for (let nowMs = 0; nowMs <= 3 * IDLE_MS; nowMs += PART_MS) sessions.count(nowMs);
  assert.ok(Math.abs(sessions.count(3 * IDLE_MS) - 40_000) <= 800);
  for (const one of held) one.release(3 * IDLE_MS);
  assert.equal(sessions.count(5 * IDLE_MS), 0);
});
