import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Burst, burstVisits, type Plan, schedule } from './schedule.ts';

const PLAN: Plan = {
  seed: 7,
  durationMs: 20_000,
  traffic: [
    { site: 'express', newSessionsPerSecond: 20, visits: [2, 6], gapMs: 1_000, posts: true, residents: 5 },
    { site: 'files', newSessionsPerSecond: 5, visits: [1, 3], gapMs: 500, posts: false, residents: 0 },
  ],
};

test('the same plan gives the same schedule, another seed another one', () => {
  assert.deepEqual(schedule(PLAN), schedule(PLAN));
  assert.notDeepEqual(schedule(PLAN), schedule({ ...PLAN, seed: 8 }));
});

test('visits come in the order they are due, and a session counts its own from 0', () => {
  const visits = schedule(PLAN);
  const seen = new Map<string, number>();
  let lastMs = 0;
  for (const visit of visits) {
    assert.ok(visit.dueMs >= lastMs && visit.dueMs < PLAN.durationMs);
    assert.equal(visit.index, seen.get(visit.session) ?? 0);
    seen.set(visit.session, visit.index + 1);
    lastMs = visit.dueMs;
  }
  assert.ok(seen.size > 300, `only ${seen.size} sessions`);
});

test('a site without posts is asked with GET only', () => {
  const kinds = new Set(schedule(PLAN).flatMap((visit) => (visit.site === 'files' ? [visit.kind] : [])));
  assert.deepEqual([...kinds], ['get']);
});

test('a burst is as large as planned and holds all three kinds of slow request', () => {
  const burst: Burst = { site: 'express', spanMs: 200, requests: 40, holdMs: 900 };
  const visits = burstVisits(burst, 'b1', 5_000);
  assert.equal(new Set(visits.map(({ session }) => session)).size, 40);
  assert.ok(visits.every(({ dueMs }) => dueMs >= 5_000 && dueMs < 5_200));
  assert.deepEqual(new Set(visits.map((visit) => visit.kind)), new Set(['slow', 'slow-post', 'stream']));
});

test('residents come back until the end', () => {
  const last = new Map<string, number>();
  for (const visit of schedule(PLAN)) last.set(visit.session, visit.dueMs);
  const stayed = [...last].filter(([session, ms]) => Number(session.split('/')[1]) < 5 && ms > PLAN.durationMs - 4_500);
  assert.equal(stayed.length, 5);
});

test('a site may have residents alone, at a gap of their own', () => {
  const traffic = { ...PLAN.traffic[0]!, newSessionsPerSecond: 0, residents: 6, residentGapMs: 500 };
  const visits = schedule({ ...PLAN, traffic: [traffic] });
  assert.equal(new Set(visits.map(({ session }) => session)).size, 6);
  assert.ok(visits.length > 6 * 30 && visits.length < 6 * 50, `${visits.length} visits`);
});
