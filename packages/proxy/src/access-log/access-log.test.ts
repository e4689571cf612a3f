import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AccessClient, ownEntry } from '../engine/access-entry.ts';
import { AccessLog } from './access-log.ts';

const CLIENT = { peer: { address: '192.0.2.7' } } as AccessClient;
const ENTRY = ownEntry(CLIENT, undefined, { status: 400, bytesOut: 10, requestId: 'r1' });

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'rollcall-access-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function lines(path: string): number {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0;
}

async function open(path: string, warnings: string[] = [], isOptional = false): Promise<AccessLog> {
  return await AccessLog.open({ path, format: 'combined', isOptional }, Date.now, {
    warn: (_, message) => warnings.push(message),
  });
}

test('lines are written before close resolves, and the file is not readable by all users', async (t) => {
  const path = join(directory(t), 'access.log');
  const log = await open(path);
  for (let i = 0; i < 5_000; i++) log.write(ENTRY);
  await log.close();
  assert.equal(lines(path), 5_000);
  assert.equal(statSync(path).mode & 0o007, 0);
});

test('lines are flushed without a call', async (t) => {
  const path = join(directory(t), 'access.log');
  const log = await open(path);
  log.write(ENTRY);
  while (lines(path) === 0) await sleep(10);
  await log.close();
});

test('rotation: no line is lost if the file is moved and opened again', async (t) => {
  const folder = directory(t);
  const path = join(folder, 'access.log');
  const log = await open(path);
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 1_000; i++) log.write(ENTRY);
    renameSync(path, `${path}.${round}`);
    log.reopen();
    while (!existsSync(path)) await sleep(1);
  }
  await log.close();
  const files = [path, ...Array.from({ length: 5 }, (_, i) => `${path}.${i}`)];
  assert.equal(
    files.reduce((sum, file) => sum + lines(file), 0),
    5_000,
  );
});

test('two workers share a file, line by line', async (t) => {
  const path = join(directory(t), 'access.log');
  const logs = [await open(path), await open(path)];
  for (let i = 0; i < 4_000; i++) for (const log of logs) log.write(ENTRY);
  await Promise.all(logs.map((log) => log.close()));
  const written = readFileSync(path, 'utf8').trimEnd().split('\n');
  assert.equal(written.length, 8_000);
  for (const line of written) assert.match(line, /^192\.0\.2\.7 - - \[.*\] "-" 400 10 "-" "-"$/);
});

test('a file that cannot be opened is an error at the start', async (t) => {
  await assert.rejects(open(join(directory(t), 'missing', 'access.log')), { code: 'ENOENT' });
});

test('lines lost on a full disk are counted and logged', { skip: !existsSync('/dev/full') }, async () => {
  const warnings: string[] = [];
  const log = await open('/dev/full', warnings);
  log.write(ENTRY);
  while (log.lost === 0) await sleep(10);
  assert.deepEqual(warnings, ['access log lines dropped']);
  await log.close();
});

test('an optional log starts without its file, and opens it later', async (t) => {
  const folder = join(directory(t), 'missing');
  const path = join(folder, 'access.log');
  const warnings: string[] = [];
  const log = await open(path, warnings, true);
  assert.deepEqual(warnings, ['cannot open the access log; keeping its lines and retrying']);
  log.write(ENTRY);
  mkdirSync(folder);
  while (lines(path) === 0) await sleep(10);
  await log.close();
  assert.deepEqual([lines(path), log.lost], [1, 0]);
});

test('a stopped reader delays neither requests nor the end, and its lost lines are counted', async (t) => {
  const path = join(directory(t), 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  t.after(() => closeSync(reader));
  const log = await open(path);
  const written = 20_000;
  for (let i = 0; i < written; i++) log.write(ENTRY);
  await log.close();
  const octets = Buffer.alloc(1_048_576);
  const text = octets.toString('latin1', 0, readSync(reader, octets));
  assert.ok(text.endsWith('\n'));
  assert.equal(text.split('\n').length - 1 + log.lost, written);
  assert.ok(log.lost > written / 2, `${log.lost} lost`);
});

test('if the file cannot be opened again after a rotation, lines go to the old file', async (t) => {
  const folder = join(directory(t), 'logs');
  mkdirSync(folder);
  const warnings: string[] = [];
  const log = await open(join(folder, 'access.log'), warnings);
  renameSync(folder, `${folder}-moved`);
  log.reopen();
  while (warnings.length === 0) await sleep(1);
  log.write(ENTRY);
  await log.close();
  assert.deepEqual(warnings, ['cannot reopen the access log; writing to the file opened before']);
  assert.equal(lines(join(`${folder}-moved`, 'access.log')), 1);
});

test('a pipe whose reader starts later: the log starts, and the reader gets the lines', async (t) => {
  const path = join(directory(t), 'pipe');
  execFileSync('mkfifo', [path]);
  const log = await open(path);
  log.write(ENTRY);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  t.after(() => closeSync(reader));
  const octets = Buffer.alloc(1_000);
  let text = '';
  while (!text.endsWith('\n')) {
    await sleep(10);
    try {
      text += octets.toString('latin1', 0, readSync(reader, octets));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
    }
  }
  assert.match(text, /^192\.0\.2\.7 - - .* "-" 400 10 "-" "-"\n$/);
  await log.close();
});
