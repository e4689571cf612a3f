import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CostSample, LatencySample, Result } from '../runs/sample.ts';
import { smallAnswers } from '../runs/scenario.ts';
import { comparisonTable, overviewTable } from './comparison-table.ts';

function cost(cpuUs: number, more: Partial<CostSample> = {}): CostSample {
  return {
    cpuUs,
    userUs: cpuUs / 4,
    systemUs: (cpuUs * 3) / 4,
    perSecond: 1e6 / cpuUs,
    memoryBytes: 10 * 2 ** 20,
    answered: 1_000,
    failures: {},
    cpusBusy: 1,
    generatorBusyRatio: 0.5,
    ...more,
  };
}

function latency(p50Us: number): LatencySample {
  return {
    perSecond: 100,
    p50Us,
    p99Us: p50Us * 10,
    maxUs: p50Us * 20,
    answered: 400,
    failures: {},
    spoiledRatio: 0,
    othersRatio: 0,
  };
}

function result(name: string, more: Partial<Result> = {}): Result {
  return { name, version: '1', cost: [], latency: [], idle: [], ...more };
}

const FAST = result('fast', { cost: [cost(10), cost(20)], latency: [latency(100), latency(100)] });
const SLOW = result('slow', { cost: [cost(40), cost(60)], latency: [latency(150), latency(250)] });

test('figures are multiples of the reference of the same round, in order of cost', () => {
  const { rows, columns, notes } = comparisonTable(
    { scenario: smallAnswers(), results: [SLOW, FAST], rate: 100 },
    'fast',
  );
  assert.deepEqual(columns.slice(0, 2), ['contender', 'CPU per request']);
  assert.deepEqual(rows, [
    ['fast 1', '1.00', '0.25', '0.75', '1.00', '1.00', '1.00', '10', '0'],
    [
      'slow 1',
      '3.50 (3.00–4.00)',
      '0.88',
      '2.63',
      '0.29 (0.25–0.33)',
      '2.00 (1.50–2.50)',
      '2.00 (1.50–2.50)',
      '10',
      '0',
    ],
  ]);
  assert.deepEqual(notes, [
    'fast itself: 15.0 µs CPU per request, 75000 requests/s.',
    'Latencies at 100 requests/s, from when each was due; fast: p50 0.10 ms, p99 1.00 ms.',
  ]);
});

test('a failed contender is marked, and its failure is noted', () => {
  const failing = result('failing', { cost: [cost(5, { failures: { 'status 502': 3, ECONNRESET: 1 } })] });
  const gone = result('gone', { error: 'gone ended with code 1; it wrote:\nmuch' });
  const { rows, notes } = comparisonTable(
    { scenario: smallAnswers(), results: [FAST, failing, gone], rate: 0 },
    'fast',
  );
  assert.deepEqual(
    rows.map(([name, , , , , , wrong]) => [name, wrong]),
    [
      ['✗ failing 1', '4'],
      ['fast 1', '0'],
      ['✗ gone 1', '0'],
    ],
  );
  assert.deepEqual(rows[2]!.slice(1, 6), ['–', '–', '–', '–', '–']);
  assert.deepEqual(notes.slice(1), [
    '✗ failing: 3 × status 502, 1 × ECONNRESET.',
    '✗ gone: gone ended with code 1; it wrote:',
  ]);
});

test('a saturated load generator is noted', () => {
  const quick = result('quick', { cost: [cost(1, { generatorBusyRatio: 0.99 })] });
  const { notes } = comparisonTable({ scenario: smallAnswers(), results: [quick], rate: 0 }, 'quick');
  assert.match(notes.join('\n'), /quick: the load generator was saturated/);
});

test('without the reference a table has no ratios', () => {
  const { rows, notes } = comparisonTable({ scenario: smallAnswers(), results: [FAST], rate: 0 }, 'nobody');
  assert.equal(rows[0]![1], '–');
  assert.deepEqual(notes, ['The reference was not measured.']);
});

test('an overview has a row for each kind of traffic, and memory for idle connections', () => {
  const idle = { ...smallAnswers(), title: 'idle connections', measures: 'idle' } as const;
  const held = { connections: 10, bytesPerConnection: 2_048, failures: {} };
  const all = [
    { scenario: smallAnswers(), results: [FAST, SLOW], rate: 0 },
    { scenario: idle, results: [result('fast', { idle: [held] })], rate: 0 },
  ];
  assert.deepEqual(overviewTable(all, ['fast', 'slow'], 'fast').rows, [
    ['small answers', '1.00', '3.50 (3.00–4.00)'],
    ['idle connections', '2.0', '–'],
  ]);
});

test('latencies on a busy machine are noted', () => {
  const disturbed = result('disturbed', {
    cost: [cost(1)],
    latency: [{ ...latency(1), spoiledRatio: 0.5, othersRatio: 0.3 }],
  });
  const { notes } = comparisonTable({ scenario: smallAnswers(), results: [disturbed], rate: 1 }, 'disturbed');
  assert.match(notes.join('\n'), /Up to 50 % of the latencies of a round are excluded/);
  assert.match(notes.join('\n'), /Other programs had up to 30 %/);
});
