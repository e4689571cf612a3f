import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Column, fittingColumns, tableLines } from './fitted-table.ts';
import { coloured, paintFor, plain } from './paint.ts';
import { widthOf } from './text-width.ts';

type Row = readonly [name: string, note: string, count: number];
const COLUMNS: readonly Column<Row>[] = [
  { heading: 'NAME', rank: 0, cell: ([name]) => name },
  { heading: 'NOTE', rank: 2, cell: ([, note]) => ({ text: note, tone: 'bad' }) },
  { heading: 'COUNT', rank: 1, cell: ([, , count]) => count, isRight: true },
];
const ROWS: readonly Row[] = [
  ['a', 'long note', 5],
  ['bcdef', '', 12],
];

test('columns are padded, figures to the left, and lines have no space at their end', () => {
  assert.deepEqual(tableLines(COLUMNS, ROWS, plain), [
    'NAME   NOTE       COUNT',
    'a      long note      5',
    'bcdef                12',
  ]);
});

test('columns of the greatest rank are left out until the table fits', () => {
  const headings = (width: number): string[] => fittingColumns(COLUMNS, ROWS, width).map(({ heading }) => heading);
  assert.deepEqual(headings(23), ['NAME', 'NOTE', 'COUNT']);
  assert.deepEqual(headings(22), ['NAME', 'COUNT']);
  assert.deepEqual(headings(11), ['NAME']);
  assert.deepEqual(headings(1), ['NAME'], 'rank 0 stays');
});

test('a table that fits has no wider line, also with wide characters', () => {
  const rows: readonly Row[] = [...ROWS, ['更新', '\u001b[31mred 日本', 1_000_000], ['e\u0301', '👍', 0]];
  for (let width = 1; width <= 60; width++) {
    const kept = fittingColumns(COLUMNS, rows, width);
    const widest = Math.max(...tableLines(kept, rows, plain).map(widthOf));
    assert.ok(kept.length === 1 || widest <= width, `${widest} columns of ${width}`);
  }
});

test('colours do not change the columns', () => {
  const [, row = ''] = tableLines(COLUMNS, ROWS, coloured);
  assert.equal(row, 'a      \u001b[31mlong note\u001b[39m      5');
});

test('colours are for terminals only, and NO_COLOR, TERM=dumb and --no-color turn them off', () => {
  const terminal = { isTTY: true };
  const isColoured = (stream: object, flags: object, environment: NodeJS.ProcessEnv): boolean =>
    paintFor(stream, flags, environment) === coloured;
  assert.equal(isColoured(terminal, {}, {}), true);
  assert.equal(isColoured(terminal, { color: true }, { NO_COLOR: '' }), true, 'an empty variable counts as unset');
  assert.equal(isColoured({}, {}, {}), false);
  assert.equal(isColoured(terminal, { color: false }, {}), false);
  assert.equal(isColoured(terminal, {}, { NO_COLOR: '1' }), false);
  assert.equal(isColoured(terminal, {}, { TERM: 'dumb' }), false);
});
