import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TYPESCRIPT } from '@rollcall/core/testing';
import { openFileStore } from './file-store.ts';

const FIXTURE = fileURLToPath(new URL('./killed-store.fixture.ts', import.meta.url));
const STORES = 4;
const KILLS = 5;

test(`${STORES * KILLS} kills in the middle of writes lose no answered change and bring none back`, {
  timeout: 300_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-killed-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const answered = await Promise.all(
    Array.from({ length: STORES }, (_, i) => killAgainAndAgain(join(folder, `${i}`), i)),
  );
  t.diagnostic(`${answered.reduce((sum, count) => sum + count)} answered changes checked`);
});

/** Kills a store after a varying number of answers and checks its files. Returns the number of answers. */
async function killAgainAndAgain(folder: string, seed: number): Promise<number> {
  const path = join(folder, 'cluster.json');
  /** Last answered change by key; negative for a removal. */
  const last = new Map<string, number>();
  let total = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const after = 10 + (((seed * KILLS + kill) * 97) % 150);
    // After the batch that may be on disk without an answer.
    const first = 4 + Math.max(0, ...[...last.values()].map(Math.abs));
    total += await runUntilKilled(path, first, after, last);
    const problems: string[] = [];
    const store = await openFileStore({ path, onProblem: (message) => problems.push(message) });
    assert.deepEqual(problems, []);
    const found = new Map((await store.load()).map(({ key, version }) => [key, version[1]]));
    const latest = Math.max(...[...last.values()].map(Math.abs));
    for (const [key, change] of last) {
      const version = found.get(key);
      // The batch without an answer may be on disk too: later versions, and the removal of one key.
      if (version !== undefined) assert.ok(version >= Math.abs(change), `${key}: ${version} after ${change}`);
      else if (change > 0) assert.equal(key, `node/n${(latest + 3) % 17}`, `${key}: ${change} is lost`);
    }
    await store.close();
  }
  return total;
}

async function runUntilKilled(
  path: string,
  first: number,
  answers: number,
  last: Map<string, number>,
): Promise<number> {
  const child = spawn(process.execPath, [...TYPESCRIPT, FIXTURE, path, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let count = 0;
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    const [key, change] = line.split(' ') as [string, string];
    assert.notEqual(key, 'problem', line);
    last.set(key, Number(change));
    count += 1;
    if (count === answers) child.kill('SIGKILL');
  });
  const [[code, signal]] = await Promise.all([once(child, 'exit'), once(lines, 'close')]);
  assert.equal(signal, 'SIGKILL', `the store ended by itself with ${code}`);
  return count;
}
