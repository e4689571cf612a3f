import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Algorithm } from '@rollcall/core';
import { runScenario } from './cluster-run.ts';
import { compare } from './comparison.ts';
import { contenderOf } from './contenders.ts';
import type { Scenario } from './scenario.ts';

const SCENARIO: Scenario = {
  name: 'small',
  nodes: [{ count: 4, speed: 1 }],
  proxies: 2,
  utilisation: 0.5,
  work: { kind: 'exponential', meanMs: 10 },
  warmupMs: 1_000,
  durationMs: 8_000,
  deadlineMs: 1_000,
  reportMs: 200,
};
const SESSIONS = { lifeMs: 4_000, requestsPerSecond: 2 };
const OURS = contenderOf('rollcall')!;
const LEAST = contenderOf('least-connections')!;

test('every rule meets the same requests', () => {
  for (const scenario of [SCENARIO, { ...SCENARIO, sessions: SESSIONS }]) {
    const [ours, least] = [OURS, LEAST].map((contender) => runScenario(scenario, contender, 3));
    assert.equal(ours!.requests, least!.requests);
    assert.ok(ours!.requests > 1_000);
  }
});

test('several seeds give their median and their maximum', () => {
  const rows = compare({ ...SCENARIO, durationMs: 1_000 }, [OURS], [1, 2, 3]);
  const { median, worst } = rows[0]!.figures.get('p99Ms')!;
  assert.ok(median > 0 && median <= worst);
  assert.deepEqual(rows, compare({ ...SCENARIO, durationMs: 1_000 }, [OURS], [1, 2, 3]));
});

test('a node that refuses connections fails no request and is ejected by every proxy', () => {
  const events = [{ atMs: 2_000, does: 'crash', node: 1 }] as const;
  const { errorShare, ejections } = runScenario({ ...SCENARIO, events }, LEAST, 1);
  assert.equal(errorShare, 0);
  assert.ok(ejections >= 2);
});

test('requests on a connection that is reset are retried on another node', () => {
  const events = [{ atMs: 2_000, does: 'break', node: 1, withinMs: 1 }] as const;
  assert.equal(runScenario({ ...SCENARIO, events }, LEAST, 1).errorShare, 0);
  assert.ok(runScenario({ ...SCENARIO, events, retries: 0 }, LEAST, 1).errorShare > 0);
});

test('a draining node keeps its sessions, and no request fails when it leaves', () => {
  const events = [
    { atMs: 2_000, does: 'drain', node: 1 },
    { atMs: 6_000, does: 'leave', node: 1 },
  ] as const;
  const { errorShare } = runScenario({ ...SCENARIO, sessions: SESSIONS, events }, OURS, 1);
  assert.equal(errorShare, 0);
});

test('the result has the time until a joining node has its fair share', () => {
  const events = [{ atMs: 2_000, does: 'join', count: 1, speed: 1 }] as const;
  const { join } = runScenario({ ...SCENARIO, sessions: SESSIONS, events, durationMs: 20_000 }, OURS, 1);
  assert.ok(join?.fairAfterLives !== undefined && join.fairAfterLives < 3, `${join?.fairAfterLives}`);
  assert.ok(join.peakShare > 0.9);
});

test('a fixed population sends requests at a constant rate, whatever the activity of its sessions', () => {
  const sessions = { ...SESSIONS, population: 'fixed', activity: { shape: 1.1, span: 1_000 } } as const;
  const long = { ...SCENARIO, durationMs: 60_000, sessions };
  // A Poisson process with 200 requests per second, independent of the activity of the sessions.
  const expected = 200 * 60;
  for (const seed of [1, 2, 3]) {
    const { requests } = runScenario(long, OURS, seed);
    assert.ok(Math.abs(requests - expected) < 4 * Math.sqrt(expected), `${requests}`);
  }
});

test('a rule that ignores bound requests receives events of logins only', () => {
  const heard = { sent: 0, answered: 0, mostInFlight: 0 };
  const rule = {
    name: 'in-turn',
    pick: (candidates) => {
      heard.mostInFlight = Math.max(heard.mostInFlight, ...candidates.map(({ live }) => live.inFlight));
      return candidates[heard.sent % candidates.length];
    },
    onSend: () => heard.sent++,
    onResponse: () => heard.answered++,
  } satisfies Algorithm;
  const run = (ignoresBound: boolean): typeof heard => {
    Object.assign(heard, { sent: 0, answered: 0, mostInFlight: 0 });
    runScenario(
      { ...SCENARIO, sessions: SESSIONS, proxies: 1 },
      { name: 'in-turn', requests: () => rule, ignoresBound },
      1,
    );
    return { ...heard };
  };
  const all = run(false);
  const logins = run(true);
  assert.ok(logins.sent < all.sent / 4, `${logins.sent} of ${all.sent}`);
  assert.ok(logins.answered <= logins.sent);
  assert.ok(logins.mostInFlight < all.mostInFlight);
});
