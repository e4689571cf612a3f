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

test('a terminal gets lined up columns', () => {
  assert.equal(asText(TABLE), 'Costs\n\nname     CPU\nnginx   1.00\na|b    12.50\n\nOne note.\n');
});

test('Markdown gets a table whose bars are its own', () => {
  assert.equal(
    asMarkdown(TABLE),
    '**Costs**\n\n| name  |   CPU |\n| ----- | ----: |\n| nginx |  1.00 |\n| a\\|b  | 12.50 |\n\nOne note.\n',
  );
});

test('a table may be empty, and a title need no notes', () => {
  assert.equal(asText({ ...TABLE, rows: [], notes: [] }), 'Costs\n\nname  CPU\n');
});
