import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ASK_MS, ChildLiveness, type Verdict } from './child-liveness.ts';

/** What happens at an instant, in order: the child serves, a message of it comes, or the supervisor looks. */
type Step = readonly [atMs: number, what: 'serves' | 'heard' | 'look'];

/** Looks every `ASK_MS` from after `fromMs` to `toMs`. */
function looks(fromMs: number, toMs: number): Step[] {
  const steps: Step[] = [];
  for (let atMs = fromMs + ASK_MS; atMs <= toMs; atMs += ASK_MS) steps.push([atMs, 'look']);
  return steps;
}

/** The same, each answered at once. */
function answered(fromMs: number, toMs: number): Step[] {
  return looks(fromMs, toMs).flatMap(([atMs]): Step[] => [
    [atMs, 'look'],
    [atMs + 1, 'heard'],
  ]);
}

const SERVES: Step = [0, 'serves'];

/** Steps, and every verdict other than `wait` with its instant. */
const TABLE: Readonly<
  Record<string, { readonly steps: readonly Step[]; readonly told: readonly (readonly [number, Verdict])[] }>
> = {
  'one that answers is left alone': { steps: [SERVES, ...answered(0, 120_000)], told: [] },
  'one that never answers is ended after 10 s, and killed after 2 s more': {
    steps: [SERVES, ...looks(0, 12_000)],
    told: [
      [10_000, 'end'],
      [12_000, 'kill'],
    ],
  },
  'the silence begins with the last answer': {
    steps: [SERVES, ...answered(0, 20_000), ...looks(20_000, 32_500)],
    told: [
      [30_500, 'end'],
      [32_500, 'kill'],
    ],
  },
  'an answer just in time begins it anew': {
    steps: [SERVES, ...looks(0, 9_500), [9_600, 'heard'], ...looks(9_500, 19_500)],
    told: [],
  },
  'an answer after the verdict does not take it back': {
    steps: [SERVES, ...looks(0, 10_000), [10_100, 'heard'], ...looks(10_000, 12_000)],
    told: [
      [10_000, 'end'],
      [12_000, 'kill'],
    ],
  },
  'it is killed until it is gone': {
    steps: [SERVES, ...looks(0, 13_000)],
    told: [
      [10_000, 'end'],
      [12_000, 'kill'],
      [12_500, 'kill'],
      [13_000, 'kill'],
    ],
  },
  'one that starts has 30 s': {
    steps: looks(0, 32_000),
    told: [
      [30_000, 'end'],
      [32_000, 'kill'],
    ],
  },
  'one that starts and answers may take as long as it wants': { steps: answered(0, 300_000), told: [] },
  'a stall of the supervisor of 20 s counts as one period': {
    steps: [SERVES, ...answered(0, 5_000), [25_000, 'look'], ...looks(25_000, 33_500)],
    told: [],
  },
  'a stall within a silence prolongs it': {
    steps: [SERVES, ...looks(0, 9_000), [3_609_000, 'look'], ...looks(3_609_000, 3_611_500)],
    told: [
      [3_609_500, 'end'],
      [3_611_500, 'kill'],
    ],
  },
  'a stall after SIGTERM gives it its 2 s all the same': {
    steps: [SERVES, ...looks(0, 10_000), [40_000, 'look'], ...looks(40_000, 41_500)],
    told: [
      [10_000, 'end'],
      [41_500, 'kill'],
    ],
  },
  'a supervisor that is always a little late still counts': {
    steps: [SERVES, ...Array.from({ length: 13 }, (_, i): Step => [(i + 1) * 900, 'look'])],
    told: [[10_800, 'end']],
  },
};

for (const [name, { steps, told }] of Object.entries(TABLE))
  void test(name, () => {
    const liveness = new ChildLiveness(0);
    const verdicts: [number, Verdict][] = [];
    for (const [atMs, what] of steps) {
      if (what === 'serves') liveness.serves();
      else if (what === 'heard') liveness.heard(atMs);
      else {
        const verdict = liveness.look(atMs);
        if (verdict !== 'wait') verdicts.push([atMs, verdict]);
      }
    }
    assert.deepEqual(verdicts, told);
  });

void test('the silence between two looks counts as well, but for a stall', () => {
  const liveness = new ChildLiveness(0);
  liveness.look(500);
  assert.equal(liveness.silentMs(900), 900);
  liveness.heard(800);
  assert.equal(liveness.silentMs(900), 100);
  assert.equal(liveness.silentMs(60_500), ASK_MS);
});
