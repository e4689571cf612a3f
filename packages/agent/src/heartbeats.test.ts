import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HeartbeatMessage } from '@rollcall/protocol';
import { type HeartbeatReport, Heartbeats, type ReportSource } from './heartbeats.ts';
import { ManualTimers } from './testing/manual-timers.ts';

function setUp(report: ReportSource = () => ({ load: 0.5 })) {
  const timers = new ManualTimers();
  const sent: HeartbeatMessage[] = [];
  return { timers, sent, heartbeats: new Heartbeats(timers, report, (message) => void sent.push(message)) };
}

test('the first heartbeat is sent at once, then one each period, with ascending seq', () => {
  const { timers, sent, heartbeats } = setUp();
  heartbeats.start(1_000);
  assert.deepEqual(sent, [{ type: 'heartbeat', seq: 1, load: 0.5 }]);
  timers.advance(3_500);
  assert.deepEqual(
    sent.map((message) => message.seq),
    [1, 2, 3, 4],
  );
});

test('a changed load is sent early, but never more than four heartbeats a second', () => {
  const { timers, sent, heartbeats } = setUp();
  heartbeats.start(1_000);
  for (let elapsedMs = 0; elapsedMs < 2_000; elapsedMs += 50) {
    timers.advance(50);
    heartbeats.soon();
  }
  assert.equal(sent.length, 1 + 8);
});

test('a node without a report sends no heartbeat, and the next period requests one', async () => {
  const answers: (HeartbeatReport | undefined)[] = [{ load: 0 }, undefined, { load: 1 }];
  const { timers, sent, heartbeats } = setUp(() => Promise.resolve(answers.shift()));
  heartbeats.start(1_000);
  for (let period = 0; period < 2; period += 1) {
    await new Promise(setImmediate);
    timers.advance(1_000);
  }
  await new Promise(setImmediate);
  assert.deepEqual(
    sent.map((message) => message.load),
    [0, 1],
  );
});

test('a pending report is not requested again, and a failed one does not stop the next', async () => {
  let asked = 0;
  let fail: (error: Error) => void = () => {};
  const { timers, sent, heartbeats } = setUp(() => {
    asked += 1;
    return new Promise((_, reject) => {
      fail = reject;
    });
  });
  heartbeats.start(1_000);
  timers.advance(5_000);
  assert.equal(asked, 1);
  fail(new Error('probe broke'));
  await new Promise(setImmediate);
  timers.advance(1_000);
  assert.equal(asked, 2);
  assert.deepEqual(sent, []);
});

test('after stop nothing is sent, not even a pending report; a new pace applies at once', async () => {
  let answer: (report: HeartbeatReport) => void = () => {};
  const { timers, sent, heartbeats } = setUp(() => new Promise((resolve) => (answer = resolve)));
  heartbeats.start(1_000);
  heartbeats.stop();
  answer({ load: 1 });
  await new Promise(setImmediate);
  timers.advance(10_000);
  heartbeats.pace(100);
  assert.equal(timers.size, 0);
  assert.deepEqual(sent, []);

  const paced = setUp();
  paced.heartbeats.start(10_000);
  paced.heartbeats.pace(100);
  paced.timers.advance(1_000);
  assert.equal(paced.sent.length, 11);
});

test('an urgent change is sent at once, or 250 ms after the last heartbeat', () => {
  let ready = true;
  const { timers, sent, heartbeats } = setUp(() => ({ ready }));
  const reported = () => sent.map((message) => message.ready);
  heartbeats.now();
  assert.equal(timers.size, 0, 'nothing to send before the start');
  heartbeats.start(60_000);
  ready = false;
  heartbeats.now();
  ready = true;
  heartbeats.now();
  assert.deepEqual(reported(), [true]);
  timers.advance(249);
  assert.deepEqual(reported(), [true]);
  timers.advance(1);
  assert.deepEqual(reported(), [true, true], 'one heartbeat, with what is true then');
  timers.advance(1_000);
  ready = false;
  heartbeats.now();
  assert.deepEqual(reported(), [true, true, false]);
  heartbeats.now();
  heartbeats.stop();
  timers.advance(60_000);
  assert.equal(sent.length, 3);
});

test('a change during a slow report is sent after it', async () => {
  const answers: ((report: HeartbeatReport) => void)[] = [];
  const { timers, sent, heartbeats } = setUp(() => new Promise((resolve) => answers.push(resolve)));
  heartbeats.start(60_000);
  heartbeats.now();
  timers.advance(1_000);
  assert.equal(answers.length, 1);
  answers[0]!({ ready: true });
  await new Promise(setImmediate);
  timers.advance(250);
  assert.equal(answers.length, 2);
  answers[1]!({ ready: false });
  await new Promise(setImmediate);
  assert.deepEqual(
    sent.map((message) => message.ready),
    [true, false],
  );
});
