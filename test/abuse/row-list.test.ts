/** Every row of the table of control plane abuse, C1 to C70, is a test of this folder or has a reason here. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const ROWS = 70;
/** Rows without a test. */
const REASONS: Readonly<Record<string, string>> = {
  C25: 'a partition between coordinators: there is one coordinator yet',
  C26: 'an agent that changes between coordinators: there is one coordinator yet',
  C62: 'messages between coordinators: there is one coordinator yet',
};

/** Rows that the titles of a file name, before their colon: `C34, C45: …`. */
function rowsIn(text: string): readonly string[] {
  const titles = text.matchAll(/\btest\(\s*(['"`])([^:\n]*):/g);
  return [...titles].flatMap(([, , names]) => names!.match(/\bC\d+\b/g) ?? []);
}

test('each row of the table has a test that is named for it, or a reason', () => {
  const folder = new URL('.', import.meta.url);
  const tested = new Set<string>();
  for (const name of readdirSync(folder))
    if (name.endsWith('.test.ts'))
      for (const row of rowsIn(readFileSync(new URL(name, folder), 'utf8'))) tested.add(row);
  const rows = Array.from({ length: ROWS }, (_, i) => `C${i + 1}`);
  const missing = rows.filter((row) => !tested.has(row) && !Object.hasOwn(REASONS, row));
  assert.deepEqual(missing, []);
  const needless = Object.keys(REASONS).filter((row) => tested.has(row));
  assert.deepEqual(needless, [], 'has both a test and a reason');
  for (const row of tested) assert.ok(rows.includes(row), `${row} is not in the table`);
});
