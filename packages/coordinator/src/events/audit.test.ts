import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Audit } from './audit.ts';

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'rollcall-audit-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

function messagesIn(path: string): string[] {
  const lines = readFileSync(join(path, 'audit.jsonl'), 'utf8').trimEnd().split('\n');
  return lines.map((line) => (JSON.parse(line) as { message: string }).message);
}

test('lines are appended, one JSON object each, also after restarts', async (t) => {
  const path = await directory(t);
  for (const message of ['first', 'line\nbreak']) {
    const audit = await Audit.open(path, assert.fail);
    audit.add({ atUnixMs: 1, what: 'test', message });
    assert.equal(await audit.settled(10_000), undefined);
    assert.deepEqual(messagesIn(path).at(-1), message);
    await audit.close();
    assert.equal(audit.lost, 0);
  }
  assert.deepEqual(messagesIn(path), ['first', 'line\nbreak']);
});

test('a disk that cannot be written to loses lines, counts them and is reported', async () => {
  const problems: Error[] = [];
  const audit = await Audit.open('/proc/nowhere', (error) => problems.push(error));
  audit.add({ atUnixMs: 1, what: 'test', message: 'lost' });
  await audit.close();
  audit.add({ atUnixMs: 2, what: 'test', message: 'lost too' });
  assert.equal(audit.lost, 2);
  assert.equal(problems.length, 1);
});

/** A way to make the file unwritable, and its reverse. */
const FAULTS: readonly [code: string, harm: (path: string) => void, mend: (path: string) => void][] = [
  ['ENOENT', (path) => renameSync(path, `${path}-away`), (path) => renameSync(`${path}-away`, path)],
  ['EISDIR', (path) => mkdirSync(join(path, 'audit.jsonl')), (path) => rmdirSync(join(path, 'audit.jsonl'))],
  [
    'ENOSPC',
    (path) => symlinkSync('/dev/full', join(path, 'audit.jsonl')),
    (path) => rmSync(join(path, 'audit.jsonl')),
  ],
  [
    'ELOOP',
    (path) => symlinkSync('audit.jsonl', join(path, 'audit.jsonl')),
    (path) => rmSync(join(path, 'audit.jsonl')),
  ],
  [
    'ENOTDIR',
    (path) => {
      rmdirSync(path);
      writeFileSync(path, '');
    },
    (path) => {
      rmSync(path);
      mkdirSync(path);
    },
  ],
];

for (const [code, harm, mend] of FAULTS)
  test(`${code}: entries are kept, the trouble is reported, and all are written after recovery`, async (t) => {
    const path = await directory(t);
    t.after(() => rm(`${path}-away`, { recursive: true, force: true }));
    const problems: (string | undefined)[] = [];
    let recovered = 0;
    const audit = await Audit.open(
      path,
      (error: NodeJS.ErrnoException) => problems.push(error.code),
      () => {
        recovered += 1;
      },
    );
    harm(path);
    for (const message of ['one', 'two']) {
      audit.add({ atUnixMs: 1, what: 'test', message });
      const file = join(path, 'audit.jsonl');
      const note = `the audit entry is not written yet: ${file} cannot be written (${code}); it is kept and tried again`;
      assert.equal(await audit.settled(10_000), note);
    }
    assert.deepEqual(audit.trouble, { path: join(path, 'audit.jsonl'), reason: code, waiting: 2 });
    assert.deepEqual([audit.lost, problems, recovered], [0, [code], 0]);
    mend(path);
    audit.add({ atUnixMs: 1, what: 'test', message: 'three' });
    assert.equal(await audit.settled(10_000), undefined);
    assert.deepEqual(messagesIn(path), ['one', 'two', 'three']);
    assert.deepEqual([audit.trouble, audit.lost, recovered], [undefined, 0, 1]);
    await audit.close();
  });

test('without a further entry they are written after about a second', async (t) => {
  const path = await directory(t);
  const file = join(path, 'audit.jsonl');
  let recover = (): void => {};
  const recovered = new Promise<void>((resolve) => {
    recover = resolve;
  });
  mkdirSync(file);
  const audit = await Audit.open(path, () => rmdirSync(file), recover);
  audit.add({ atUnixMs: 1, what: 'test', message: 'one' });
  const keepsRunning = setInterval(() => {}, 1_000);
  await recovered.finally(() => clearInterval(keepsRunning));
  assert.deepEqual(messagesIn(path), ['one']);
  await audit.close();
});

test('beyond the bound entries are lost, counted exactly, and noted at their place in the file', async (t) => {
  const path = await directory(t);
  rmdirSync(path);
  const audit = await Audit.open(path, () => {});
  const added = 3_000;
  for (let i = 0; i < added; i++) audit.add({ atUnixMs: 1, what: 'test', message: `${i} ${'x'.repeat(1_000)}` });
  assert.match(
    (await audit.settled(10_000))!,
    /^entries of the audit are lost: .*audit\.jsonl cannot be written \(ENOENT\)$/,
  );
  const { lost } = audit;
  assert.ok(lost > 1_000 && lost < added, `${lost} lost`);
  assert.equal(audit.trouble?.waiting, added - lost);
  mkdirSync(path);
  audit.add({ atUnixMs: 3, what: 'test', message: 'last' });
  assert.equal(await audit.settled(10_000), undefined);
  const messages = messagesIn(path);
  assert.equal(audit.lost, lost);
  assert.deepEqual(messages.slice(-2), [`${lost} entries before this line were lost (ENOENT)`, 'last']);
  assert.deepEqual(
    messages.slice(0, -2).map((message) => Number(message.split(' ')[0])),
    Array.from({ length: added - lost }, (_, i) => i),
  );
  await audit.close();
});

test('an answer waits for a slow disk only until its limit, and the entry is written later', async (t) => {
  const path = await directory(t);
  const file = join(path, 'audit.jsonl');
  execFileSync('mkfifo', [file]);
  const audit = await Audit.open(path, assert.fail);
  audit.add({ atUnixMs: 1, what: 'test', message: 'one' });
  const note = `the audit entry is not written yet: ${file} is written too slowly; it is kept and tried again`;
  assert.equal(await audit.settled(50), note);
  // Opening a pipe waits for its reader.
  const reader = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  t.after(() => closeSync(reader));
  assert.equal(await audit.settled(10_000), undefined);
  const octets = Buffer.alloc(1_000);
  assert.match(octets.toString('utf8', 0, readSync(reader, octets)), /"message":"one"}\n$/);
  await audit.close();
  assert.equal(audit.lost, 0);
});

test('entries that still wait at the end are lost and counted', async (t) => {
  const path = await directory(t);
  rmdirSync(path);
  const audit = await Audit.open(path, () => {});
  for (let i = 0; i < 5; i++) audit.add({ atUnixMs: 1, what: 'test', message: String(i) });
  await audit.close();
  assert.equal(audit.lost, 5);
  assert.equal(existsSync(path), false);
  assert.equal(await readFile(join(path, 'audit.jsonl')).catch(() => 'none'), 'none');
});
