import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asMarkdown, asText, type Table } from './table.ts';

const TABLE: Table = {
  title: 'Costs',
  columns: ['name', 'CPU'],
  rows: [
    ['nginx', '1.00'],
    ['a|b', '12.50'],
  ],
  notes: ['One note.'],
};

test('text has aligned columns', () => {
  assert.equal(asText(TABLE), 'Costs\n\nname     CPU\nnginx   1.00\na|b    12.50\n\nOne note.\n');
});

test('Markdown escapes bars in cells', () => {
  assert.equal(
    asMarkdown(TABLE),
    '**Costs**\n\n| name  |   CPU |\n| ----- | ----: |\n| nginx |  1.00 |\n| a\\|b  | 12.50 |\n\nOne note.\n',
  );
});

test('a table may have no rows and no notes', () => {
  assert.equal(asText({ ...TABLE, rows: [], notes: [] }), 'Costs\n\nname  CPU\n');
});
