/** Runs in a mount namespace. Writes to a store on its own small disk, which becomes full, read-only and writable again. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Store } from '@rollcall/core';
import { openFileStore } from './file-store.ts';

const [folder, kind] = process.argv.slice(2) as [string, 'full' | 'read-only'];
mount('-t', 'tmpfs', '-o', 'size=256k', 'rollcall', folder);
const path = join(folder, 'cluster.json');
const problems: string[] = [];
const options = { path, onProblem: (message: string) => problems.push(message), intervalMs: 0 };
const store = await openFileStore(options);
await write(store, 0);
await write(store, 1);

if (kind === 'full') {
  let number = 2;
  const failure = await untilRejected(async () => write(store, number++));
  assert.equal(failure.code, 'ENOSPC');
  await sameAsDisk(store);
  // No write has left an incomplete line: the next one succeeds or fails as a whole too.
  for (let i = 0; i < 20; i += 1) {
    await write(store, number++, 100 + i * 97).catch((error: NodeJS.ErrnoException) =>
      assert.equal(error.code, 'ENOSPC'),
    );
    await sameAsDisk(store);
  }
  await store.remove(['node/n1']).catch(() => undefined);
  await sameAsDisk(store);
  await replaceTheStore();
} else {
  await killed();
  mount('-o', 'remount,ro', folder);
  const late = await openFileStore(options);
  const failure = await untilRejected(() => write(late, 2));
  assert.equal(failure.code, 'EROFS');
  assert.deepEqual((await late.load()).map(({ key }) => key).sort(), ['node/n0', 'node/n1']);
  mount('-o', 'remount,rw', folder);
  await write(late, 2);
  await sameAsDisk(late);
  await late.close();
}
assert.deepEqual(problems, []);

/** On a disk without room for a snapshot the journal stays. Once there is room again, everything is written. */
async function replaceTheStore(): Promise<void> {
  const before = await store.load();
  await store.close();
  assert.deepEqual(readdirSync(folder).sort(), ['cluster.journal', 'cluster.json'], 'there was no room for a snapshot');
  const again = await openFileStore(options);
  assert.deepEqual((await again.load()).length, before.length);
  mount('-o', 'remount,size=4m', folder);
  await write(again, 100_000);
  await sameAsDisk(again);
  await again.close();
  assert.deepEqual(readdirSync(folder), ['cluster.json']);
}

/** Leaves the files as after a kill: a disk with a file open for writing cannot become read-only. */
async function killed(): Promise<void> {
  const copy = mkdtempSync(join(tmpdir(), 'rollcall-killed-'));
  cpSync(folder, copy, { recursive: true });
  await store.close();
  cpSync(copy, folder, { recursive: true });
  rmSync(copy, { recursive: true });
}

function write(to: Store, number: number, length = 3_000): Promise<unknown> {
  return to.write([{ key: `node/n${number}`, version: [1, 1], value: 'x'.repeat(length) }]);
}

async function untilRejected(run: () => Promise<unknown>): Promise<NodeJS.ErrnoException> {
  for (let i = 0; i < 1_000; i += 1)
    try {
      await run();
    } catch (error) {
      return error as NodeJS.ErrnoException;
    }
  throw new Error('no write was rejected');
}

/** Checks that a start would find the records of the store. */
async function sameAsDisk(of: Store): Promise<void> {
  const look = mkdtempSync(join(tmpdir(), 'rollcall-look-'));
  cpSync(folder, look, { recursive: true });
  const other = await openFileStore({ path: join(look, 'cluster.json'), onProblem: assert.fail });
  const keys = async (some: Store): Promise<string[]> => (await some.load()).map(({ key }) => key).sort();
  assert.deepEqual(await keys(other), await keys(of));
  await other.close();
  rmSync(look, { recursive: true });
}

function mount(...args: string[]): void {
  execFileSync('mount', args, { stdio: 'inherit' });
}
