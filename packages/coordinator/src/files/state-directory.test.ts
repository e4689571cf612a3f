import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock, type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { StateDirectory } from './state-directory.ts';
import { replaceFile } from './whole-file.ts';

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-state-directory-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function opened(t: TestContext, path: string): Promise<{ state: StateDirectory; lines: string[] }> {
  const lines: string[] = [];
  const log = pino(
    { level: 'info' },
    { write: (line: string) => lines.push((JSON.parse(line) as { msg: string }).msg) },
  );
  const state = await StateDirectory.open({ path, clocks: new ManualClocks(), log });
  t.after(() => state.close());
  return { state, lines };
}

test('it is created with its parents, and the check of its writability leaves no file', async (t) => {
  const path = join(scratch(t), 'a', 'b');
  const { state, lines } = await opened(t, path);
  assert.deepEqual([state.problem, lines, readdirSync(path)], [undefined, [], []]);
});

test('drafts of killed processes are removed, all other files stay', async (t) => {
  const path = scratch(t);
  const ours = ['tokens.json.0123456789ab', 'admin-token.ba9876543210', 'tokens.json.tmp', 'writable', 'writable.tmp'];
  const others = [
    'tokens.json',
    'admin-token',
    'tokens.json.bak',
    'cluster.json',
    'my.tmp',
    'tokens.json.0123456789abcd',
  ];
  for (const file of [...ours, ...others]) writeFileSync(join(path, file), '');
  await opened(t, path);
  assert.deepEqual(readdirSync(path).sort(), others.sort());
});

test('a file that cannot be written is reported once, and written with the last text after recovery', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const path = join(scratch(t), 'state');
  writeFileSync(path, 'a file is in the way');
  const { state, lines } = await opened(t, path);
  await state.writeAll(new Map([[join(path, 'tokens.json'), 'first']]));
  await state.writeAll(new Map([[join(path, 'tokens.json'), 'last']]));
  assert.match(state.problem?.message ?? '', /EEXIST/);
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /^cannot write the state directory .* keeping state in memory, retrying every 5 s$/);
  rmSync(path);
  mock.timers.tick(5_000);
  while (state.problem !== undefined) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(readFileSync(join(path, 'tokens.json'), 'utf8'), 'last');
  assert.match(lines[1]!, /can be written again$/);
});

/** Failures of the steps of a write. */
const FAILURES: Readonly<Record<string, (path: string) => void>> = {
  'the draft cannot be made': (path) => mkdirSync(join(`${path}.tmp`, 'x'), { recursive: true }),
  'the file cannot be replaced': (path) => mkdirSync(join(path, 'x'), { recursive: true }),
};
for (const [what, make] of Object.entries(FAILURES))
  test(`a write leaves no draft if ${what}`, async (t) => {
    const folder = scratch(t);
    const path = join(folder, 'secret');
    make(path);
    const before = readdirSync(folder);
    await assert.rejects(replaceFile(path, 'text'));
    assert.deepEqual(readdirSync(folder), before);
  });

test('concurrent writes of one file run one after the other, and the last text stays', async (t) => {
  const path = scratch(t);
  const { state } = await opened(t, path);
  const texts = Array.from({ length: 20 }, (_, i) => `text ${i}`);
  await Promise.all(texts.map((text) => state.writeAll(new Map([[join(path, 'tokens.json'), text]]))));
  assert.equal(state.problem, undefined);
  assert.equal(readFileSync(join(path, 'tokens.json'), 'utf8'), texts.at(-1));
});

test('a file that was not read is not replaced, but is created if it does not exist', async (t) => {
  const path = scratch(t);
  const { state } = await opened(t, path);
  const file = join(path, 'tokens.json');
  await state.writeAll(new Map([[file, 'first']]), { isReplacing: false });
  await state.writeAll(new Map([[file, 'second']]), { isReplacing: false });
  assert.deepEqual([state.problem, readFileSync(file, 'utf8')], [undefined, 'first']);
  await state.writeAll(new Map([[file, 'third']]));
  assert.equal(readFileSync(file, 'utf8'), 'third');
});
