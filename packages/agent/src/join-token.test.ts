import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { joinToken } from './join-token.ts';

test('an option wins over the variable, which wins over the file; empty is unset', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-token-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'token');
  writeFileSync(file, 'from-file\n');
  const environment = { ROLLCALL_JOIN_TOKEN: 'from-variable', ROLLCALL_JOIN_TOKEN_FILE: file };
  assert.deepEqual(joinToken('given', environment), { token: 'given' });
  assert.deepEqual(joinToken('', environment), { token: 'from-variable' });
  assert.deepEqual(joinToken(undefined, { ...environment, ROLLCALL_JOIN_TOKEN: '' }), { token: 'from-file' });
  assert.deepEqual(joinToken(undefined, {}), {});
});

test('a token of an option or variable is trimmed as one of a file is', () => {
  assert.deepEqual(joinToken('given\n', {}), { token: 'given' });
  assert.deepEqual(joinToken(' \n', { ROLLCALL_JOIN_TOKEN: '\tfrom-variable\r\n' }), { token: 'from-variable' });
  assert.deepEqual(joinToken(undefined, { ROLLCALL_JOIN_TOKEN: '\n' }), {});
  assert.deepEqual(joinToken(5 as unknown as string, {}), {});
});

test('a file that cannot be read and a token that fits no header are told, not thrown', () => {
  assert.match(joinToken(undefined, { ROLLCALL_JOIN_TOKEN_FILE: '/nonexistent/token' }).problem ?? '', /ENOENT/);
  const { problem = '' } = joinToken('two\nlines', {});
  assert.match(problem, /not a token/);
  assert.doesNotMatch(problem, /lines/);
});
