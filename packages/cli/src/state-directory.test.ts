import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CliFailure } from './exit.ts';
import { readProcess } from './run/process-table.ts';
import { lockStateDirectory } from './state-directory.ts';

function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-state-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const PARENT = process.ppid;

test('a lock is taken, let go, and taken again', (t) => {
  const directory = scratch(t);
  lockStateDirectory(directory)();
  const unlock = lockStateDirectory(directory);
  assert.match(readFileSync(join(directory, 'lock'), 'utf8'), new RegExp(`^${process.pid} \\d+\\n$`));
  unlock();
});

test('a lock of a living process is refused with its pid, with and without its start time', (t) => {
  const directory = scratch(t);
  for (const holder of [`${PARENT} ${readProcess(PARENT)!.startTicks}\n`, `${PARENT}\n`]) {
    writeFileSync(join(directory, 'lock'), holder);
    assert.throws(
      () => lockStateDirectory(directory),
      (error) => error instanceof CliFailure && error.message.includes(`in use by process ${PARENT}`),
    );
  }
});

test('a lock whose pid is another process by now is taken over', (t) => {
  const directory = scratch(t);
  writeFileSync(join(directory, 'lock'), `${PARENT} ${readProcess(PARENT)!.startTicks - 1}\n`);
  lockStateDirectory(directory)();
});

test('a lock that names nobody is taken over', (t) => {
  const directory = scratch(t);
  for (const content of ['', 'nonsense\n', '4194305 1\n']) {
    writeFileSync(join(directory, 'lock'), content);
    lockStateDirectory(directory)();
  }
});
