import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeAgentMessage } from '@rollcall/protocol';
import { EventLoopMeter } from './event-loop.ts';
import { InFlight } from './in-flight.ts';
import { Latencies } from './latencies.ts';
import { LoadMeter, type LoadSources, MAX_APPLICATION_METRICS, OWN_METRICS } from './load-meter.ts';
import { applicationMetric } from './metric.ts';
import { Traffic } from './traffic.ts';

/** A machine whose numbers a test sets. */
function setUp(options: Partial<LoadSources> = {}) {
  const state = { active: 0, idle: 0, cpuMs: 0, nowMs: 0, usedBytes: 0, groupCpuMs: 0, groupBytes: 0 };
  const failures: string[] = [];
  const latencies = new Latencies();
  const inFlight = new InFlight(() => state.nowMs, latencies);
  const traffic = new Traffic();
  const meter = new LoadMeter({
    nowMs: () => state.nowMs,
    inFlight,
    latencies,
    traffic,
    sessions: () => undefined,
    onFailure: (name, reason) => void failures.push(`${name}: ${reason}`),
    cgroup: { cores: 2, memoryBytes: 100 },
    eventLoop: new EventLoopMeter(() => ({ active: state.active, idle: state.idle, utilization: 0 })),
    cpu: () => state.cpuMs,
    memory: () => [{ usedBytes: state.usedBytes, limitBytes: 100 }],
    ...options,
  });
  return { state, failures, inFlight, latencies, traffic, meter };
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
  for (let quarter = 0; quarter < 4; quarter += 1) {
    state.active += 250;
    meter.sample();
  }
  for (let quarter = 0; quarter < 4; quarter += 1) {
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

test('how late the event loop came round is shown, the longest of the last second, and is no load', () => {
  const { state, meter } = setUp();
  state.nowMs = 700;
  assert.equal(meter.sample(), 0);
  assert.deepEqual([meter.report().values?.['eventLoopDelay'], meter.report().metrics?.['eventLoopDelay']], [450, 1]);
  for (let quarter = 0; quarter < 4; quarter += 1) {
    state.nowMs += 250;
    meter.sample();
  }
  assert.equal(meter.report().values?.['eventLoopDelay'], 0);
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

test('a control group that is out of CPU or memory is a full node, also when others in it have used it', () => {
  const group = { cpuMs: 0, bytes: 0 };
  const { state, meter } = setUp({
    cgroup: { cores: 0.5, memoryBytes: 1, cpuQuota: { cores: 0.5, usedMs: () => group.cpuMs } },
    memory: () => [{ usedBytes: group.bytes, limitBytes: 1_000 }],
  });
  state.nowMs = 1_000;
  group.cpuMs = 400;
  assert.equal(meter.sample(), 0.8);
  assert.deepEqual([meter.report().values?.['cpu'], meter.report().values?.['cgroupCpu']], [0, 0.8]);
  group.bytes = 1_000;
  assert.equal(meter.sample(), 1);
});

test('a control group whose accounts cannot be read is left out, and the rest goes on', () => {
  const { state, meter, failures } = setUp({
    cgroup: { cores: 1, memoryBytes: 1, cpuQuota: { cores: 1, usedMs: () => undefined } },
    memory: () => [{ usedBytes: undefined, limitBytes: 1 }],
  });
  state.nowMs = 1_000;
  state.cpuMs = 300;
  assert.equal(meter.sample(), 0.3);
  assert.equal(meter.report().values?.['cgroupCpu'], undefined);
  assert.deepEqual(failures, []);
});

test('requests in flight load a node by its capacity, or softly without one', () => {
  const known = setUp({ capacity: 4 });
  known.inFlight.begin();
  assert.equal(known.meter.sample(), 0.25);
  const unknown = setUp();
  for (let count = 0; count < 64; count += 1) unknown.inFlight.begin();
  assert.equal(unknown.meter.sample(), 0.5);
});

test('memory is no load until it gets scarce', () => {
  const { state, meter } = setUp();
  const loads = [0, 80, 90, 100].map((usedBytes) => {
    state.usedBytes = usedBytes;
    return Math.round(meter.sample() * 100);
  });
  assert.deepEqual(loads, [0, 0, 50, 100]);
  assert.equal(meter.report().values?.['memory'], 1);
});

test('metrics of the application are combined by weight, and the mean counts when it is the largest', () => {
  const { meter } = setUp();
  meter.add(applicationMetric('queue', { capacity: 10, weight: 3 }, () => 10));
  meter.add(applicationMetric('disk', {}, () => 0));
  assert.equal(meter.sample(), 0.75);
  const { metrics, values, scales } = meter.report();
  assert.deepEqual([metrics?.['queue'], values?.['queue']], [1, 10]);
  assert.deepEqual(scales?.['queue'], { capacity: 10, weight: 3 });
});

test('a metric that throws, gives no number or a promise is left out and told once, whatever it says', async () => {
  const { meter, failures } = setUp();
  let calls = 0;
  meter.add(
    applicationMetric('broken', {}, () => {
      throw new Error(`no database ${calls++}`);
    }),
  );
  meter.add(applicationMetric('odd', {}, () => Number.NaN));
  meter.add(applicationMetric('late', {}, (async () => Promise.reject(new Error('x'))) as unknown as () => number));
  meter.add(
    applicationMetric('bare', {}, () => {
      throw undefined;
    }),
  );
  meter.add(applicationMetric('good', {}, () => 0.5));
  for (let sample = 0; sample < 3; sample += 1) assert.equal(meter.sample(), 0.5);
  await new Promise(setImmediate);
  assert.deepEqual(failures, [
    'broken: no database 0',
    'odd: gave NaN',
    'late: gave no number but object',
    'bare: no number but undefined',
  ]);
  assert.deepEqual(Object.keys(meter.report().values ?? {}).slice(-1), ['good']);
});

test('a node can be loaded by what is only shown otherwise, and need not be by what counts', () => {
  const { meter, state } = setUp({
    sessions: () => 250,
    own: { sessions: { capacity: 1_000 }, memory: { weight: 0 }, cpu: 'nonsense' as unknown as object },
  });
  state.usedBytes = 100;
  assert.equal(meter.sample(), 0.25);
  assert.deepEqual(meter.report().scales?.['sessions'], { capacity: 1_000, weight: 1 });
});

test('combined as mod_cluster does, everything counts by its weight', () => {
  const { meter, state } = setUp({ isMean: true, own: { inFlight: { weight: 0 }, openFiles: { weight: 0 } } });
  state.active = 800;
  state.idle = 200;
  state.nowMs = 1_000;
  state.cpuMs = 800;
  assert.ok(Math.abs(meter.sample() - (0.8 + 0.4 + 0) / 3) < 1e-9);
});

test('rates are per second, of what was done in the last one', () => {
  const { meter, state, inFlight, traffic } = setUp();
  traffic.add({ bytesRead: 4_000, bytesWritten: 10_000, once: () => {} });
  for (let count = 0; count < 10; count += 1) inFlight.begin().end();
  state.nowMs = 2_000;
  meter.sample();
  const { requests, received, sent } = meter.report().values ?? {};
  assert.deepEqual([requests, received, sent], [5, 2_000, 5_000]);
});

test('scales are told once, again when somebody else is told, and when a metric is added', () => {
  const { meter } = setUp();
  meter.sample();
  assert.ok(meter.report().scales);
  assert.equal(meter.report().scales, undefined);
  meter.renewScales();
  assert.deepEqual(meter.report().scales?.['memory'], { capacity: 1, weight: 1, isLimit: true, from: 0.8 });
  meter.add(applicationMetric('queue', {}, () => 0));
  assert.ok(meter.report().scales?.['queue']);
});

test('with all that may be added a report is one that the protocol takes', () => {
  const { meter } = setUp({ cgroup: { cores: 1, memoryBytes: 1, cpuQuota: { cores: 1, usedMs: () => 0 } } });
  for (let i = 0; i < MAX_APPLICATION_METRICS; i += 1)
    meter.add(applicationMetric(`m${i}`, { capacity: 1e-300, weight: 1e300 }, () => 1e300));
  meter.sample();
  const decoded = decodeAgentMessage(JSON.stringify({ type: 'heartbeat', ...meter.report() }));
  assert.equal(decoded.type, 'heartbeat');
  assert.ok(OWN_METRICS.length + MAX_APPLICATION_METRICS <= 32);
});

test('service time is busy time shared out among the requests that finished', () => {
  const { state, inFlight, meter } = setUp({ sessions: () => 7 });
  assert.equal(meter.fieldLine(1), '', 'before anything was measured');
  meter.sample();
  assert.equal(meter.fieldLine(Number.NaN), 'rollcall-load: 0;;0.000;7\r\n');
  const requests = [inFlight.begin(), inFlight.begin()];
  state.active = 100;
  state.idle = 100;
  meter.sample();
  for (const served of requests) served.end();
  state.idle = 300;
  meter.sample();
  assert.equal(meter.report().serviceMs, 50);
});

test('what the program does while nobody asks is not charged to the next request', () => {
  const { state, inFlight, meter } = setUp();
  state.active = 900;
  meter.sample();
  inFlight.begin().end();
  state.active = 910;
  meter.sample();
  assert.equal(meter.report().serviceMs, 10);
});

test('a program that waits for something else than its own code takes the time its latencies show', () => {
  const { state, inFlight, meter } = setUp();
  const requests = [inFlight.begin(), inFlight.begin()];
  state.nowMs = 100;
  for (const served of requests) {
    served.answered();
    served.end();
  }
  state.active = 2;
  meter.sample();
  assert.equal(meter.report().serviceMs, 75, '100 ms for the first, shared by two for the second');
  assert.equal(meter.report().values?.['latency'], 100);
});

/** Requests one after another: each is served for its `ownMs`, and keeps the loop busy for `restMs` more. */
function serve({ state, inFlight, meter }: ReturnType<typeof setUp>, ownMs: readonly number[], restMs = 0): string[] {
  return ownMs.map((ms) => {
    const served = inFlight.begin();
    state.nowMs += ms;
    state.active += ms + restMs;
    const line = meter.fieldLine(served.answered());
    served.end();
    return line.split(';')[1]!;
  });
}

test('beside an answer a node tells the work of that very request, and the mean of all in its heartbeat', () => {
  const setting = setUp();
  setting.meter.sample();
  assert.deepEqual(serve(setting, [1, 9, 2]), ['1.000', '9.000', '2.000']);
  setting.meter.sample();
  assert.equal(setting.meter.report().serviceMs, 4);
  assert.deepEqual(serve(setting, [3]), ['3.000']);
});

test('work that comes before a request or after its head is shared by all, as the mean of the last samples', () => {
  const setting = setUp();
  setting.meter.sample();
  serve(setting, [1, 3], 2);
  setting.meter.sample();
  assert.deepEqual(serve(setting, [1, 3], 2), ['3.000', '5.000']);
});

test('of answers that wait for an event no more is told than the slowest of the other seven eighths took', () => {
  const setting = setUp();
  setting.meter.sample();
  serve(setting, [1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 30_000]);
  setting.state.active = 0;
  setting.meter.sample();
  assert.deepEqual(serve(setting, [30_000, 1.5]), ['2.000', '1.500']);
});
