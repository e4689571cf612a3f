import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AjpSecret, readAjpSecret } from './secret-file.ts';

function fileOf(t: TestContext): { readonly path: string; readonly write: (text: string, mode?: number) => void } {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-ajp-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'secret');
  // A new file each time, so that its mode is the given one.
  const write = (text: string, mode = 0o600): void => {
    writeFileSync(`${path}-new`, text, { mode });
    renameSync(`${path}-new`, path);
  };
  return { path, write };
}

test('the file is one line of visible characters', (t) => {
  const { path, write } = fileOf(t);
  for (const text of ['secret', 'secret\n', 'secret\r\n']) {
    write(text);
    assert.deepEqual(readAjpSecret(path), { secret: 'secret', isReadableByOthers: false });
  }
  for (const text of ['', '\n', 'a b', 'a\nb\n', 'gr\u00fcn', 'x'.repeat(1_025), 'x'.repeat(100_000)]) {
    write(text);
    assert.throws(() => readAjpSecret(path), /has to be one line of 1 to 1024 visible ASCII characters/);
  }
  assert.throws(() => readAjpSecret(`${path}-none`), /ENOENT/);
  write('x'.repeat(1_024), 0o644);
  assert.equal(readAjpSecret(path).isReadableByOthers, true);
});

test('a new secret applies without a restart, and an invalid file is ignored', { timeout: 60_000 }, async (t) => {
  const { path, write } = fileOf(t);
  const lines = new EventEmitter();
  write('first', 0o644);
  const log = {
    info: (_: object, line: string) => lines.emit('info', line),
    warn: (_: object, line: string) => lines.emit('warn', line),
  };
  const warned = once(lines, 'warn');
  const secret = new AjpSecret(path, log, 20);
  t.after(() => secret.close());
  assert.match((await warned)[0], /others may read/);
  // Polling does not detect changes before the first poll.
  const changed = async (text: string, event: string): Promise<string> => {
    const answer = once(lines, event);
    const timer = setInterval(() => write(text), 100);
    const [line] = await answer;
    clearInterval(timer);
    return line;
  };
  assert.match(await changed('second', 'info'), /was read again/);
  assert.equal(secret.secret, 'second');
  assert.match(await changed('', 'warn'), /stays as it was/);
  assert.equal(secret.secret, 'second');
});
