import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readProcess } from '../run/process-table.ts';
import { LOCK_DRAFTS, type LockFile, takeLock } from './lock-file.ts';
import { removeOldDrafts } from './old-drafts.ts';

const LOADER = new URL('../../../../.tools/typescript.mjs', import.meta.url).href;
const FIXTURE = fileURLToPath(new URL('./lock-file.fixture.ts', import.meta.url));
const PARENT = process.ppid;
const TICKS = readProcess(PARENT)!.startTicks;
const BOOT = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
const OTHER_BOOT = '00000000-0000-4000-8000-000000000000';

function place(t: TestContext): { readonly folder: string; readonly path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-lock-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, path: join(folder, 'lock') };
}

function taken(path: string): LockFile {
  const outcome = takeLock(path);
  assert.ok('release' in outcome, JSON.stringify(outcome));
  return outcome;
}

test('a lock is taken, refused with the pid, released and taken again, and no file is left', (t) => {
  const { folder, path } = place(t);
  const lock = taken(path);
  assert.deepEqual(takeLock(path), { pid: process.pid });
  lock.release();
  lock.release();
  assert.deepEqual(readdirSync(folder), []);
  taken(path).release();
});

/** Contents of the lock file of a living process, in the formats of all releases. */
const HELD: Readonly<Record<string, string>> = {
  'pid alone': `${PARENT}\n`,
  'pid and start': `${PARENT} ${TICKS}\n`,
  'pid without a start': `${PARENT} 0\n`,
  'pid, start and random part': `${PARENT} ${TICKS}\n0123456789abcdef\n`,
  'pid, start, boot and random part': `${PARENT} ${TICKS}\n${BOOT}\n0123456789abcdef\n`,
};
for (const [what, content] of Object.entries(HELD))
  test(`a lock of a living process is refused: ${what}`, (t) => {
    const { path } = place(t);
    writeFileSync(path, content);
    assert.deepEqual(takeLock(path), { pid: PARENT });
    assert.equal(readFileSync(path, 'utf8'), content);
  });

const STALE: Readonly<Record<string, string>> = {
  'no content': '',
  'no lock': 'nonsense\n',
  'half a line': `${PARENT} ${TICKS}`,
  'a pid without a process': '4194305 1\n',
  'a pid above the maximum': '99999999999 1\n',
  'the pid of another process': `${PARENT} ${TICKS - 1}\n`,
  'the pid of this process with an earlier start': `${process.pid} 1\n`,
  'a pid of another boot': `${PARENT} ${TICKS}\n${OTHER_BOOT}\n0123456789abcdef\n`,
};
for (const [what, content] of Object.entries(STALE))
  test(`a stale lock is taken over: ${what}`, (t) => {
    const { folder, path } = place(t);
    writeFileSync(path, content);
    const lock = taken(path);
    assert.deepEqual(readdirSync(folder), ['lock']);
    lock.release();
    assert.deepEqual(readdirSync(folder), []);
  });

test('the lock of a zombie is taken over', async (t) => {
  const { path } = place(t);
  // The shell starts a child and becomes a program that never collects it.
  const parent = spawn('sh', ['-c', 'sh -c "echo \\$\\$" & exec sleep 600'], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => parent.kill('SIGKILL'));
  const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
  const state = () => /\) (\w) /.exec(readFileSync(`/proc/${line}/stat`, 'utf8'))?.[1];
  while (state() !== 'Z') await new Promise((resolve) => setImmediate(resolve));
  for (const content of [`${line}\n`, `${line} 0\n`]) {
    writeFileSync(path, content);
    taken(path).release();
  }
});

test('a process that lost its lock does not release the lock of another process', (t) => {
  const { path } = place(t);
  const lock = taken(path);
  const other = `${PARENT} ${TICKS}\n`;
  writeFileSync(path, other);
  lock.release();
  assert.equal(readFileSync(path, 'utf8'), other);
});

test('a takeover that was interrupted by SIGKILL is taken over as well', (t) => {
  const { folder, path } = place(t);
  writeFileSync(path, 'stale\n');
  const lock = taken(path);
  lock.release();
  // The file name of a takeover of this content, as a killed process leaves it.
  writeFileSync(path, 'stale\n');
  writeFileSync(`${path}.44ea8ede9025`, '4194305 1\n');
  const again = taken(path);
  again.release();
  assert.deepEqual(readdirSync(folder), []);
});

test('if many processes see the same dead holder, exactly one takes the lock', { timeout: 180_000 }, async (t) => {
  const { folder, path } = place(t);
  for (const stale of ['4194305 1\n', '']) {
    writeFileSync(path, stale);
    const children = await Promise.all(Array.from({ length: 8 }, () => waiting(t, path)));
    const answers = children.map(async ({ child, lines }) => {
      const answer = once(lines, 'line') as Promise<[string]>;
      child.stdin?.end();
      return (await answer)[0];
    });
    const outcomes = await Promise.all(answers);
    assert.equal(outcomes.filter((answer) => answer === 'taken').length, 1, outcomes.join(', '));
    const winner = children[outcomes.indexOf('taken')]!.child.pid;
    assert.deepEqual(takeLock(path), { pid: winner });
    assert.deepEqual(readdirSync(folder), ['lock']);
    for (const { child } of children) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
  }
});

async function waiting(t: TestContext, path: string) {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--conditions=@rollcall/source', '--import', LOADER, FIXTURE, path],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  t.after(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout! });
  await once(lines, 'line');
  return { child, lines };
}

test('only old drafts of killed processes are removed', (t) => {
  const { folder } = place(t);
  const drafts = ['lock.0123456789abcdef.tmp', 'shop-12-0123456789abcdef.tmp', 'a-0.lock.0123456789abcdef.stale'];
  const others = ['lock', 'lock.0123456789ab', 'notes.tmp', 'cluster.json.tmp', 'shop-0123456789ab-0.lock'];
  for (const file of [...drafts, ...others]) writeFileSync(join(folder, file), '');
  removeOldDrafts(folder, LOCK_DRAFTS);
  assert.deepEqual(readdirSync(folder).sort(), [...drafts, ...others].sort(), 'they may be in use');
  const longAgo = new Date(Date.now() - 61_000);
  for (const file of [...drafts, ...others]) utimesSync(join(folder, file), longAgo, longAgo);
  removeOldDrafts(folder, LOCK_DRAFTS);
  assert.deepEqual(readdirSync(folder).sort(), others.sort());
  removeOldDrafts(join(folder, 'absent'), LOCK_DRAFTS);
});
