import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ERROR_CODES, type ErrorCodeEntry } from './error-codes.ts';

/** White space in tables has no meaning. */
const document = readFileSync(new URL('../PROTOCOL.md', import.meta.url), 'utf8').replaceAll(/ +/g, ' ');

test('PROTOCOL.md lists each code of the table with its close code and meaning', () => {
  for (const [code, entry] of Object.entries<ErrorCodeEntry>(ERROR_CODES)) {
    const row = `| \`${code}\` | ${entry.close ?? ''} | ${entry.means} |`.replaceAll(/ +/g, ' ');
    assert.ok(document.includes(row), `missing in PROTOCOL.md: ${row}`);
  }
});

test('PROTOCOL.md explains each close code that an error uses', () => {
  for (const entry of Object.values<ErrorCodeEntry>(ERROR_CODES)) {
    if (entry.close !== undefined)
      assert.match(document, new RegExp(`^\\|[^|]*\\b${entry.close}\\b`, 'm'), String(entry.close));
  }
});

test('every HTTP status is that of an error, except for warnings', () => {
  for (const [code, entry] of Object.entries<ErrorCodeEntry>(ERROR_CODES)) {
    assert.ok(entry.http === 200 || (entry.http >= 400 && entry.http < 600), code);
  }
});
