import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AnswerSource, type HeardFacts, NodeWatch, type WatchDependencies } from './node-watch.ts';

const UP: HeardFacts = {
  isUp: true,
  isDown: false,
  hasAgent: true,
  isConnected: true,
  provesInstance: false,
  silentMs: 0,
};
const SILENT: HeardFacts = { ...UP, isUp: false, silentMs: 3_000 };
const CLOSED: HeardFacts = { ...UP, isUp: false, isConnected: false, silentMs: 0 };
const MEMBER: HeardFacts = { ...UP, hasAgent: false };
const DEPENDENCIES: WatchDependencies = { isFeedLost: false, leaseMs: 20_000, othersLive: () => true };

/** The answer of a request on a connection that was opened at `connectedAtMs`. */
const request = (connectedAtMs: number): AnswerSource => ({ connectedAtMs, isProbe: false, isProof: false });
const probe = (connectedAtMs: number, isProof = false): AnswerSource => ({ connectedAtMs, isProbe: true, isProof });

void test('an up node without a question gets requests; a suspect one is probed first', () => {
  const watch = new NodeWatch(UP, 0);
  assert.deepEqual([watch.port(10), watch.verdict(10), watch.wantsProbe(10)], ['unknown', 'forward', false]);
  watch.hear(SILENT, 60_000);
  assert.deepEqual([watch.port(60_000), watch.verdict(60_000), watch.wantsProbe(60_000)], ['unknown', 'ask', true]);
});

void test('a request is overdue after three seconds, counted from when it was asked', () => {
  const watch = new NodeWatch(UP, 0);
  watch.asked(10_000);
  watch.check(12_900, DEPENDENCIES);
  assert.equal(watch.verdict(12_900), 'forward');
  watch.check(13_000, DEPENDENCIES);
  assert.deepEqual(
    [watch.port(13_000), watch.verdict(13_000), watch.wantsProbe(13_000)],
    ['unresponsive', 'park', true],
  );
});

void test('octets of any answer begin the three seconds anew', () => {
  const watch = new NodeWatch(UP, 0);
  watch.asked(0);
  watch.asked(2_000);
  watch.answered(request(0), 2_500);
  watch.check(5_400, DEPENDENCIES);
  assert.equal(watch.verdict(5_400), 'forward');
  watch.check(5_500, DEPENDENCIES);
  assert.equal(watch.verdict(5_500), 'park');
});

void test('a request that ended without an answer is no open question', () => {
  const watch = new NodeWatch(UP, 0);
  watch.asked(0);
  watch.unanswered();
  watch.check(60_000, DEPENDENCIES);
  assert.equal(watch.port(60_000), 'unknown');
});

void test('a probe is overdue after a second, and one answer ends it', () => {
  const watch = new NodeWatch(SILENT, 0);
  watch.probeAsked(100);
  watch.check(1_000, DEPENDENCIES);
  assert.equal(watch.verdict(1_000), 'ask');
  watch.check(1_100, DEPENDENCIES);
  assert.equal(watch.verdict(1_100), 'park');
  watch.probeAnswered(probe(-10_000), 1_500);
  assert.deepEqual([watch.port(1_500), watch.verdict(1_500)], ['answers', 'forward']);
});

void test('two refusals are needed while the agent is connected, one when its connection is closed', () => {
  const watch = new NodeWatch(UP, 0);
  watch.refused(1_000);
  watch.refused(1_100);
  assert.equal(watch.port(1_100), 'unknown', 'refusals that are closer than 250 ms are one');
  assert.equal(watch.wantsProbe(1_250), true);
  watch.refused(1_250);
  assert.equal(watch.port(1_250), 'refused');
  const closed = new NodeWatch(CLOSED, 0);
  closed.refused(10);
  assert.deepEqual([closed.port(10), closed.verdict(10)], ['refused', 'move']);
});

void test('an answer between two refusals makes the second one the first', () => {
  const watch = new NodeWatch(UP, 0);
  watch.refused(1_000);
  watch.asked(1_100);
  watch.answered(request(1_100), 1_200);
  watch.refused(2_000);
  assert.equal(watch.port(2_000), 'answers');
});

void test('an answer on a connection from before a refusal does not clear the doubt: a fresh probe decides', () => {
  const watch = new NodeWatch(UP, 0);
  watch.asked(900);
  watch.probeAsked(900);
  watch.probeAnswered(probe(0), 950);
  watch.refused(1_000);
  watch.answered(request(0), 1_010);
  assert.deepEqual([watch.isInDoubt, watch.port(1_010), watch.wantsProbe(1_249)], [true, 'answers', false]);
  assert.ok(watch.wantsProbe(1_250));
  watch.probeAsked(1_250);
  assert.deepEqual([watch.wantsProbe(2_249), watch.wantsProbe(2_250)], [false, true]);
  watch.probeAnswered(probe(1_250), 1_260);
  assert.deepEqual([watch.isInDoubt, watch.wantsProbe(2_250)], [false, false]);
});

void test('a refusal just before the agent disconnects is enough', () => {
  const watch = new NodeWatch(UP, 0);
  watch.refused(1_000);
  watch.hear(CLOSED, 1_010);
  assert.deepEqual([watch.port(1_010), watch.verdict(1_010)], ['refused', 'move']);
});

void test('sessions of an up node that refuses are parked for three seconds; one answer ends the refusal', () => {
  const watch = new NodeWatch(UP, 0);
  watch.refused(1_000);
  watch.refused(1_250);
  assert.equal(watch.verdict(4_249), 'park');
  assert.equal(watch.verdict(4_250), 'move');
  watch.probeAnswered(probe(5_000), 5_000);
  assert.equal(watch.verdict(5_000), 'forward');
});

void test('a suspect node that refused returns by registration or by proof', () => {
  const proving = { ...CLOSED, provesInstance: true };
  const watch = new NodeWatch(proving, 0);
  watch.refused(10);
  watch.probeAnswered(probe(2_000), 2_000);
  assert.equal(watch.verdict(2_000), 'move');
  watch.probeAnswered(probe(3_000, true), 3_000);
  assert.equal(watch.verdict(3_000), 'forward');
  const other = new NodeWatch(CLOSED, 0);
  other.refused(10);
  other.probeAnswered(probe(2_000), 2_000);
  assert.equal(other.verdict(2_000), 'move');
  other.hear(UP, 4_000);
  assert.equal(other.verdict(4_000), 'forward');
});

void test('the answer of a suspect node counts on a connection from before the suspicion', () => {
  const watch = new NodeWatch(UP, 0);
  watch.hear({ ...SILENT, provesInstance: true }, 10_000);
  watch.probeAsked(10_000);
  watch.probeAnswered(probe(7_500), 10_010);
  assert.equal(watch.port(10_010), 'unknown', 'the connection was opened while the node was silent already');
  watch.probeAsked(11_010);
  watch.probeAnswered(probe(6_000), 11_020);
  assert.equal(watch.port(11_020), 'answers');
});

void test('on a new connection a node that cannot prove itself counts while it closed none and left no question open for 5 s', () => {
  const clean = new NodeWatch(UP, 0);
  clean.hear(SILENT, 10_000);
  clean.probeAnswered(probe(10_000), 10_010);
  assert.equal(clean.port(10_010), 'answers');
  const closed = new NodeWatch(UP, 0);
  closed.closed(0, 9_000);
  closed.hear(SILENT, 10_000);
  closed.probeAnswered(probe(10_000), 10_010);
  assert.equal(closed.port(10_010), 'unknown');
  const silent = new NodeWatch(UP, 0);
  silent.hear(SILENT, 10_000);
  silent.probeAsked(10_000);
  for (const nowMs of [11_000, 15_001]) silent.check(nowMs, DEPENDENCIES);
  silent.probeAnswered(probe(15_000), 15_100);
  assert.equal(silent.port(15_100), 'unresponsive');
  silent.hear(UP, 16_000);
  silent.probeAnswered(probe(16_000), 16_100);
  assert.equal(silent.port(16_100), 'answers');
});

void test('a cold connection that ends together with the agent shows that the process ended, one that ends alone does not', () => {
  const answersOnNew = (watch: NodeWatch, nowMs: number): boolean => {
    watch.probeAnswered(probe(nowMs), nowMs);
    return watch.port(nowMs) === 'answers';
  };
  const before = new NodeWatch(UP, 0);
  before.closed(4_000, 9_500);
  before.hear(CLOSED, 10_000);
  assert.equal(answersOnNew(before, 12_000), false);
  const after = new NodeWatch(UP, 0);
  after.hear(CLOSED, 10_000);
  after.closed(4_000, 10_500);
  assert.equal(answersOnNew(after, 12_000), false);
  const alone = new NodeWatch(UP, 0);
  alone.closed(4_000, 8_000);
  alone.hear(CLOSED, 10_000);
  alone.closed(4_000, 11_500);
  assert.equal(answersOnNew(alone, 12_000), true);
});

void test('a node that is up counts as given up after a lease of silence, while others live, until it answers once', () => {
  const watch = new NodeWatch(UP, 0);
  watch.asked(0);
  watch.check(3_000, DEPENDENCIES);
  watch.check(20_000, DEPENDENCIES);
  assert.equal(watch.verdict(20_000), 'park');
  watch.check(20_001, { ...DEPENDENCIES, othersLive: () => false });
  assert.equal(watch.verdict(20_001), 'park');
  watch.check(20_002, DEPENDENCIES);
  assert.deepEqual([watch.verdict(20_002), watch.report(20_002)], ['move', 'given-up']);
  watch.probeAnswered(probe(21_000), 21_000);
  assert.equal(watch.verdict(21_000), 'forward');
});

void test('a suspect node is given up by the coordinator, and by the worker only when its feed is lost', () => {
  const watch = new NodeWatch(SILENT, 0);
  watch.probeAsked(0);
  watch.check(1_000, DEPENDENCIES);
  watch.check(60_000, DEPENDENCIES);
  assert.equal(watch.verdict(60_000), 'park');
  watch.check(60_001, { ...DEPENDENCIES, isFeedLost: true });
  assert.equal(watch.verdict(60_001), 'move');
});

void test('a coordinator that counts a lease anew does not prolong the silence that a worker has seen', () => {
  for (const [what, before] of [
    ['up until the restart', UP],
    ['suspect before it', SILENT],
  ] as const) {
    const watch = new NodeWatch(before, 0);
    watch.asked(0);
    watch.check(3_000, DEPENDENCIES);
    watch.check(12_000, { ...DEPENDENCIES, isFeedLost: true });
    watch.hear({ ...SILENT, silentMs: 500 }, 13_000);
    watch.check(20_000, DEPENDENCIES);
    assert.equal(watch.verdict(20_000), 'park', what);
    watch.check(20_001, DEPENDENCIES);
    assert.equal(watch.verdict(20_001), 'move', what);
  }
});

void test('a member without an agent is up while it answers: probed each second, its sessions move at once when it refuses', () => {
  const watch = new NodeWatch(MEMBER, 0);
  assert.deepEqual([watch.isHeard(0), watch.verdict(0), watch.wantsProbe(0)], [true, 'forward', true]);
  watch.probeAsked(0);
  watch.probeAnswered(probe(0), 5);
  assert.equal(watch.wantsProbe(900), false);
  assert.equal(watch.wantsProbe(1_005), true);
  watch.refused(2_000);
  watch.refused(2_250);
  assert.deepEqual([watch.isHeard(2_250), watch.verdict(2_250)], [false, 'move']);
  watch.probeAnswered(probe(3_000), 3_000);
  assert.equal(watch.verdict(3_000), 'move', 'one answered probe is not enough');
  watch.probeAnswered(probe(4_000), 4_000);
  assert.equal(watch.verdict(4_000), 'forward');
});

void test('a static member that is down reports answers after two answered probes, and serves when the feed reports it up', () => {
  const watch = new NodeWatch({ ...MEMBER, isUp: false, isDown: true }, 0);
  assert.deepEqual([watch.report(0), watch.verdict(0), watch.wantsProbe(0)], ['unknown', 'move', true]);
  watch.probeAnswered(probe(0), 10);
  assert.equal(watch.report(10), 'unknown');
  watch.probeAnswered(probe(1_000), 1_010);
  assert.deepEqual([watch.report(1_010), watch.verdict(1_010)], ['answers', 'move']);
  watch.hear(MEMBER, 1_100);
  assert.equal(watch.verdict(1_100), 'forward');
});

void test('a connect stands for an answer until a request has waited ten seconds', () => {
  const watch = new NodeWatch(UP, 0);
  watch.asked(0);
  watch.check(3_000, DEPENDENCIES);
  watch.probeAsked(3_000);
  watch.probeConnected(probe(3_000), 3_010);
  assert.equal(watch.port(3_010), 'answers');
  const late = new NodeWatch(UP, 0);
  late.asked(0);
  late.check(3_000, DEPENDENCIES);
  late.probeAsked(10_000);
  late.probeConnected(probe(10_000), 10_010);
  assert.equal(late.port(10_010), 'unresponsive');
});

void test('a connect that timed out is a question that is overdue', () => {
  const watch = new NodeWatch(UP, 0);
  watch.connectTimedOut(5_000);
  assert.equal(watch.verdict(6_000), 'park');
});
