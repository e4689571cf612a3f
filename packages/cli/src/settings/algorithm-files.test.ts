import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { BalancerSettingsOption } from '@rollcall/coordinator';
import { algorithmFile, isAlgorithmFile, withAlgorithmFiles } from './algorithm-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'rollcall-algorithm-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const mine = join(folder, 'mine.mjs');
writeFileSync(mine, '');
writeFileSync(join(folder, 'not a name.mjs'), '');

function settings(patch: BalancerSettingsOption['patch']): BalancerSettingsOption {
  return { name: '*', source: 'flag', patch };
}

test('paths and file names are distinguished from names of algorithms', () => {
  for (const text of ['./mine', '/srv/mine.mjs', 'mine.js', '..\\mine'])
    assert.equal(isAlgorithmFile(text), true, text);
  for (const text of ['adaptive', 'round-robin', 'prequal-0.6']) assert.equal(isAlgorithmFile(text), false, text);
});

test('settings get the algorithm name of a file; other settings are unchanged', () => {
  const { balancers, algorithmFiles } = withAlgorithmFiles([
    settings({ algorithm: mine, retries: 1 }),
    settings({ algorithm: 'adaptive', sessionAlgorithm: mine }),
    settings({ algorithm: null }),
  ]);
  assert.deepEqual(
    balancers.map(({ patch }) => patch),
    [{ algorithm: 'mine', retries: 1 }, { algorithm: 'adaptive', sessionAlgorithm: 'mine' }, { algorithm: null }],
  );
  assert.deepEqual(algorithmFiles, { mine });
});

test('an invalid setting is refused in one line', () => {
  assert.throws(() => algorithmFile('./missing.mjs'), /^CliFailure: algorithm \.\/missing\.mjs: there is no file \//);
  assert.throws(
    () => algorithmFile(join(folder, 'not a name.mjs')),
    /not a name is not a valid name, \[A-Za-z0-9_-\]\{1,64\}/,
  );
  const other = mkdtempSync(join(folder, 'other-'));
  writeFileSync(join(other, 'mine.js'), '');
  const both = [settings({ algorithm: mine }), settings({ sessionAlgorithm: join(other, 'mine.js') })];
  assert.throws(() => withAlgorithmFiles(both), /has the same name, mine/);
});
