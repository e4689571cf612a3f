import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CliFailure } from './exit.ts';
import { keptJoinToken } from './token-directory.ts';

function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-tokens-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test('the first start creates a join token, and later starts read it', (t) => {
  const directory = join(scratch(t), 'new');
  const token = keptJoinToken(directory);
  assert.match(token, /^[\w-]{43}$/);
  assert.equal(keptJoinToken(directory), token);
  assert.equal(readFileSync(join(directory, 'join-token'), 'utf8'), `${token}\n`);
  assert.deepEqual(readdirSync(directory), ['join-token']);
});

test('only its owner and the group of the directory may read it', (t) => {
  const directory = scratch(t);
  // Only root can set a foreign group; for other users the group does not change.
  if (process.getuid?.() === 0) chownSync(directory, 0, 8_400);
  keptJoinToken(directory);
  const { mode, gid } = statSync(join(directory, 'join-token'));
  assert.equal((mode & 0o777).toString(8), '640');
  assert.equal(gid, statSync(directory).gid);
});

test('an existing token is used unchanged, with its permissions', (t) => {
  const directory = scratch(t);
  writeFileSync(join(directory, 'join-token'), 'given\n');
  chmodSync(join(directory, 'join-token'), 0o600);
  assert.equal(keptJoinToken(directory), 'given');
  assert.equal((statSync(join(directory, 'join-token')).mode & 0o777).toString(8), '600');
});

test('an empty file and a path that is not a directory are refused in one line', (t) => {
  const directory = scratch(t);
  writeFileSync(join(directory, 'join-token'), '\n');
  assert.throws(
    () => keptJoinToken(directory),
    (error) => error instanceof CliFailure && /join-token is empty/.test(error.message),
  );
  assert.throws(
    () => keptJoinToken(join(directory, 'join-token')),
    (error) => error instanceof CliFailure && /^--token-dir: .*join-token/.test(error.message),
  );
});
