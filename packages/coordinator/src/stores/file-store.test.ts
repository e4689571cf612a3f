import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import type { StoredRecord } from '@rollcall/core';
import { storeContract } from '@rollcall/core/testing';
import { openFileStore } from './file-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'rollcall file store '));
after(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function freshPath(): string {
  files += 1;
  return join(folder, `store-${files}`, 'store.json');
}

let lastPath = '';
const noProblem = (message: string): void => assert.fail(message);
storeContract({
  name: 'file store',
  open: () => {
    lastPath = freshPath();
    return openFileStore({ path: lastPath, onProblem: noProblem, intervalMs: 1 });
  },
  reopen: () => openFileStore({ path: lastPath, onProblem: noProblem, intervalMs: 1 }),
});

const RECORD: StoredRecord = { key: 'node/a', version: [1, 1], value: { a: 1 } };

void test('concurrent writes share one write to the disk, and close does not lose the last one', async () => {
  const path = freshPath();
  const store = await openFileStore({ path, onProblem: noProblem, intervalMs: 3_600_000 });
  await store.write([RECORD]);
  const before = statSync(path).ino;
  const second = store.write([{ ...RECORD, version: [1, 2] }]);
  const third = store.write([{ ...RECORD, key: 'node/b' }]);
  assert.equal(statSync(path).ino, before);
  await store.close();
  assert.deepEqual([await second, await third], [['written'], ['written']]);
  const again = await openFileStore({ path, onProblem: noProblem });
  assert.equal((await again.load()).length, 2);
  await again.close();
});

void test('files on disk are complete, readable only by their owner, and without drafts beside them', async () => {
  const path = freshPath();
  const store = await openFileStore({ path, onProblem: noProblem, intervalMs: 0 });
  await store.write([RECORD]);
  await store.write([{ ...RECORD, key: 'node/b' }]);
  assert.deepEqual(readdirSync(dirname(path)).sort(), ['store.journal', 'store.json']);
  for (const file of readdirSync(dirname(path)))
    assert.equal(statSync(join(dirname(path), file)).mode & 0o777, 0o600, file);
  await store.close();
  assert.deepEqual(readdirSync(dirname(path)), ['store.json'], 'after an orderly end the snapshot has everything');
  const { version, records } = JSON.parse(readFileSync(path, 'utf8')) as { version: number; records: unknown };
  assert.deepEqual([version, records], [1, [RECORD, { ...RECORD, key: 'node/b' }]]);
});

void test('no write happens without a change', async () => {
  const path = freshPath();
  const first = await openFileStore({ path, onProblem: noProblem });
  await first.write([RECORD]);
  await first.close();
  const before = statSync(path);
  const store = await openFileStore({ path, onProblem: noProblem });
  await store.load();
  assert.deepEqual(await store.write([RECORD]), ['stale']);
  assert.deepEqual(await store.write([]), []);
  await store.remove(['node/unknown']);
  await store.close();
  const { ino, mtimeMs } = statSync(path);
  assert.deepEqual([ino, mtimeMs], [before.ino, before.mtimeMs]);
  assert.deepEqual(readdirSync(dirname(path)), ['store.json']);
});

for (const [what, content] of [
  ['half a file', '{"version":1,"records":[{"key":"node/a"'],
  ['an empty file', ''],
  ['another kind of JSON', '[]'],
  ['a later version', '{"version":2,"records":[]}'],
] as const)
  void test(`${what} is moved aside and reported, and the store starts empty`, async () => {
    const path = freshPath();
    await (await openFileStore({ path, onProblem: noProblem })).close();
    writeFileSync(path, content);
    const problems: string[] = [];
    const store = await openFileStore({ path, onProblem: (message) => problems.push(message), intervalMs: 0 });
    assert.equal(problems.length, 1);
    assert.match(problems[0]!, /moved it to .*\.bad and started empty/);
    assert.equal(readFileSync(`${path}.bad`, 'utf8'), content);
    assert.deepEqual(await store.load(), []);
    assert.deepEqual(await store.write([RECORD]), ['written']);
    await store.close();
  });

void test('records that cannot be read are skipped and counted, the others are kept', async () => {
  const path = freshPath();
  await (await openFileStore({ path, onProblem: noProblem })).close();
  const bad = [
    null,
    5,
    { key: '', version: [1, 1], value: 1 },
    { key: 'x'.repeat(129), version: [1, 1], value: 1 },
    { key: 'node/b', version: [1], value: 1 },
    { key: 'node/b', version: [1, 'x'], value: 1 },
    { key: 'node/b', version: [-1, 1], value: 1 },
    { key: 'node/b', version: [1, 1] },
    { key: 'node/b', version: [1, 1], value: 1, expiresAtUnixMs: 'soon' },
  ];
  writeFileSync(path, JSON.stringify({ version: 1, records: [...bad, RECORD] }));
  const problems: string[] = [];
  const store = await openFileStore({ path, onProblem: (message) => problems.push(message) });
  assert.deepEqual(problems, [`skipped 9 records of ${path} that cannot be read`]);
  assert.deepEqual(await store.load(), [RECORD]);
  await store.close();
});

void test('a damaged file that cannot be moved is reported, and the store continues', async () => {
  const path = freshPath();
  mkdirSync(join(path, 'inside'), { recursive: true });
  mkdirSync(join(`${path}.bad`, 'inside'), { recursive: true });
  const problems: string[] = [];
  const store = await openFileStore({ path, onProblem: (message) => problems.push(message), intervalMs: 0 });
  assert.match(problems[0]!, /cannot move it aside either/);
  await assert.rejects(store.write([RECORD]));
  await store.close();
});

void test('a failed write changes nothing, and can be retried', async () => {
  const path = freshPath();
  const store = await openFileStore({ path, onProblem: noProblem, intervalMs: 0 });
  // The snapshot cannot be written while its draft path is a folder.
  mkdirSync(`${path}.tmp`);
  await assert.rejects(store.write([RECORD]), Error);
  assert.deepEqual(await store.load(), []);
  rmSync(`${path}.tmp`, { recursive: true });
  assert.deepEqual(await store.write([RECORD]), ['written']);
  await store.close();
});

void test('writes reject while the folder cannot be created', async () => {
  const path = freshPath();
  writeFileSync(dirname(path), 'a file is in the way');
  const store = await openFileStore({ path, onProblem: noProblem, intervalMs: 0 });
  assert.deepEqual(await store.load(), []);
  await assert.rejects(store.write([RECORD]), { code: /EEXIST|ENOTDIR/ });
  rmSync(dirname(path));
  assert.deepEqual(await store.write([RECORD]), ['written']);
  await store.close();
});

void test('values that JSON cannot represent are refused', async () => {
  const store = await openFileStore({ path: freshPath(), onProblem: noProblem });
  await assert.rejects(store.write([{ ...RECORD, version: [Number.NaN, 1] }]), /could be read again/);
  await assert.rejects(store.write([{ ...RECORD, value: undefined }]), /could be read again/);
  await store.close();
});
