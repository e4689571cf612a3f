import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { joinToken } from './join-token.ts';

test('an option has precedence over the variable, which has precedence over the file; empty is unset', (t) => {
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

test('a token of an option, variable or file is trimmed', () => {
  assert.deepEqual(joinToken('given\n', {}), { token: 'given' });
  assert.deepEqual(joinToken(' \n', { ROLLCALL_JOIN_TOKEN: '\tfrom-variable\r\n' }), { token: 'from-variable' });
  assert.deepEqual(joinToken(5 as unknown as string, {}), {});
});

test('an unreadable file and an invalid token are problems, not exceptions', () => {
  assert.match(joinToken(undefined, { ROLLCALL_JOIN_TOKEN_FILE: '/nonexistent/token' }).problem ?? '', /ENOENT/);
  const { problem = '' } = joinToken('two\nlines', {});
  assert.match(problem, /not a token/);
  assert.doesNotMatch(problem, /lines/);
});

test('an empty option or variable is reported by name, unless another source has a token', () => {
  const problem = (given: string | undefined, environment: Record<string, string>) =>
    joinToken(given, environment).problem;
  const without = 'the node registers without a token';
  for (const empty of ['', ' \n'])
    assert.equal(
      problem(undefined, { ROLLCALL_JOIN_TOKEN: empty }),
      `ROLLCALL_JOIN_TOKEN is set but empty: ${without}`,
    );
  assert.equal(
    problem(undefined, { ROLLCALL_JOIN_TOKEN: '', ROLLCALL_JOIN_TOKEN_FILE: '' }),
    `ROLLCALL_JOIN_TOKEN and ROLLCALL_JOIN_TOKEN_FILE are set but empty: ${without}`,
  );
  assert.equal(problem('', {}), `the option token is empty: ${without}`);
  assert.equal(problem(undefined, { ROLLCALL_JOIN_TOKEN_FILE: '/dev/null' }), `/dev/null is empty: ${without}`);
  assert.equal(problem('given', { ROLLCALL_JOIN_TOKEN: '' }), undefined);
  assert.equal(problem(undefined, {}), undefined);
});
