import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualTimers } from '../testing/manual-timers.ts';
import { LoadReports, SAMPLE_MS } from './load-reports.ts';

function setUp() {
  const timers = new ManualTimers();
  const source = {
    load: 0,
    samples: 0,
    sample: () => (source.samples += 1),
    report: () => ({ load: source.load }),
  };
  let asked = 0;
  const reports = new LoadReports(source, timers, () => (asked += 1));
  return { timers, source, reports, asked: () => asked };
}

test('an early report is requested when the numbers differ enough, and until they are reported', () => {
  const { timers, source, reports, asked } = setUp();
  reports.start();
  source.load = 0.05;
  timers.advance(SAMPLE_MS);
  assert.equal(asked(), 0);
  source.load = 0.2;
  timers.advance(2 * SAMPLE_MS);
  assert.equal(asked(), 2);
  assert.deepEqual(reports.report(), { load: 0.2 });
  timers.advance(2 * SAMPLE_MS);
  assert.equal(asked(), 2);
  source.load = 0;
  timers.advance(SAMPLE_MS);
  assert.equal(asked(), 3, 'less is news as well');
});

test('samples are taken from start to stop, at one interval for repeated starts', () => {
  const { timers, source, reports } = setUp();
  reports.start();
  assert.equal(source.samples, 1);
  reports.start();
  timers.advance(4 * SAMPLE_MS);
  assert.equal(source.samples, 6);
  reports.stop();
  assert.equal(timers.size, 0);
});
