import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Report, reportJson, reportMarkdown, reportText } from './report.ts';

const REPORT: Report = {
  mode: 'side-by-side',
  date: '2026-11-21T10:00:00.000Z',
  command: 'npm run bench -- --rounds 1',
  revision: 'abc1234+',
  machine: { cpus: 4, cpu: 'A CPU', memoryGib: 8, kernel: '6.1', node: 'v20.19.0' },
  versions: { nginx: '1.22.1', rollcall: '0.1.0' },
  leftOut: ['caddy is left out: install caddy to have it here.'],
  tables: [{ title: 'T', columns: ['a', 'b'], rows: [['x', '1']], notes: [] }],
  data: { memoryBytes: Number.NaN },
};

test('Markdown has date, machine and command of the measurement', () => {
  const text = reportMarkdown(REPORT);
  assert.match(text, /^\*\*T\*\*\n\n\| a/);
  assert.match(
    text,
    /Measured on 2026-11-21 at revision abc1234\+ with `npm run bench -- --rounds 1`: 4 CPUs \(A CPU\), 8 GiB, Linux 6\.1, Node v20\.19\.0; nginx 1\.22\.1, rollcall 0\.1\.0\.\n$/,
  );
});

test('skipped parts are noted below the tables', () => {
  for (const text of [reportText(REPORT), reportMarkdown(REPORT)])
    assert.ok(text.indexOf('caddy is left out') > text.indexOf('x'));
});

test('JSON has the samples without the tables, and null for unreadable values', () => {
  const { tables, data, mode } = JSON.parse(reportJson(REPORT));
  assert.deepEqual([tables, data, mode], [undefined, { memoryBytes: null }, 'side-by-side']);
});
