import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeAgentMessage } from '@rollcall/protocol';
import { EventLoopMeter } from './event-loop.ts';
import { InFlight } from './in-flight.ts';
import { Latencies } from './latencies.ts';
import { LoadMeter, type LoadSources, MAX_APPLICATION_METRICS, OWN_METRICS } from './load-meter.ts';
import { applicationMetric } from './metric.ts';
import { Traffic } from './traffic.ts';

/** A machine whose numbers the test sets. */
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

test('a full event loop is load 1, independent of the other metrics', () => {
  const { state, meter } = setUp();
  state.active = 250;
  assert.equal(meter.sample(), 1);
  state.idle = 750;
  assert.equal(meter.sample(), 0.25);
});

test('utilisation of the event loop is that of the last second', () => {
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

test('a first sample over too short a time is not load 1', () => {
  const { state, meter } = setUp();
  state.active = 99;
  assert.equal(meter.sample(), 0);
});

test('event loop delay is the largest of the last second, and no load', () => {
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

test('CPU is a share of the usable cores', () => {
  const { state, meter } = setUp();
  state.nowMs = 1_000;
  state.cpuMs = 1_500;
  assert.equal(meter.sample(), 0.75);
  state.nowMs = 1_100;
  state.cpuMs = 1_700;
  assert.equal(meter.sample(), 0.75, 'within 200 ms of the last sample');
});

test('a control group without free CPU or memory is load 1, also if other processes use it', () => {
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

test('an unreadable control group is left out, and the other metrics are read', () => {
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

test('the load of n requests in flight is n / capacity, or n / (n + 64)', () => {
  const known = setUp({ capacity: 4 });
  known.inFlight.begin();
  assert.equal(known.meter.sample(), 0.25);
  const unknown = setUp();
  for (let count = 0; count < 64; count += 1) unknown.inFlight.begin();
  assert.equal(unknown.meter.sample(), 0.5);
});

test('memory is no load below 80 %', () => {
  const { state, meter } = setUp();
  const loads = [0, 80, 90, 100].map((usedBytes) => {
    state.usedBytes = usedBytes;
    return Math.round(meter.sample() * 100);
  });
  assert.deepEqual(loads, [0, 0, 50, 100]);
  assert.equal(meter.report().values?.['memory'], 1);
});

test('metrics of the application are combined by weight, and the mean is the load if it is the largest', () => {
  const { meter } = setUp();
  meter.add(applicationMetric('queue', { capacity: 10, weight: 3 }, () => 10));
  meter.add(applicationMetric('disk', {}, () => 0));
  assert.equal(meter.sample(), 0.75);
  const { metrics, values, scales } = meter.report();
  assert.deepEqual([metrics?.['queue'], values?.['queue']], [1, 10]);
  assert.deepEqual(scales?.['queue'], { capacity: 10, weight: 3 });
});

test('a metric that throws or returns no number or a promise is left out and reported once', async () => {
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

test('options can give weight to shown metrics, and exclude limits from the load', () => {
  const { meter, state } = setUp({
    sessions: () => 250,
    own: { sessions: { capacity: 1_000 }, memory: { weight: 0 }, cpu: 'nonsense' as unknown as object },
  });
  state.usedBytes = 100;
  assert.equal(meter.sample(), 0.25);
  assert.deepEqual(meter.report().scales?.['sessions'], { capacity: 1_000, weight: 1 });
});

test('with isMean the load is the weighted mean of all metrics', () => {
  const { meter, state } = setUp({ isMean: true, own: { inFlight: { weight: 0 }, openFiles: { weight: 0 } } });
  state.active = 800;
  state.idle = 200;
  state.nowMs = 1_000;
  state.cpuMs = 800;
  assert.ok(Math.abs(meter.sample() - (0.8 + 0.4 + 0) / 3) < 1e-9);
});

test('rates are per second, over the last second', () => {
  const { meter, state, inFlight, traffic } = setUp();
  traffic.add({ bytesRead: 4_000, bytesWritten: 10_000, once: () => {} });
  for (let count = 0; count < 10; count += 1) inFlight.begin().end();
  state.nowMs = 2_000;
  meter.sample();
  const { requests, received, sent } = meter.report().values ?? {};
  assert.deepEqual([requests, received, sent], [5, 2_000, 5_000]);
});

test('scales are in the first report, after renewScales, and after a new metric', () => {
  const { meter } = setUp();
  meter.sample();
  assert.ok(meter.report().scales);
  assert.equal(meter.report().scales, undefined);
  meter.renewScales();
  assert.deepEqual(meter.report().scales?.['memory'], { capacity: 1, weight: 1, isLimit: true, from: 0.8 });
  meter.add(applicationMetric('queue', {}, () => 0));
  assert.ok(meter.report().scales?.['queue']);
});

test('a report with the maximum number of metrics is valid in the protocol', () => {
  const { meter } = setUp({ cgroup: { cores: 1, memoryBytes: 1, cpuQuota: { cores: 1, usedMs: () => 0 } } });
  for (let i = 0; i < MAX_APPLICATION_METRICS; i += 1)
    meter.add(applicationMetric(`m${i}`, { capacity: 1e-300, weight: 1e300 }, () => 1e300));
  meter.sample();
  const decoded = decodeAgentMessage(JSON.stringify({ type: 'heartbeat', ...meter.report() }));
  assert.equal(decoded.type, 'heartbeat');
  assert.ok(OWN_METRICS.length + MAX_APPLICATION_METRICS <= 32);
});

test('service time is busy time / finished requests', () => {
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

test('busy time without requests does not count for the next request', () => {
  const { state, inFlight, meter } = setUp();
  state.active = 900;
  meter.sample();
  inFlight.begin().end();
  state.active = 910;
  meter.sample();
  assert.equal(meter.report().serviceMs, 10);
});

test('the service time of a program that waits is that of its latencies', () => {
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

/** Consecutive requests: each is served for its `ownMs`, and keeps the loop busy for `restMs` more. */
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

test('a response has the service time of its own request, a heartbeat the mean of all', () => {
  const setting = setUp();
  setting.meter.sample();
  assert.deepEqual(serve(setting, [1, 9, 2]), ['1.000', '9.000', '2.000']);
  setting.meter.sample();
  assert.equal(setting.meter.report().serviceMs, 4);
  assert.deepEqual(serve(setting, [3]), ['3.000']);
});

test('busy time before a request or after its head is added as the mean of the last samples', () => {
  const setting = setUp();
  setting.meter.sample();
  serve(setting, [1, 3], 2);
  setting.meter.sample();
  assert.deepEqual(serve(setting, [1, 3], 2), ['3.000', '5.000']);
});

test('the service time of a waiting response is at most the slowest of the quicker 7/8', () => {
  const setting = setUp();
  setting.meter.sample();
  serve(setting, [1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 30_000]);
  setting.state.active = 0;
  setting.meter.sample();
  assert.deepEqual(serve(setting, [30_000, 1.5]), ['2.000', '1.500']);
});
