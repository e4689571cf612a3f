/** Holds core's estimate for a change (`outlook`) against the simulation of the same change. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outlook } from '@rollcall/core';
import { runScenario } from './cluster-run.ts';
import { contenderOf } from './contenders.ts';
import type { Scenario, Work } from './scenario.ts';

const NODES = 6;
const WORK_MS = 20;
const LEAVES_AT_MS = 200_000;
const END_MS = 400_000;
/** The first seconds after the change are left out: the estimate is for the time when the work has settled. */
const SETTLED_MS = 20_000;
const UTILISATION_TOLERANCE = 0.1;
const P99_FACTOR = 1.5;

function leaving(utilisation: number, work: Work, hasSessions: boolean): Scenario {
  return {
    name: 'leaving',
    nodes: [{ count: NODES, speed: 1 }],
    proxies: 2,
    utilisation,
    work,
    ...(hasSessions && { sessions: { lifeMs: 20_000, requestsPerSecond: 1, population: 'fixed' as const } }),
    events: [{ atMs: LEAVES_AT_MS, does: 'leave', node: 0 }],
    windows: [
      { name: 'before', fromMs: SETTLED_MS, toMs: LEAVES_AT_MS },
      { name: 'after', fromMs: LEAVES_AT_MS + SETTLED_MS, toMs: END_MS },
    ],
    warmupMs: SETTLED_MS,
    durationMs: END_MS - SETTLED_MS,
    deadlineMs: 60_000,
    reportMs: 1_000,
  };
}

/** The estimate from what a coordinator can measure before the change. */
function estimated(busyShare: number, measuredP99Ms: number, requestsPerSecond: number, isBound: boolean) {
  const perSecond = requestsPerSecond / NODES;
  const queue = { perSecond, serviceMs: (busyShare * 1_000) / perSecond, servers: 1 };
  const staying = Array.from({ length: NODES - 1 }, () => queue);
  return outlook({ staying, lostPerSecond: perSecond, isBound, measuredP99Ms }).after;
}

const EXPONENTIAL: Work = { kind: 'exponential', meanMs: WORK_MS };
const LOGNORMAL: Work = { kind: 'lognormal', meanMs: WORK_MS, variation: 1 };

for (const [what, work, loads] of [
  ['exponential work', EXPONENTIAL, [0.2, 0.4, 0.55, 0.7]],
  ['lognormal work', LOGNORMAL, [0.3, 0.5, 0.65]],
] as const)
  for (const hasSessions of [false, true])
    for (const load of loads)
      test(`one of ${NODES} nodes leaves at ${load}, ${what}, ${hasSessions ? 'sessions' : 'no sessions'}`, () => {
        const run = runScenario(leaving(load, work, hasSessions), contenderOf('rollcall')!, 7);
        const before = run.windows.get('before')!;
        const after = run.windows.get('after')!;
        const perSecond = (before.count * 1_000) / (LEAVES_AT_MS - SETTLED_MS);
        const guess = estimated(run.busyShares.get('before')!, before.quantile(0.99), perSecond, hasSessions);
        const busy = run.busyShares.get('after')!;
        const p99Ms = after.quantile(0.99);
        const text = `utilisation ${guess.utilisation.toFixed(3)}, was ${busy.toFixed(3)}; p99 ${guess.p99Ms?.toFixed(0)} ms, was ${p99Ms.toFixed(0)} ms, ${before.quantile(0.99).toFixed(0)} ms before`;
        console.log(`# ${text}`);
        assert.ok(Math.abs(guess.utilisation / busy - 1) <= UTILISATION_TOLERANCE, text);
        assert.ok(guess.p99Ms !== undefined, text);
        assert.ok(Math.max(guess.p99Ms / p99Ms, p99Ms / guess.p99Ms) <= P99_FACTOR, text);
      });

test('more work than the others can do is saturated, without a p99', () => {
  const queue = { perSecond: 40, serviceMs: 20, servers: 1 };
  const { before, after } = outlook({ staying: [queue], lostPerSecond: 30, isBound: false, measuredP99Ms: 90 });
  assert.deepEqual([before.utilisation, before.p99Ms], [0.8, 90]);
  assert.deepEqual([Math.round(after.utilisation * 100), after.p99Ms], [140, undefined]);
});
