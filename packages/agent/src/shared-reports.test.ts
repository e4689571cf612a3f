import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HeartbeatReport } from './heartbeats.ts';
import { SHARED_MS, SharedReports } from './shared-reports.ts';

const SCALES = { cpu: { capacity: 1, weight: 1 } };

test('reports within 100 ms are one, unless the numbers have changed', () => {
  let [nowMs, count] = [0, 0];
  const reports = new SharedReports(
    () => ({ sessions: ++count }),
    () => nowMs,
  );
  const [one, other] = [reports.receiver(), reports.receiver()];
  const taken: unknown[] = [one.report(), other.report()];
  nowMs = SHARED_MS - 1;
  taken.push(one.report());
  nowMs = SHARED_MS;
  taken.push(other.report());
  reports.forget();
  taken.push(one.report());
  assert.deepEqual(
    taken,
    [1, 1, 1, 2, 3].map((sessions) => ({ sessions })),
  );
});

test('each coordinator gets the scales once, and again after it has accepted the node', () => {
  let nowMs = 0;
  const source: HeartbeatReport[] = [
    { load: 0, scales: SCALES },
    { load: 0 },
    { load: 0 },
    { load: 0, scales: SCALES },
  ];
  const reports = new SharedReports(
    () => source.shift(),
    () => nowMs,
  );
  const [one, other] = [reports.receiver(), reports.receiver()];
  const hasScales = (report: unknown) => (report as HeartbeatReport).scales !== undefined;
  const round = () => {
    nowMs += SHARED_MS;
    return [hasScales(one.report()), hasScales(other.report())];
  };
  assert.deepEqual(round(), [true, true]);
  assert.deepEqual(round(), [false, false]);
  other.renew();
  assert.deepEqual(round(), [false, true]);
  assert.deepEqual(round(), [true, true]);
});

test('a pending report is shared, and a failed one is no report', async () => {
  let nowMs = 0;
  const answers: { resolve(report: HeartbeatReport): void; reject(error: Error): void }[] = [];
  const reports = new SharedReports(
    () => new Promise((resolve, reject) => answers.push({ resolve, reject })),
    () => nowMs,
  );
  const [one, other] = [reports.receiver(), reports.receiver()];
  const early = [one.report()];
  nowMs = 2_000;
  early.push(other.report());
  answers[0]!.resolve({ load: 1, scales: SCALES });
  assert.deepEqual(await Promise.all(early), [
    { load: 1, scales: SCALES },
    { load: 1, scales: SCALES },
  ]);
  const late = one.report();
  answers[1]!.reject(new Error('probe broke'));
  assert.equal(await late, undefined);
  assert.equal(answers.length, 2);
});
