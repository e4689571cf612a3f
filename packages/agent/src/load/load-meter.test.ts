import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApplicationMetrics } from './application-metrics.ts';
import { CpuMeter } from './cpu.ts';
import { EventLoopMeter } from './event-loop.ts';
import { InFlight } from './in-flight.ts';
import { LoadMeter } from './load-meter.ts';
import { memoryLoad, memoryRatio } from './memory.ts';

/** A machine whose numbers a test sets. */
function setUp(options: { capacity?: number; sessions?: number } = {}) {
  const state = { active: 0, idle: 0, cpuMs: 0, nowMs: 0, usedBytes: 0 };
  const failures: string[] = [];
  const inFlight = new InFlight(options.capacity);
  const application = new ApplicationMetrics((name, reason) => void failures.push(`${name}: ${reason}`));
  const meter = new LoadMeter({
    eventLoop: new EventLoopMeter(() => ({ active: state.active, idle: state.idle, utilization: 0 })),
    cpu: new CpuMeter(
      2,
      () => state.nowMs,
      () => state.cpuMs,
    ),
    memory: () => [{ usedBytes: state.usedBytes, limitBytes: 100 }],
    inFlight,
    application,
    sessions: () => options.sessions,
  });
  return { state, failures, inFlight, application, meter };
}

test('a full event loop is a full node, whatever else is free', () => {
  const { state, meter } = setUp();
  state.active = 250;
  assert.equal(meter.sample(), 1);
  state.idle = 750;
  assert.equal(meter.sample(), 0.25);
});

test('the event loop is judged by its last second, not by its whole life', () => {
  const { state, meter } = setUp();
  for (let second = 0; second < 4; second += 1) {
    state.active += 250;
    meter.sample();
  }
  for (let second = 0; second < 4; second += 1) {
    state.idle += 250;
    meter.sample();
  }
  assert.equal(meter.sample(), 0);
});

test('a first look too short to judge by makes no node look full', () => {
  const { state, meter } = setUp();
  state.active = 99;
  assert.equal(meter.sample(), 0);
});

test('CPU is a share of the cores that may be used', () => {
  const { state, meter } = setUp();
  state.nowMs = 1_000;
  state.cpuMs = 1_500;
  assert.equal(meter.sample(), 0.75);
  state.nowMs = 1_100;
  state.cpuMs = 1_700;
  assert.equal(meter.sample(), 0.75, 'too short a time to tell');
});

test('requests in flight load a node by its capacity, or softly without one', () => {
  const known = setUp({ capacity: 4 });
  known.inFlight.begin();
  assert.equal(known.meter.sample(), 0.25);
  const unknown = setUp();
  for (let count = 0; count < 64; count += 1) unknown.inFlight.begin();
  assert.equal(unknown.meter.sample(), 0.5);
});

test('a request that ends twice is counted once', () => {
  const inFlight = new InFlight();
  const end = inFlight.begin();
  end();
  end();
  assert.deepEqual([inFlight.count, inFlight.finished], [0, 1]);
});

test('memory is no load until it gets scarce', () => {
  assert.deepEqual([0, 0.8, 1].map(memoryLoad), [0, 0, 1]);
  assert.ok(Math.abs(memoryLoad(0.9) - 0.5) < 1e-9);
  assert.equal(memoryRatio([{ usedBytes: 5, limitBytes: 0 }]), 0);
  assert.equal(memoryRatio([{ usedBytes: 20, limitBytes: 10 }]), 1);
});

test('metrics of the application are combined by weight, and the mean counts when it is the largest', () => {
  const { application, meter } = setUp();
  application.add('queue', { capacity: 10, weight: 3 }, () => 10);
  application.add('disk', {}, () => 0);
  assert.equal(meter.sample(), 0.75);
  assert.deepEqual(meter.report().metrics, { eventLoop: 0, cpu: 0, memory: 0, queue: 1, disk: 0 });
});

test('a metric that throws or gives no number is left out and told', () => {
  const { application, meter, failures } = setUp();
  application.add('broken', {}, () => {
    throw new Error('no database');
  });
  application.add('odd', {}, () => Number.NaN);
  assert.equal(meter.sample(), 0);
  assert.deepEqual(failures, ['broken: no database', 'odd: gave NaN']);
});

test('service time is busy time shared out among the requests that finished', () => {
  const { state, inFlight, meter } = setUp({ sessions: 7 });
  assert.equal(meter.field(), '0;;0;7');
  const ends = [inFlight.begin(), inFlight.begin()];
  state.active = 100;
  state.idle = 100;
  meter.sample();
  for (const end of ends) end();
  state.idle = 300;
  meter.sample();
  assert.equal(meter.report().serviceMs, 50);
  assert.equal(meter.field(), '0;50;0.25;7');
});

test('what the program does while nobody asks is not charged to the next request', () => {
  const { state, inFlight, meter } = setUp();
  state.active = 900;
  meter.sample();
  const end = inFlight.begin();
  end();
  state.active = 910;
  meter.sample();
  assert.equal(meter.report().serviceMs, 10);
});
