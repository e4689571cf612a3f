import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock, type TestContext, test } from 'node:test';
import { CliFailure } from './exit.ts';
import { readProcess } from './run/process-table.ts';
import { lockStateDirectory, stateDirectoryOf } from './state-directory.ts';

function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-state-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const PARENT = process.ppid;

test('the state directory is the one that is named, on this machine else that of ROLLCALL_STATE_DIR, else that of the port', () => {
  const environment = { XDG_STATE_HOME: '/home/a/state', ROLLCALL_STATE_DIR: '/srv/state' };
  assert.equal(stateDirectoryOf('http://127.0.0.1:8400', '/named', environment), '/named');
  assert.equal(stateDirectoryOf('http://127.0.0.1:8400', undefined, environment), '/srv/state');
  const { ROLLCALL_STATE_DIR: _, ...without } = environment;
  assert.equal(stateDirectoryOf('http://localhost:8400', undefined, without), '/home/a/state/rollcall/8400');
  // What lies here is not shown to another machine unless it is named.
  assert.equal(stateDirectoryOf('http://10.0.0.1:8400', undefined, environment), undefined);
});

test('a lock is taken, let go, and taken again', (t) => {
  const directory = scratch(t);
  lockStateDirectory(directory)();
  const unlock = lockStateDirectory(directory);
  assert.match(readFileSync(join(directory, 'lock'), 'utf8'), new RegExp(`^${process.pid} \\d+\\n`));
  unlock();
});

test('a lock of a living process is refused with its pid', (t) => {
  const directory = scratch(t);
  writeFileSync(join(directory, 'lock'), `${PARENT} ${readProcess(PARENT)!.startTicks}\n`);
  assert.throws(
    () => lockStateDirectory(directory),
    (error) => error instanceof CliFailure && error.message.includes(`in use by process ${PARENT}`),
  );
});

test('where no lock file can be made that is reported once, and the lock is taken as soon as it can be', (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.after(() => mock.timers.reset());
  const directory = join(scratch(t), 'state');
  writeFileSync(directory, 'a file is in the way');
  const said: string[] = [];
  const unlock = lockStateDirectory(directory, (line) => said.push(line));
  mock.timers.tick(10_000);
  assert.equal(said.length, 1);
  assert.match(said[0]!, /^cannot lock the state directory .* \(.*EEXIST.*\); .* the control port is the lock$/);
  rmSync(directory);
  mock.timers.tick(5_000);
  assert.match(said[1]!, /can be written again and is locked$/);
  assert.deepEqual(readdirSync(directory), ['lock']);
  unlock();
  assert.deepEqual(readdirSync(directory), []);
});
