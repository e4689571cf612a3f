import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BalancerResult, balanceTable, overviewTable } from './balance-table.ts';
import { balanceScenarios } from './scenario.ts';
import type { PassFigures } from './statistics.ts';

const LENGTH = { warmUpMs: 5_000, measureMs: 20_000 };

function figures(more: Partial<PassFigures> = {}): PassFigures {
  return {
    requests: 6_000,
    p50Ms: 40.4,
    p99Ms: 300,
    p999Ms: 700,
    errorRatio: 0,
    failures: {},
    slowest: [],
    workSpread: 1.041,
    lateMs: 0.5,
    ...more,
  };
}

function table(name: string, rows: readonly BalancerResult[]) {
  return balanceTable({ scenario: balanceScenarios(LENGTH).find((scenario) => scenario.name === name)!, rows });
}

test('medians over the rounds, p99 with its spread, and what ours is to each', () => {
  const { title, columns, rows, notes } = table('speeds', [
    { name: 'rollcall', passes: [figures({ p99Ms: 200 }), figures({ p99Ms: 300 }), figures({ p99Ms: 400 })] },
    { name: 'nginx-least-conn', passes: [600, 600, 600].map((p99Ms) => figures({ p99Ms })) },
  ]);
  assert.match(title, /^speeds: speeds 1:2:4, utilisation 0.9, 3 rounds$/);
  assert.deepEqual(columns.slice(1), [
    'p50, ms',
    'p99, ms',
    'p99.9, ms',
    'failed, %',
    'work, max ÷ mean',
    'p99 of ours ÷ its',
  ]);
  assert.deepEqual(rows, [
    ['rollcall', '40', '300 (200–400)', '700', '0.00', '1.04', '1.00'],
    ['nginx-least-conn', '40', '600 (600–600)', '700', '0.00', '1.04', '0.50'],
  ]);
  assert.deepEqual(notes, []);
});

test('the deadline is told as such, with what failed', () => {
  const { rows, notes } = table('speeds', [
    {
      name: 'rollcall-round-robin',
      passes: [figures({ p99Ms: 5_000, errorRatio: 0.25, failures: { 'no answer in time': 12 } })],
    },
  ]);
  assert.deepEqual(rows[0]!.slice(2, 5), ['≥ 5000', '700', '25.00']);
  assert.equal(rows[0]!.at(-1), '–');
  assert.deepEqual(notes, ['rollcall-round-robin failed: 12 × no answer in time.']);
});

test('answers of the node that is to fail are no news', () => {
  const failures = { 'status 500': 500, ECONNRESET: 1 };
  const { notes } = table('fail-fast', [{ name: 'rollcall', passes: [figures({ failures })] }]);
  assert.deepEqual(notes, ['rollcall failed: 1 × ECONNRESET.']);
});

test('a share that did not come is more than what was watched', () => {
  const join = { t90Ms: Number.POSITIVE_INFINITY, watchedMs: 9_300, peakShare: 0.88 };
  const [requests, sessions] = ['join', 'join-sessions'].map((name) =>
    table(name, [
      { name: 'rollcall', passes: [figures({ join })] },
      { name: 'haproxy-leastconn', passes: [figures({ join: { ...join, t90Ms: 2_000 } })] },
    ]),
  );
  assert.deepEqual(
    requests!.rows.map((row) => row.slice(5, 7)),
    [
      ['> 9.3', '0.88'],
      ['2.0', '0.88'],
    ],
  );
  assert.equal(requests!.columns[5], 't90, s');
  // A life is 4 s there.
  assert.equal(sessions!.columns[5], 't90, lives');
  assert.deepEqual(
    sessions!.rows.map((row) => row[5]),
    ['> 2.33', '0.50'],
  );
});

test('who failed altogether is marked, and a busy machine is told', () => {
  const { rows, notes } = table('drain', [
    { name: 'rollcall', passes: [], error: 'rollcall ended with code 1; it wrote:\nmore' },
    { name: 'haproxy-random', passes: [figures({ lateMs: 12.3 })] },
  ]);
  assert.deepEqual(rows[0], ['rollcall ✗', '–', '–', '–', '–', '–', '–']);
  assert.match(notes[0]!, /^✗ rollcall: rollcall ended with code 1; it wrote:$/);
  assert.match(notes[1]!, /busy: .* up to 12 ms late \(p99\) with haproxy-random\./);
});

test('the overview has one figure of each scenario, and a dash for who took no part', () => {
  const join = { t90Ms: 2_000, watchedMs: 9_300, peakShare: 1 };
  const result = (name: string, names: readonly string[]) => ({
    scenario: balanceScenarios(LENGTH).find((scenario) => scenario.name === name)!,
    rows: names.map((row) => ({ name: row, passes: [figures({ errorRatio: 0.08, sessionSpread: 1.2, join })] })),
  });
  assert.deepEqual(overviewTable([result('speeds', ['rollcall'])]), []);
  const all = ['speeds', 'fail-fast', 'join', 'drain'].map((name) => result(name, ['rollcall', 'nginx-least-conn']));
  const [table] = overviewTable([...all, result('few-logins', ['rollcall'])]);
  assert.deepEqual(table!.columns, [
    '',
    'speeds: p99, ms',
    'fail-fast: failed, %',
    'join: t90, s',
    'drain: failed, %',
    'few-logins: sessions, max ÷ mean',
  ]);
  assert.deepEqual(table!.rows, [
    ['rollcall', '300', '8.00', '2.0', '8.00', '1.20'],
    ['nginx-least-conn', '300', '8.00', '2.0', '8.00', '–'],
  ]);
});
