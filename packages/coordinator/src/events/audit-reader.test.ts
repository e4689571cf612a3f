import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readEntries } from './audit-reader.ts';

async function fileOf(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'rollcall-audit-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return join(directory, 'audit.jsonl');
}

const line = (id: number, message = 'é'): string => `${JSON.stringify({ id, atUnixMs: id, what: 'test', message })}\n`;
const all = { limit: 100_000, beforeId: Number.POSITIVE_INFINITY, isWanted: () => true };

test('entries of both files are read backwards, over the ends of the pieces, and broken lines are skipped', async (t) => {
  const path = await fileOf(t);
  const message = 'é'.repeat(700);
  const first = Array.from({ length: 200 }, (_, i) => line(i, message));
  writeFileSync(`${path}.1`, first.join(''));
  const second = Array.from({ length: 200 }, (_, i) => line(200 + i, message));
  writeFileSync(path, `${second.join('')}{"broken\n\n${line(400)}`);
  const { entries, next } = await readEntries(path, all);
  assert.deepEqual(
    entries.map(({ id }) => id),
    Array.from({ length: 401 }, (_, i) => 400 - i),
  );
  assert.equal(entries[1]!.message, message);
  assert.equal(next, undefined);
});

test('a page ends at its limit, and the next one begins after it', async (t) => {
  const path = await fileOf(t);
  writeFileSync(path, [1, 2, 3, 4, 5].map((id) => line(id)).join(''));
  const isWanted = ({ id }: { readonly id: number }): boolean => id !== 4;
  const first = await readEntries(path, { ...all, limit: 2, isWanted });
  assert.deepEqual([first.entries.map(({ id }) => id), first.next], [[5, 3], 3]);
  const second = await readEntries(path, { ...all, limit: 2, isWanted, beforeId: first.next! });
  assert.deepEqual([second.entries.map(({ id }) => id), second.next], [[2, 1], undefined]);
});

test('an answer reads at most 16 MiB: the next page continues there', async (t) => {
  const path = await fileOf(t);
  const message = 'x'.repeat(100_000);
  writeFileSync(path, Array.from({ length: 300 }, (_, i) => line(i, message)).join(''));
  const isWanted = ({ id }: { readonly id: number }): boolean => id === 0;
  const first = await readEntries(path, { ...all, isWanted });
  assert.deepEqual(first.entries, []);
  assert.ok(first.next! > 100 && first.next! < 200, `next is ${first.next}`);
  const second = await readEntries(path, { ...all, isWanted, beforeId: first.next! });
  assert.equal(second.entries.length, 1);
});

test('without a file there are no entries', async (t) => {
  assert.deepEqual(await readEntries(await fileOf(t), all), { entries: [] });
});
