import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeSessions } from './node-sessions.ts';

const IDLE_MS = 1_800_000;
const NO_FLOORS = { again: 0, once: 0 };

/** `open a`: an answer opens session a. `see a`: a request sends it. `later`: two thirds of the idle time pass. */
const HISTORIES: readonly {
  readonly what: string;
  readonly steps: string;
  readonly again: number;
  readonly once: number;
}[] = [
  { what: 'nothing', steps: '', again: 0, once: 0 },
  { what: 'an opened session is seen once', steps: 'open a', again: 0, once: 1 },
  { what: 'its first request makes it one that was seen again', steps: 'open a, see a', again: 1, once: 0 },
  { what: 'so do further requests', steps: 'open a, see a, see a, see a', again: 1, once: 0 },
  { what: 'a request of a session that another worker opened', steps: 'see a', again: 1, once: 0 },
  { what: 'a health checker opens one with each request', steps: 'open a, open b, open c', again: 0, once: 3 },
  { what: 'both kinds', steps: 'open a, open b, see b, open c, see d', again: 2, once: 2 },
  { what: 'sessions seen once expire', steps: 'open a, later, open b, later', again: 0, once: 1 },
  { what: 'sessions seen again expire', steps: 'open a, see a, later, see b, later', again: 1, once: 0 },
  { what: 'a session returns after it has expired', steps: 'open a, later, later, see a', again: 1, once: 0 },
  { what: 'a request keeps a session from expiring', steps: 'open a, later, see a, later', again: 1, once: 0 },
];

for (const { what, steps, again, once } of HISTORIES)
  void test(`sessions seen again and once: ${what}`, () => {
    const sessions = new NodeSessions(IDLE_MS, 1);
    const nowMs = run(sessions, steps, 0);
    assert.deepEqual([sessions.again(nowMs), sessions.once(nowMs)], [again, once]);
    assert.equal(sessions.count(nowMs), again + once);
    assert.equal(sessions.oldestMs(nowMs) === undefined, again === 0, 'the age is that of sessions seen again');

    // The same numbers at the coordinator, and at a worker that takes over from there.
    const coordinator = new NodeSessions(IDLE_MS, 2);
    for (let sample = sessions.take(1, nowMs); sample; sample = sessions.take(1, nowMs))
      coordinator.merge(sample, NO_FLOORS, nowMs);
    assert.deepEqual([coordinator.again(nowMs), coordinator.once(nowMs)], [again, once]);
    assert.equal(coordinator.take(10, nowMs), undefined, 'the worker reports them, not the coordinator');
    coordinator.tellAgain();
    const successor = new NodeSessions(IDLE_MS, 3);
    for (let sample = coordinator.take(1, nowMs); sample; sample = coordinator.take(1, nowMs))
      successor.adopt(sample, nowMs);
    assert.deepEqual([successor.again(nowMs), successor.once(nowMs)], [again, once]);
  });

/** Steps at 0 s, and the instant at which the oldest session that was seen again began. */
const BEGINNINGS: readonly (readonly [what: string, opened: number | undefined, seen: readonly number[]])[] = [
  ['a session begins when it is opened', 3_000, [63_000]],
  ['a session that another worker opened begins with its first request', undefined, [5_000, 70_000]],
];

for (const [what, openedMs, seenMs] of BEGINNINGS)
  void test(`the age of a session: ${what}, also at the coordinator and with a WebSocket`, () => {
    for (const isHeld of [false, true]) {
      const worker = new NodeSessions(IDLE_MS, 1);
      const coordinator = new NodeSessions(IDLE_MS, 2);
      const report = (nowMs: number): void => {
        for (let sample = worker.take(10, nowMs); sample; sample = worker.take(10, nowMs))
          coordinator.merge(sample, NO_FLOORS, nowMs);
      };
      if (openedMs !== undefined) worker.open('a', openedMs);
      if (openedMs !== undefined) report(openedMs);
      for (const ms of seenMs) {
        if (isHeld) worker.hold('a', ms);
        else worker.see('a', ms);
        report(ms);
      }
      const ageMs = 100_000 - (openedMs ?? seenMs[0]!);
      assert.deepEqual([worker.oldestMs(100_000), coordinator.oldestMs(100_000)], [ageMs, ageMs]);
    }
  });

/** Steps of two workers, and what the coordinator has after each of their reports in any order. */
const TOGETHER: readonly {
  readonly what: string;
  readonly one: string;
  readonly other: string;
  readonly again: number;
  readonly once: number;
}[] = [
  { what: 'each has one', one: 'open a', other: 'open b', again: 0, once: 2 },
  { what: 'opened here, seen there', one: 'open a', other: 'see a', again: 1, once: 0 },
  { what: 'seen by both', one: 'open a, see a', other: 'see a', again: 1, once: 0 },
  { what: 'a mixture', one: 'open a, open b, see c', other: 'see a, open d, see c', again: 2, once: 2 },
];

for (const { what, one, other, again, once } of TOGETHER)
  for (const order of [
    [one, other],
    [other, one],
  ])
    void test(`a session that any worker has seen again counts as such: ${what} (${order.join(' / ')})`, () => {
      const coordinator = new NodeSessions(IDLE_MS, 9);
      for (const steps of order) {
        const worker = new NodeSessions(IDLE_MS, 1);
        run(worker, steps, 0);
        coordinator.merge(worker.take(100, 0)!, NO_FLOORS, 0);
      }
      assert.deepEqual([coordinator.again(0), coordinator.once(0)], [again, once]);
    });

void test('see() is true for an id that was not known, also when the table has only a sample of the ids', () => {
  const sessions = new NodeSessions(IDLE_MS, 1);
  sessions.open('opened', 0);
  assert.deepEqual([sessions.see('opened', 0), sessions.see('sent', 0), sessions.see('sent', 1)], [false, true, false]);
  for (let i = 0; i < 40_000; i++) sessions.see(`session-${i}`, 1);
  for (let i = 0; i < 1_000; i++) sessions.open(`late-${i}`, 2);
  for (let i = 0; i < 1_000; i++) sessions.see(`late-${i}`, 3);
  assert.equal(sessions.once(3), 0);
});

void test('any number of sessions seen once leaves the count of the others exact', () => {
  const sessions = new NodeSessions(IDLE_MS, 1);
  for (let i = 0; i < 3; i++) sessions.see(`user-${i}`, 0);
  for (let i = 0; i < 100_000; i++) sessions.open(`check-${i}`, 0);
  assert.equal(sessions.again(0), 3);
  assert.ok(Math.abs(sessions.once(0) / 100_000 - 1) < 0.02, `${sessions.once(0)}`);
});

void test('a sample that was taken over does not keep the count coarse', () => {
  const many = new NodeSessions(IDLE_MS, 1);
  for (let i = 0; i < 100_000; i++) many.see(`session-${i}`, 0);
  const successor = new NodeSessions(IDLE_MS, 2);
  for (let sample = many.take(4_096, 0); sample; sample = many.take(4_096, 0)) successor.adopt(sample, 0);
  assert.ok(Math.abs(successor.again(0) / 100_000 - 1) < 0.02, `${successor.again(0)}`);
  const laterMs = 10 * IDLE_MS;
  assert.equal(successor.again(laterMs), 0);
  for (let i = 0; i < 99; i++) successor.see(`later-${i}`, laterMs);
  assert.equal(successor.again(laterMs), 99);
});

/** Returns the instant after the steps. */
function run(sessions: NodeSessions, steps: string, fromMs: number): number {
  let nowMs = fromMs;
  for (const step of steps.split(', ')) {
    const [verb, id = ''] = step.split(' ');
    if (verb === 'open') sessions.open(id, nowMs);
    else if (verb === 'see') sessions.see(id, nowMs);
    else if (verb === 'later') nowMs += (2 * IDLE_MS) / 3;
  }
  return nowMs;
}
