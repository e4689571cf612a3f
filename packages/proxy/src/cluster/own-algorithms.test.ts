import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { candidate, seededRng } from '@rollcall/core/testing';
import { loadAlgorithms } from './own-algorithms.ts';

function fileWith(t: TestContext, text: string, name = 'mine.mjs'): string {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-algorithm-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}

void test('an algorithm from a file has its name, and its mistakes are logged at intervals', async (t) => {
  const mistakes: string[] = [];
  const log = { warn: (fields: object) => mistakes.push((fields as { mistake: string }).mistake) };
  const file = fileWith(
    t,
    'export default () => ({ pick(all, request, tried) { if (request.nowMs > 0) throw new Error("no idea"); return all.find(({ id }) => !tried.has(id)); } });',
  );
  const algorithms = await loadAlgorithms({ mine: file }, log);
  assert.ok(algorithms.has('adaptive'));
  const algorithm = algorithms.get('mine')!({ rng: seededRng(1) });
  const nodes = [candidate('a'), candidate('b')];
  assert.equal(algorithm.name, 'mine');
  assert.equal(algorithm.pick(nodes, { nowMs: 0, isNewSession: true }, new Set()), nodes[0]);
  for (let nowMs = 1_000; nowMs < 25_000; nowMs += 100)
    assert.ok(algorithm.pick(nodes, { nowMs, isNewSession: true }, new Set()) !== undefined);
  assert.deepEqual([...new Set(mistakes)], ['no idea']);
  assert.equal(mistakes.length, 3);
});

void test('a module that is no algorithm is refused with the reason', async (t) => {
  const log = { warn: () => {} };
  for (const [text, why] of [
    ['export const pick = 1;', /has no function as its default export: write export default/],
    ['export default () => ({});', /makes something without pick\(candidates, request, tried\)/],
    ['export default () => { throw new Error("not today"); };', /throws when it is tried: not today/],
    ['export default (', /cannot be loaded/],
  ] as const)
    await assert.rejects(loadAlgorithms({ mine: fileWith(t, text) }, log), why);
  await assert.rejects(loadAlgorithms({ mine: '/nowhere/mine.js' }, log), /cannot be loaded: Cannot find module/);
  await assert.rejects(loadAlgorithms({ adaptive: '/any/adaptive.js' }, log), /has the name of one of ours, adaptive/);
});
