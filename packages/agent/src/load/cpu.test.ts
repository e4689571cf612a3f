import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CpuMeter } from './cpu.ts';

function setUp(windowMs?: number) {
  const state: { nowMs: number; cpuMs: number | undefined } = { nowMs: 0, cpuMs: 0 };
  const meter = new CpuMeter(
    2,
    () => state.nowMs,
    () => state.cpuMs,
    windowMs,
  );
  return (nowMs: number, cpuMs: number | undefined) => {
    state.nowMs = nowMs;
    state.cpuMs = cpuMs;
    return meter.sample();
  };
}

test('the ratio is the share of the usable CPU time since the previous sample', () => {
  const sample = setUp();
  assert.equal(sample(1_000, 1_000), 0.5);
  assert.equal(sample(1_100, 2_000), 0.5, 'within 200 ms of the last sample');
  assert.equal(sample(2_000, 1_000), 0);
});

test('with a window the ratio is that of the window, or of the time since the start while it fills', () => {
  const sample = setUp(1_000);
  assert.equal(sample(250, 500), 1);
  assert.equal(sample(500, 500), 0.5);
  assert.equal(sample(750, 500), 500 / 1_500);
  assert.equal(sample(1_000, 500), 0.25);
  assert.equal(sample(1_250, 500), 0);
  assert.equal(sample(9_000, 500 + 7_750), 0.5);
});

test('unknown CPU time is undefined, and the ratio is known after two more samples', () => {
  const sample = setUp(1_000);
  assert.equal(sample(250, undefined), undefined);
  assert.equal(sample(500, 100), undefined);
  assert.equal(sample(750, 350), 0.5);
});
