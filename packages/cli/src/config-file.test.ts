import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import { applyConfigFile } from './config-file.ts';
import { jsonFault } from './json-fault.ts';

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

test('a missing file is reported in one sentence with its path', () => {
  const command = new Command().option('--config <file>').exitOverride();
  command.parse(['--config', '/none/rollcall.json'], { from: 'user' });
  assert.throws(() => applyConfigFile(command), {
    message: 'cannot read /none/rollcall.json: no such file or directory',
    exitCode: 2,
  });
});

test('an error in JSON is reported with line and column', () => {
  for (const [text, fault] of [
    ['{\n  "proxy": ":80"\n  "x": 1\n}', '"\\"" in line 3, column 3'],
    ['{"a": [1, 2,]}', '"]" in line 1, column 13'],
    ['{\n// text\n}', '"/" in line 2, column 1'],
    ['{"a": tru}', '"t" in line 1, column 7'],
    ['{"a": 1}\n}', '"}" in line 2, column 1'],
    ['{"a": {"b": -1.5e3, "c": "\\u00e9"}, "d": []', 'end of the text in line 1, column 44'],
    ['', 'end of the text in line 1, column 1'],
  ] as const) {
    assert.throws(() => JSON.parse(text));
    assert.equal(jsonFault(text), `unexpected ${fault}`);
  }
});
