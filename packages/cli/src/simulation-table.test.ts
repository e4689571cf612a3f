import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContenderRow, Outcome } from '@rollcall/simulator';
import { simulationTable } from './simulation-table.ts';

const outcome = (median: number, worst = median): Outcome => ({ median, worst }) as Outcome;
const row = (contender: string, figures: Readonly<Record<string, Outcome>>): ContenderRow =>
  ({ contender, figures: new Map(Object.entries(figures)) }) as unknown as ContenderRow;

for (const [name, heading, value, text] of [
  ['p50Ms', 'P50', outcome(1.234), '1.23 ms'],
  ['p99Ms', 'P99', outcome(999), '999 ms'],
  ['p999Ms', 'P99.9', outcome(1_000), '1.00 s'],
  ['p99Ms', 'P99', outcome(12_345), '12.3 s'],
  ['errorShare', 'ERRORS', outcome(0), '0'],
  ['errorShare', 'ERRORS', outcome(0.0123), '1.2 %'],
  ['workMaxOverMean', 'WORK MAX/MEAN', outcome(1), '1.00'],
  ['fairAfterLives', 'FAIR AFTER', outcome(0.5), '0.50 lives'],
  ['fairAfterLives', 'FAIR AFTER', outcome(Number.POSITIVE_INFINITY), 'never'],
  ['fairAfterMs', 'FAIR AFTER', outcome(2_500), '2.50 s'],
  ['fairAfterMs', 'FAIR AFTER', outcome(Number.POSITIVE_INFINITY), 'never'],
  ['ejections', 'EJECTIONS', outcome(2.4), '2'],
  ['joinP99Ms', 'P99 JOIN', outcome(20), '20.0 ms'],
  ['other', 'P99 OTHER', outcome(20), '20.0 ms'],
  ['p50Ms', 'P50', outcome(10, 20), '10.0 ms (20.0 ms)'],
  ['p50Ms', 'P50', outcome(10, 10.001), '10.0 ms'],
] as const)
  test(`the figure ${name} of ${value.median} is shown as ${text}`, () => {
    const [headings, values] = simulationTable([row('adaptive', { [name]: value })]).split('\n');
    assert.deepEqual(headings?.split(/ {2,}/), ['ALGORITHM', heading]);
    assert.deepEqual(values?.split(/ {2,}/), ['adaptive', text]);
  });

test('each algorithm has a row, and the number of requests has no column', () => {
  const figures = { requests: outcome(5), p50Ms: outcome(1) };
  const lines = simulationTable([row('adaptive', figures), row('session', figures)]).split('\n');
  assert.deepEqual(
    lines.map((line) => line.split(/ {2,}/)),
    [
      ['ALGORITHM', 'P50'],
      ['adaptive', '1.00 ms'],
      ['session', '1.00 ms'],
    ],
  );
});
