import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import { applyConfigFile } from './config-file.ts';

test('a byte order mark at the beginning of the file is skipped', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-config-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'rollcall.json');
  writeFileSync(path, '\uFEFF{ "grace": "5s" }');
  const command = new Command().option('--grace <duration>').option('--config <file>').exitOverride();
  command.parse(['--config', path], { from: 'user' });
  applyConfigFile(command);
  assert.equal(command.opts()['grace'], '5s');
});
