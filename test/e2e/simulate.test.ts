import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROLLCALL } from '../site/commands.ts';

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function simulate(cwd: string, ...words: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [ROLLCALL, 'simulate', ...words], { cwd, timeout: 120_000 }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    );
  });
}

test('the same seed gives the same results for built-in and custom algorithms', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-simulate-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(
    join(folder, 'first.mjs'),
    'export default () => ({ pick: (all, request, tried) => all.find(({ id }) => !tried.has(id)) });',
  );
  const words = ['few-logins', '--seeds', '1', '--json', '--algorithm', 'rollcall,./first.mjs'];
  const [one, again] = await Promise.all([simulate(folder, ...words), simulate(folder, ...words)]);
  assert.deepEqual([one.code, one.stderr], [0, '']);
  assert.equal(one.stdout, again.stdout);
  const { rows } = JSON.parse(one.stdout) as {
    rows: readonly { algorithm: string; sessionsMaxOverMean: { median: number } }[];
  };
  const [ours, first] = rows;
  assert.deepEqual([ours?.algorithm, first?.algorithm], ['rollcall', 'first']);
  assert.ok(ours!.sessionsMaxOverMean.median < 1.2);
  assert.ok(first!.sessionsMaxOverMean.median > 2, 'all users are on the first node');
});

test('an unknown algorithm or scenario is one line with the known ones', async () => {
  for (const [words, why] of [
    [['few-login'], /^rollcall: there is no scenario few-login; did you mean "few-logins".*--list/],
    [['./nowhere.json'], /nowhere\.json/],
    [['--algorithm', 'adaptiv'], /there is no algorithm adaptiv/],
    [['--algorithm', './nowhere.js'], /there is no file .*nowhere\.js/],
    [['--seeds', '0'], /whole number from 1/],
  ] as const) {
    const { code, stdout, stderr } = await simulate(tmpdir(), ...words);
    assert.deepEqual([code, stdout], [2, ''], stderr);
    assert.match(stderr, why);
    assert.equal(stderr.trim().split('\n').length, 1, stderr);
  }
});
