import assert from 'node:assert/strict';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Store, StoredRecord } from '@rollcall/core';
import { openFileStore } from './file-store.ts';
import { Journal, lineOf, readJournal, removalLine } from './journal.ts';
import type { JournalPoint } from './journal-point.ts';
import { writeSnapshot } from './snapshot.ts';

const A: StoredRecord = { key: 'node/a', version: [1, 1], value: { text: 'ä' } };
const B: StoredRecord = { key: 'node/b', version: [1, 1], value: 2 };
const C: StoredRecord = { key: 'node/c', version: [1, 1], value: 'c' };

interface Place {
  readonly snapshot: string;
  readonly journal: string;
  open(onProblem?: (message: string) => void, compactBytes?: number): Promise<Store>;
  /** Keys and values that a start finds. Fails if damage is reported. */
  found(): Promise<Record<string, unknown>>;
}

function place(t: TestContext): Place {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-journal-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const snapshot = join(folder, 'cluster.json');
  const open: Place['open'] = (onProblem = assert.fail, compactBytes = 16 * 1024 * 1024) =>
    openFileStore({ path: snapshot, onProblem, intervalMs: 0, compactBytes });
  return {
    snapshot,
    journal: join(folder, 'cluster.journal'),
    open,
    found: async () => {
      // A copy, so that reading changes nothing.
      const look = join(folder, 'look');
      mkdirSync(look);
      for (const file of ['cluster.json', 'cluster.journal'])
        if (existsSync(join(folder, file))) copyFileSync(join(folder, file), join(look, file));
      const problems: string[] = [];
      const onProblem = (message: string) => problems.push(message);
      const store = await openFileStore({ path: join(look, 'cluster.json'), onProblem });
      const found = contentOf(await store.load());
      await store.close();
      rmSync(look, { recursive: true });
      assert.deepEqual(problems, []);
      return found;
    },
  };
}

function contentOf(records: readonly StoredRecord[]): Record<string, unknown> {
  return Object.fromEntries(records.map(({ key, value }) => [key, value]));
}

function text(...changes: readonly (StoredRecord | string)[]): string {
  return changes
    .map((change) => (typeof change === 'string' ? removalLine(change) : lineOf(JSON.stringify(change))))
    .join('');
}

function asLine(record: StoredRecord) {
  return { record, text: JSON.stringify(record) };
}

/** A snapshot with A, and a journal that adds B and removes A. */
async function written({
  snapshot,
  journal,
}: Place): Promise<{ readonly start: JournalPoint; readonly end: JournalPoint }> {
  const start = { id: 'start', bytes: 0 };
  await writeSnapshot(snapshot, [asLine(A)], start);
  const made = await Journal.create(journal, start, text(B, A.key));
  await made.close();
  return { start, end: made.end };
}

test('a last line that is cut off at any byte is skipped, and the next append starts on a new line', async (t) => {
  const at = place(t);
  await written(at);
  const whole = readFileSync(at.journal);
  const last = lineOf(JSON.stringify({ ...C, value: 'lost ä' }));
  for (let kept = 0; kept < Buffer.byteLength(last); kept += 1) {
    writeFileSync(at.journal, Buffer.concat([whole, Buffer.from(last).subarray(0, kept)]));
    assert.deepEqual(await at.found(), { 'node/b': 2 }, `${kept} bytes`);
    if (kept % 8 !== 0) continue;
    const store = await at.open();
    await store.write([C]);
    assert.deepEqual(await at.found(), { 'node/b': 2, 'node/c': 'c' }, `after ${kept} bytes`);
    await store.close();
    await writeSnapshot(at.snapshot, [asLine(A)], { id: 'start', bytes: 0 });
  }
});

const ENDS: Readonly<Record<string, Buffer>> = {
  'zeros, as a power failure leaves them': Buffer.alloc(4_096),
  'a line feed alone': Buffer.from('\n'),
  'octets that are no UTF-8': Buffer.from([0xff, 0xfe, 0x0a]),
  'a line with another sum': Buffer.from(`00000000 ${JSON.stringify(C)}\n`),
  'half a line of another write': Buffer.from(lineOf(JSON.stringify(C)).slice(0, 20)),
};
for (const [what, end] of Object.entries(ENDS))
  test(`${what} at the end of the journal: the lines before and later appends are read`, async (t) => {
    const at = place(t);
    await written(at);
    appendFileSync(at.journal, end);
    const problems: string[] = [];
    const store = await at.open((message) => problems.push(message));
    assert.deepEqual(contentOf(await store.load()), { 'node/b': 2 });
    assert.equal(problems.length, end.includes(10) ? 1 : 0, problems.join('\n'));
    await store.write([C]);
    assert.deepEqual(await at.found(), { 'node/b': 2, 'node/c': 'c' });
    await store.close();
  });

test('a damaged line in the middle is skipped and counted, the lines after it are read', async (t) => {
  const at = place(t);
  await written(at);
  appendFileSync(at.journal, `deadbeef ${JSON.stringify(A)}\n${text(C)}`);
  const problems: string[] = [];
  const store = await at.open((message) => problems.push(message));
  assert.deepEqual(contentOf(await store.load()), { 'node/b': 2, 'node/c': 'c' });
  assert.deepEqual(problems, [`skipped 1 lines of ${at.journal} that cannot be read`]);
  await store.close();
});

/** The files after a crash at each step, from a snapshot with A and a journal that adds B and removes A. */
const CRASHES: Readonly<Record<string, (at: Place) => Promise<void>>> = {
  'before anything': async () => {},
  'with half a snapshot beside': async ({ snapshot }) => writeFileSync(`${snapshot}.tmp`, '{"version":1,"rec'),
  'with the new snapshot there and the journal not cut': async ({ snapshot, journal }) => {
    const content = await readJournal(journal);
    assert.ok(typeof content === 'object');
    await writeSnapshot(snapshot, [asLine(B)], { id: content.id, bytes: content.bytes });
  },
  'with half a cut journal beside': async (at) => {
    await CRASHES['with the new snapshot there and the journal not cut']!(at);
    writeFileSync(`${at.journal}.tmp`, readFileSync(at.journal).subarray(0, 30));
  },
  'with the journal cut': async (at) => {
    const content = await readJournal(at.journal);
    assert.ok(typeof content === 'object');
    const end = { id: content.id, bytes: content.bytes };
    await writeSnapshot(at.snapshot, [asLine(B)], end);
    const journal = await Journal.open(at.journal, end);
    await journal.cut(end);
    await journal.close();
  },
  'with the journal removed, at an orderly end': async (at) => {
    await CRASHES['with the new snapshot there and the journal not cut']!(at);
    unlinkSync(at.journal);
  },
};
for (const [when, crash] of Object.entries(CRASHES))
  test(`a crash ${when} loses nothing, undoes no removal, and the store continues`, async (t) => {
    const at = place(t);
    await written(at);
    await crash(at);
    assert.deepEqual(await at.found(), { 'node/b': 2 });
    const store = await at.open();
    await store.write([C]);
    await store.remove([B.key]);
    assert.deepEqual(await at.found(), { 'node/c': 'c' });
    await store.write([{ ...B, version: [0, 0], value: 'again' }]);
    assert.deepEqual(await at.found(), { 'node/b': 'again', 'node/c': 'c' });
    await store.close();
    assert.deepEqual(await at.found(), { 'node/b': 'again', 'node/c': 'c' });
    assert.ok(!existsSync(`${at.snapshot}.tmp`) && !existsSync(`${at.journal}.tmp`));
  });

test('lines appended during the write of a snapshot are kept when the journal is cut', async (t) => {
  const at = place(t);
  const { end } = await written(at);
  const journal = await Journal.open(at.journal, end);
  await journal.append(text(C));
  await writeSnapshot(at.snapshot, [asLine(B)], end);
  assert.deepEqual(await at.found(), { 'node/b': 2, 'node/c': 'c' });
  await journal.cut(end);
  assert.deepEqual(await at.found(), { 'node/b': 2, 'node/c': 'c' });
  await journal.append(text(B.key));
  await journal.close();
  assert.deepEqual(await at.found(), { 'node/c': 'c' });
});

/** Journals that do not belong to the snapshot, where a removal must stay removed. */
const FOREIGN: Readonly<Record<string, (at: Place) => Promise<void>>> = {
  'an earlier release has replaced the snapshot since': async ({ snapshot }) =>
    writeFileSync(snapshot, JSON.stringify({ version: 1, records: [C] })),
  'the snapshot follows another journal': async ({ snapshot }) =>
    writeSnapshot(snapshot, [asLine(C)], { id: 'another', bytes: 0 }),
  'its head is damaged': async (at) => {
    writeFileSync(at.journal, Buffer.concat([Buffer.from('x'), readFileSync(at.journal)]));
    await writeSnapshot(at.snapshot, [asLine(C)], { id: 'start', bytes: 0 });
  },
  'it is empty': async (at) => {
    truncateSync(at.journal);
    await writeSnapshot(at.snapshot, [asLine(C)], { id: 'start', bytes: 0 });
  },
};
for (const [why, change] of Object.entries(FOREIGN))
  test(`a journal is not applied if ${why}: it is moved aside and reported`, async (t) => {
    const at = place(t);
    await written(at);
    await change(at);
    const problems: string[] = [];
    const store = await at.open((message) => problems.push(message));
    assert.deepEqual(contentOf(await store.load()), { 'node/c': 'c' });
    assert.match(problems.join('\n'), /^.*cluster\.journal does not belong to .*; moved it to .*\.bad$/);
    await store.write([A]);
    assert.deepEqual(await at.found(), { 'node/a': { text: 'ä' }, 'node/c': 'c' });
    await store.close();
  });

test('after the snapshot was deleted, the journal is not applied', async (t) => {
  const at = place(t);
  await written(at);
  unlinkSync(at.snapshot);
  const store = await at.open(() => {});
  assert.deepEqual(await store.load(), []);
  await store.close();
});

test('beside a damaged snapshot the journal is applied, also after a second crash', async (t) => {
  const at = place(t);
  await written(at);
  writeFileSync(at.snapshot, '{');
  const problems: string[] = [];
  const store = await at.open((message) => problems.push(message));
  assert.match(problems.join('\n'), /moved it to .*\.bad and started with the 1 records of the journal$/);
  assert.deepEqual(await at.found(), { 'node/b': 2 });
  await store.close();
});

test('a journal that ends before the point in its snapshot is replaced at the next write', async (t) => {
  const at = place(t);
  const { end } = await written(at);
  await writeSnapshot(at.snapshot, [asLine(B)], { ...end, bytes: end.bytes + 1 });
  const store = await at.open();
  await store.write([C]);
  assert.deepEqual(await at.found(), { 'node/b': 2, 'node/c': 'c' });
  await store.close();
});

test('files that are deleted while the store is open are written again', async (t) => {
  const at = place(t);
  const store = await at.open();
  for (const record of [A, B]) await store.write([record]);
  unlinkSync(at.journal);
  unlinkSync(at.snapshot);
  await store.write([C]);
  assert.deepEqual(Object.keys(await at.found()).sort(), ['node/a', 'node/b', 'node/c']);
  await store.close();
});

test('the journal is compacted during writes, and stays below its bound', async (t) => {
  const at = place(t);
  const store = await at.open(assert.fail, 4_096);
  const expected: Record<string, unknown> = {};
  let longest = 0;
  for (let round = 0; round < 200; round += 1) {
    const key = `node/n${round % 20}`;
    if (round % 7 === 6) {
      await store.remove([key]);
      delete expected[key];
    } else {
      await store.write([{ key, version: [1, round], value: 'x'.repeat(200) + round }]);
      expected[key] = 'x'.repeat(200) + round;
    }
    if (existsSync(at.journal)) longest = Math.max(longest, statSync(at.journal).size);
  }
  assert.deepEqual(await at.found(), expected);
  assert.ok(longest < 16_384, `${longest} bytes`);
  await store.close();
});
