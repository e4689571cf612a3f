import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { HmacSeal } from './hmac-seal.ts';
import { readStickySecrets } from './secret-file.ts';
import { SecretWatch } from './secret-watch.ts';

const [OLD, NEW] = ['the old secret of sixteen', 'the new secret of sixteen'];
const alone = (current: string, previous?: string) => ({ current, previous, isReadableByOthers: false });

test('a seal is valid only for its own text, with the present or the previous secret', () => {
  const seal = new HmacSeal(alone(OLD));
  const mac = seal.sealOf('abc.n1');
  for (let again = 0; again < 2; again++) assert.ok(seal.isSealOf('abc.n1', mac));
  for (const [text, wrong] of [
    ['abc.n2', mac],
    ['abc.n1', `${mac.slice(0, -1)}!`],
    ['abc.n1', ''],
    ['abc.n1', 'A'.repeat(22)],
    ['abc.n1', `${mac}A`],
  ] as const)
    assert.ok(!seal.isSealOf(text, wrong), `${text} ${wrong}`);
  seal.secrets = alone(NEW, OLD);
  assert.ok(seal.isSealOf('abc.n1', mac));
  assert.notEqual(seal.sealOf('abc.n1'), mac);
  seal.secrets = alone(NEW);
  assert.ok(!seal.isSealOf('abc.n1', mac), 'remembered seals are dropped with their secret');
});

test('valid seals stay valid after any number of cookies', () => {
  const seal = new HmacSeal(alone(OLD));
  const first = seal.sealOf('0.n1');
  for (let i = 0; i < 12_000; i++) assert.ok(seal.isSealOf(`${i}.n1`, seal.sealOf(`${i}.n1`)));
  assert.ok(seal.isSealOf('0.n1', first));
});

test('a secret file has one or two lines of sixteen characters and more', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-secret-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'secret');
  const read = (text: string) => {
    writeFileSync(path, text, { mode: 0o600 });
    return readStickySecrets(path);
  };
  assert.deepEqual(read(`${NEW}\n${OLD}\n`), alone(NEW, OLD));
  assert.deepEqual(read(NEW), alone(NEW));
  assert.throws(() => read(''), /has 0 lines/);
  assert.throws(() => read('short\n'), /line 1 .* has 5 characters/);
  assert.throws(() => read(`${NEW}\n${OLD}\n${OLD}\n`), /has 3 lines/);
  assert.throws(() => read('x'.repeat(9_000)), /9000 octets/);
  assert.throws(() => readStickySecrets(join(directory, 'none')), /ENOENT/);
});

test('a new secret applies without a restart, an invalid file is ignored', { timeout: 60_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-secret-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'secret');
  const write = (text: string) => {
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  };
  write(OLD);
  const said = new EventEmitter();
  const watch = new SecretWatch(
    path,
    { info: () => said.emit('said', 'info'), warn: () => said.emit('said', 'warn') },
    20,
  );
  t.after(() => watch.close());
  const mac = watch.seal.sealOf('abc.n1');
  // Polling does not detect changes before the first poll.
  const changed = async (text: string): Promise<unknown> => {
    const answer = once(said, 'said');
    const timer = setInterval(() => write(text), 100);
    const [word] = await answer;
    clearInterval(timer);
    return word;
  };
  assert.equal(await changed(`${NEW}\n${OLD}`), 'info');
  assert.ok(watch.seal.isSealOf('abc.n1', mac));
  assert.notEqual(watch.seal.sealOf('abc.n1'), mac);
  assert.equal(await changed('short'), 'warn');
  assert.ok(watch.seal.isSealOf('abc.n1', mac));
});
