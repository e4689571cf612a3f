import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TYPESCRIPT } from '@rollcall/core/testing';

const FIXTURE = fileURLToPath(new URL('./full-disk.fixture.ts', import.meta.url));

for (const [kind, sentence] of [
  ['full', 'a full disk rejects writes, memory and disk stay the same, and once there is room all is written'],
  ['read-only', 'a read-only disk is read, writes are rejected, and it is written once that is possible'],
] as const)
  test(sentence, { skip: missing() }, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'rollcall-disk-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const node = [process.execPath, ...TYPESCRIPT];
    const { status, stderr } = spawnSync('unshare', ['--mount', ...node, FIXTURE, folder, kind], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  });

function missing(): string | false {
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'rollcall', '/mnt'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'mount namespaces are not available: run as root, in a container with --privileged';
  }
}
