import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock, type TestContext, test } from 'node:test';
import { CliFailure } from './exit.ts';
import { readProcess } from './run/process-table.ts';
import { createDemoStateDirectory, lockStateDirectory, stateDirectoryOf } from './state-directory.ts';

function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-state-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const PARENT = process.ppid;

test('the state directory is the given one; on this machine else ROLLCALL_STATE_DIR, else the directory of the port', () => {
  const environment = { XDG_STATE_HOME: '/home/a/state', ROLLCALL_STATE_DIR: '/srv/state' };
  assert.equal(stateDirectoryOf('http://127.0.0.1:8400', '/named', environment), '/named');
  assert.equal(stateDirectoryOf('http://127.0.0.1:8400', undefined, environment), '/srv/state');
  const { ROLLCALL_STATE_DIR: _, ...without } = environment;
  assert.equal(stateDirectoryOf('http://localhost:8400', undefined, without), '/home/a/state/rollcall/8400');
  // A token of this machine is not sent to another machine unless its directory is given.
  assert.equal(stateDirectoryOf('http://10.0.0.1:8400', undefined, environment), undefined);
});

test('commands find the state directory of a running demo by its port, and a later demo replaces it', (t) => {
  const scratchDirectory = scratch(t);
  const { TMPDIR } = process.env;
  process.env['TMPDIR'] = scratchDirectory;
  t.after(() => {
    if (TMPDIR === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = TMPDIR;
  });
  const usual = join(scratchDirectory, 'state');
  const environment = { XDG_STATE_HOME: usual };
  const found = (): string | undefined => stateDirectoryOf('http://127.0.0.1:8400', undefined, environment);
  const demo = createDemoStateDirectory(8400, environment);
  assert.equal(demo.isFound, true);
  writeFileSync(join(demo.path, 'admin-token'), 'an earlier demo');
  // Without a process that holds its lock the directory is not used.
  assert.equal(found(), join(usual, 'rollcall', '8400'));
  assert.deepEqual(createDemoStateDirectory(8400, environment), demo);
  assert.deepEqual(readdirSync(demo.path), []);
  const release = lockStateDirectory(demo.path);
  assert.equal(found(), demo.path);
  const second = createDemoStateDirectory(8400, environment);
  assert.equal(second.isFound, false);
  assert.notEqual(second.path, demo.path);
  // Commands that read ROLLCALL_STATE_DIR need the flag.
  assert.equal(createDemoStateDirectory(8401, { ROLLCALL_STATE_DIR: '/srv' }).isFound, false);
  chmodSync(demo.path, 0o755);
  assert.equal(found(), join(usual, 'rollcall', '8400'), 'a directory that other users can read');
  release();
});

test('a lock is taken, released and taken again', (t) => {
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

test('a lock file that cannot be created is reported once, and the lock is taken as soon as possible', (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.after(() => mock.timers.reset());
  const directory = join(scratch(t), 'state');
  writeFileSync(directory, 'a file is in the way');
  const logged: string[] = [];
  const unlock = lockStateDirectory(directory, (line) => logged.push(line));
  mock.timers.tick(10_000);
  assert.equal(logged.length, 1);
  assert.match(logged[0]!, /^cannot lock the state directory .* \(.*EEXIST.*\); .* the control port is the lock$/);
  rmSync(directory);
  mock.timers.tick(5_000);
  assert.match(logged[1]!, /can be written again and is locked$/);
  assert.deepEqual(readdirSync(directory), ['lock']);
  unlock();
  assert.deepEqual(readdirSync(directory), []);
});
