import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ActiveSessions } from './active-sessions.ts';

const IDLE_MS = 1_800_000;

void test('distinct sessions are counted exactly up to ten thousand, and to three times as many', () => {
  for (const total of [10_000, 32_768]) {
    const sessions = new ActiveSessions(IDLE_MS, 1);
    for (let round = 0; round < 3; round++) for (let i = 0; i < total; i++) sessions.see(`session-${i}`, round);
    assert.equal(sessions.count(3), total);
  }
});

void test('while a sample becomes coarser it is counted as it will be', () => {
  const ids = populations(36_000);
  const [one, other] = [new ActiveSessions(IDLE_MS, 1), new ActiveSessions(IDLE_MS, 2)];
  for (const id of ids.slice(0, 32_700)) one.see(id, 0);
  for (const id of ids.slice(0, 32_700).reverse()) other.see(id, 0);
  for (let i = 32_700; i < ids.length; i += 50) {
    for (const id of ids.slice(i, i + 50)) one.see(id, 0);
    for (const id of ids.slice(i, i + 50).reverse()) other.see(id, 0);
    const reported = new ActiveSessions(IDLE_MS, 3);
    one.tellAgain();
    const sample = one.take(ids.length, 0)!;
    reported.merge(sample, sample.level, 0);
    assert.deepEqual([other.count(0), reported.count(0)], [one.count(0), one.count(0)]);
  }
});

void test('beyond that the count is within two percent for at least 95 of 100 populations', () => {
  for (const total of [33_000, 100_000, 300_000]) {
    const outside = populations(40).filter((name) => {
      const sessions = new ActiveSessions(IDLE_MS, 1);
      for (let i = 0; i < total; i++) sessions.see(`${name}${i}.node-1`, 0);
      return Math.abs(sessions.count(0) - total) > 0.02 * total;
    });
    assert.ok(outside.length <= 2, `${outside.length} of 40 populations of ${total}`);
  }
});

void test('a merged count of several workers is within two percent too, and no session is counted twice', () => {
  for (const total of [20_000, 100_000, 300_000]) {
    const outside = populations(20).filter((name) => {
      const workers = [new ActiveSessions(IDLE_MS, 1), new ActiveSessions(IDLE_MS, 2), new ActiveSessions(IDLE_MS, 3)];
      // A third of the sessions is seen by two workers.
      for (let i = 0; i < total; i++) {
        workers[i % 3]!.see(`${name}${i}.node-1`, 0);
        if (i % 9 < 3) workers[(i + 1) % 3]!.see(`${name}${i}.node-1`, 0);
      }
      const count = merged(workers, 0).count(0);
      return total <= 32_768 ? count !== total : Math.abs(count - total) > 0.02 * total;
    });
    assert.ok(outside.length <= 1, `${outside.length} of 20 populations of ${total}`);
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

void test('when the number of sessions falls counting is exact again', () => {
  const sessions = new ActiveSessions(IDLE_MS, 1);
  for (let i = 0; i < 50_000; i++) sessions.see(`session-${i}`, 0);
  assert.equal(sessions.count(10 * IDLE_MS), 0);
  for (let i = 0; i < 100; i++) sessions.see(`late-${i}`, 10 * IDLE_MS);
  assert.equal(sessions.count(10 * IDLE_MS), 100);
});

void test('expired sessions are dropped first when many sessions come slowly', () => {
  const sessions = new ActiveSessions(IDLE_MS, 1);
  for (let i = 0; i < 10_000; i++) sessions.see(`old-${i}`, 0);
  for (let i = 0; i < 5_000; i++) sessions.see(`new-${i}`, 3 * IDLE_MS);
  assert.equal(sessions.count(3 * IDLE_MS), 5_000);
});

void test('a changed idle time applies to the sessions already seen', () => {
  const sessions = new ActiveSessions(IDLE_MS, 1);
  sessions.see('a', 0);
  sessions.see('b', 1_000_000);
  sessions.setIdleMs(IDLE_MS, 1_000_000);
  sessions.setIdleMs(60_000, 1_000_000);
  assert.equal(sessions.count(1_030_000), 1);
  assert.equal(sessions.count(1_070_000), 0);
});

void test('a number of sessions that shrinks is counted more finely after one idle time', () => {
  const sessions = new ActiveSessions(IDLE_MS, 1);
  for (let i = 0; i < 200_000; i++) sessions.see(`session-${i}`, 0);
  let nowMs = 0;
  for (; nowMs <= 2.5 * IDLE_MS; nowMs += IDLE_MS / 4) {
    for (let i = 0; i < 1_001; i++) sessions.see(`session-${i}`, nowMs);
    sessions.count(nowMs);
  }
  assert.equal(sessions.count(nowMs), 1_001);
});

void test('a merged session expires no earlier than in the count of its worker, and at most a part later', () => {
  for (const offsetMs of [0, 1, 50_000, 112_499, 700_000]) {
    const worker = new ActiveSessions(IDLE_MS, 1);
    worker.see('a', 200_000);
    const together = new ActiveSessions(IDLE_MS, 9);
    together.merge(worker.take(10, 200_000)!, 0, 200_000 + offsetMs);
    let endMs = 200_000;
    while (worker.count(endMs) === 1) endMs += 100;
    assert.equal(together.count(endMs - 100 + offsetMs), 1);
    assert.equal(together.count(endMs + IDLE_MS / 16 + offsetMs), 0);
  }
});

void test('only new entries are taken, in pieces, and again when the receiver has lost them', () => {
  const worker = new ActiveSessions(IDLE_MS, 1);
  assert.equal(worker.take(10, 0), undefined);
  for (let i = 0; i < 25; i++) worker.see(`session-${i}`, 0);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => taken(worker, 10, 0)),
    [10, 10, 5, 0],
  );
  worker.see('session-1', 1_000);
  assert.equal(taken(worker, 10, 1_000), 0);
  worker.see('session-1', IDLE_MS / 4);
  assert.equal(taken(worker, 10, IDLE_MS / 4), 1);
  worker.tellAgain();
  assert.equal(taken(worker, 100, IDLE_MS / 4), 25);
});

void test('a coarse count of one worker makes the merged count as coarse, and not wrong', () => {
  const full = new ActiveSessions(IDLE_MS, 1);
  for (let i = 0; i < 100_000; i++) full.see(`session-${i}`, 0);
  const calm = new ActiveSessions(IDLE_MS, 2);
  for (let i = 99_000; i < 101_000; i++) calm.see(`session-${i}`, 0);
  for (const order of [
    [full, calm],
    [calm, full],
  ]) {
    for (const worker of order) worker.tellAgain();
    const count = merged(order, 0).count(0);
    assert.ok(Math.abs(count - 101_000) < 2_020, `${count}`);
  }
});

void test('the age of the oldest session is counted from its first request', () => {
  const sessions = new ActiveSessions(IDLE_MS, 1);
  assert.equal(sessions.oldestMs(0), undefined);
  sessions.see('a', 0);
  sessions.see('a', IDLE_MS);
  sessions.see('b', IDLE_MS);
  assert.equal(sessions.oldestMs(IDLE_MS), IDLE_MS);
  sessions.see('b', 2 * IDLE_MS);
  assert.equal(sessions.oldestMs(2.5 * IDLE_MS), 1.5 * IDLE_MS);
});

void test('the age is true to the second at any instant, also after a merge and with another idle time', () => {
  const startsMs = [0, 37, 999, 56_250, 112_400, 112_500, 225_100, 1_234_567];
  for (const idleMs of [1_000, 60_000, IDLE_MS, 86_400_000])
    for (const startMs of startsMs)
      for (const ageMs of [0, 150, 2_000, 40_000].filter((age) => age <= idleMs)) {
        const worker = new ActiveSessions(idleMs, 1);
        const coordinator = new ActiveSessions(idleMs, 2);
        worker.see('a', startMs);
        coordinator.merge(worker.take(10, startMs + 50)!, 0, startMs + 50);
        for (const sessions of [worker, coordinator]) {
          const check = (what: string): void => {
            const seenMs = sessions.oldestMs(startMs + 50 + ageMs)!;
            const isTrue = seenMs <= ageMs + 50 && seenMs > ageMs - 100;
            assert.ok(isTrue, `${what}: ${seenMs} of ${ageMs} ms from ${startMs}, idle time ${idleMs}`);
          };
          check('as seen');
          sessions.setIdleMs(2 * idleMs, startMs + 50);
          check('with another idle time');
        }
      }
});

void test('the age is never too high for a session that another instance has known for longer', () => {
  const worker = new ActiveSessions(IDLE_MS, 1);
  for (const seenMs of [0, 600_000]) worker.see('a', seenMs);
  const coordinator = new ActiveSessions(IDLE_MS, 2);
  coordinator.merge(worker.take(10, 900_000)!, 0, 900_000);
  const leastMs = coordinator.oldestMs(901_000)!;
  assert.ok(leastMs >= 1_000 && leastMs <= 301_000, `${leastMs}`);
});

function populations(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `p${i}-`);
}

/** The sessions of all workers, taken in pieces and merged as by a coordinator. */
function merged(workers: readonly ActiveSessions[], nowMs: number): ActiveSessions {
  const together = new ActiveSessions(IDLE_MS, 77);
  const levels = workers.map(() => 0);
  workers.forEach((worker, index) => {
    for (let sample = worker.take(9_999, nowMs); sample; sample = worker.take(9_999, nowMs)) {
      levels[index] = sample.level;
      together.merge(sample, Math.max(...levels), nowMs);
    }
  });
  return together;
}

function taken(worker: ActiveSessions, max: number, nowMs: number): number {
  let count = 0;
  for (const [, hashes] of worker.take(max, nowMs)?.seen ?? []) count += hashes.length / 8;
  return count;
}

void test('however entries come, expire and move in the table, each is taken once for each part it was seen in', () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ see: fc.integer({ min: 0, max: 400 }), times: fc.integer({ min: 1, max: 60 }) }),
    },
    { weight: 3, arbitrary: fc.record({ take: fc.integer({ min: 1, max: 90 }) }) },
    { weight: 2, arbitrary: fc.record({ parts: fc.integer({ min: 1, max: 9 }) }) },
    { weight: 1, arbitrary: fc.constant('report again' as const) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer(), (steps, seed) => {
      const sessions = new ActiveSessions(IDLE_MS, seed);
      const partMs = IDLE_MS / 16;
      let nowMs = 0;
      /** By number: the part each was last seen in, and the part it was taken with. */
      const model = new Map<number, { seen: number; reported: number }>();
      const untold = (): number => {
        const part = Math.floor(nowMs / partMs);
        for (const [id, { seen }] of model) if (seen < part - 16) model.delete(id);
        return [...model.values()].filter(({ seen, reported }) => seen !== reported).length;
      };
      for (const one of steps) {
        if (one === 'report again') {
          sessions.tellAgain();
          for (const entry of model.values()) entry.reported = -1;
        } else if ('parts' in one) nowMs += one.parts * partMs;
        else if ('see' in one) {
          // Expired entries are dropped before they can be seen again.
          sessions.count(nowMs);
          untold();
          for (let i = one.see; i < one.see + one.times; i++) {
            sessions.see(`session-${i}`, nowMs);
            model.set(i, { seen: Math.floor(nowMs / partMs), reported: model.get(i)?.reported ?? -1 });
          }
        } else {
          const waiting = untold();
          assert.equal(taken(sessions, one.take, nowMs), Math.min(waiting, one.take));
          // The table chooses the entries: take the rest, so that the model is complete.
          assert.equal(taken(sessions, 1_000, nowMs), Math.max(0, waiting - one.take));
          for (const entry of model.values()) entry.reported = entry.seen;
        }
      }
      assert.equal(taken(sessions, 1_000, nowMs), untold());
    }),
    { numRuns: 200, seed: 20_261_121 },
  );
});
