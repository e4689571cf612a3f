import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ASK_MS, ChildLiveness, type Verdict } from './child-liveness.ts';

/** An event at an instant: the child serves, the child sends a message, or the supervisor checks. */
type Step = readonly [atMs: number, what: 'serves' | 'answers' | 'look'];

/** Checks every `ASK_MS`, from after `fromMs` to `toMs`. */
function looks(fromMs: number, toMs: number): Step[] {
  const steps: Step[] = [];
  for (let atMs = fromMs + ASK_MS; atMs <= toMs; atMs += ASK_MS) steps.push([atMs, 'look']);
  return steps;
}

/** The same, with an immediate answer to each check. */
function answered(fromMs: number, toMs: number): Step[] {
  return looks(fromMs, toMs).flatMap(([atMs]): Step[] => [
    [atMs, 'look'],
    [atMs + 1, 'answers'],
  ]);
}

const SERVES: Step = [0, 'serves'];

/** Steps, and every verdict other than `wait` with its instant. */
const TABLE: Readonly<
  Record<string, { readonly steps: readonly Step[]; readonly expected: readonly (readonly [number, Verdict])[] }>
> = {
  'a child that answers is not ended': { steps: [SERVES, ...answered(0, 120_000)], expected: [] },
  'a child that never answers is ended after 10 s, and killed after 2 s more': {
    steps: [SERVES, ...looks(0, 12_000)],
    expected: [
      [10_000, 'end'],
      [12_000, 'kill'],
    ],
  },
  'the silence begins with the last answer': {
    steps: [SERVES, ...answered(0, 20_000), ...looks(20_000, 32_500)],
    expected: [
      [30_500, 'end'],
      [32_500, 'kill'],
    ],
  },
  'an answer just in time restarts the silence': {
    steps: [SERVES, ...looks(0, 9_500), [9_600, 'answers'], ...looks(9_500, 19_500)],
    expected: [],
  },
  'an answer after the verdict does not change the verdict': {
    steps: [SERVES, ...looks(0, 10_000), [10_100, 'answers'], ...looks(10_000, 12_000)],
    expected: [
      [10_000, 'end'],
      [12_000, 'kill'],
    ],
  },
  'the kill is repeated until the child is gone': {
    steps: [SERVES, ...looks(0, 13_000)],
    expected: [
      [10_000, 'end'],
      [12_000, 'kill'],
      [12_500, 'kill'],
      [13_000, 'kill'],
    ],
  },
  'a starting child has 30 s': {
    steps: looks(0, 32_000),
    expected: [
      [30_000, 'end'],
      [32_000, 'kill'],
    ],
  },
  'a starting child that answers has no time limit': { steps: answered(0, 300_000), expected: [] },
  'a stall of the supervisor of 20 s counts as one period': {
    steps: [SERVES, ...answered(0, 5_000), [25_000, 'look'], ...looks(25_000, 33_500)],
    expected: [],
  },
  'a stall within a silence extends the limit': {
    steps: [SERVES, ...looks(0, 9_000), [3_609_000, 'look'], ...looks(3_609_000, 3_611_500)],
    expected: [
      [3_609_500, 'end'],
      [3_611_500, 'kill'],
    ],
  },
  'a stall after SIGTERM does not shorten the 2 s': {
    steps: [SERVES, ...looks(0, 10_000), [40_000, 'look'], ...looks(40_000, 41_500)],
    expected: [
      [10_000, 'end'],
      [41_500, 'kill'],
    ],
  },
  'a supervisor that is always slightly late still counts silence': {
    steps: [SERVES, ...Array.from({ length: 13 }, (_, i): Step => [(i + 1) * 900, 'look'])],
    expected: [[10_800, 'end']],
  },
};

for (const [name, { steps, expected }] of Object.entries(TABLE))
  void test(name, () => {
    const liveness = new ChildLiveness(0);
    const verdicts: [number, Verdict][] = [];
    for (const [atMs, what] of steps) {
      if (what === 'serves') liveness.serves();
      else if (what === 'answers') liveness.received(atMs);
      else {
        const verdict = liveness.look(atMs);
        if (verdict !== 'wait') verdicts.push([atMs, verdict]);
      }
    }
    assert.deepEqual(verdicts, expected);
  });

void test('the silence between two checks counts as well, without stalls', () => {
  const liveness = new ChildLiveness(0);
  liveness.look(500);
  assert.equal(liveness.silentMs(900), 900);
  liveness.received(800);
  assert.equal(liveness.silentMs(900), 100);
  assert.equal(liveness.silentMs(60_500), ASK_MS);
});

void test('time that the child waits for a CPU is no silence; a child that blocks itself is still ended', () => {
  const liveness = new ChildLiveness(0);
  liveness.serves();
  let nowMs = 0;
  // The child gets a tenth of a CPU and does not answer: 9 of 90 s are silence.
  for (; nowMs < 90_000; nowMs += ASK_MS)
    assert.equal(liveness.look(nowMs, 7_000 + nowMs * 0.9), 'wait', String(nowMs));
  for (; nowMs < 100_000; nowMs += ASK_MS) if (liveness.look(nowMs, 88_000) !== 'wait') break;
  assert.ok(nowMs > 90_500 && nowMs < 92_500, String(nowMs));
});

void test('the first check ignores earlier waits, and a system without the figure has none', () => {
  for (const waitedMs of [60_000, undefined]) {
    const liveness = new ChildLiveness(0);
    liveness.serves();
    for (let nowMs = ASK_MS; nowMs < 10_000; nowMs += ASK_MS) assert.equal(liveness.look(nowMs, waitedMs), 'wait');
    assert.equal(liveness.look(10_000, waitedMs), 'end');
  }
});
